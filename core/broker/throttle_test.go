package broker

import (
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
)

// A share of nothing would stop the replicas of one shard for as long as the throttle stands.
func TestAShardsShareOfALowRateIsNotNothing(t *testing.T) {
	n := bootNode(t, newMemDisk(), 3)
	n.mustCreate(n.connect(0), "t", 12)
	every := func(*metadata.Partition) bool { return true }
	all := func(*config.Topic) string { return "*" }
	for _, x := range n.shards {
		for _, c := range []struct{ rate, least, most int64 }{{0, 0, 0}, {1, 1, 1}, {5, 1, 5}, {1200, 100, 1000}} {
			if got := x.s.portion(c.rate, every, all); got < c.least || got > c.most {
				t.Errorf("shard %d of a rate of %d: %d, want %d to %d", x.id, c.rate, got, c.least, c.most)
			}
		}
	}
}
