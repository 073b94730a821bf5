//go:build mutants

package controller

import (
	"testing"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A mutant that changes nothing would be a mutant that nobody can find: here each of this package's sites shows its bug.
func TestEachMutantDoesWhatItsBugDid(t *testing.T) {
	plainCrash := func(c *cluster) *metadata.Partition {
		c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
		c.kill(3)
		c.register(2, -1) // alive: refused
		c.kill(2)
		c.register(2, -1) // unclean: in no list
		c.crash(1, false)
		c.beat(1, nil)
		return c.part("a")
	}
	for id, bug := range map[plant.ID]func(c *cluster) bool{
		plant.R10: func(c *cluster) bool { p := plainCrash(c); return p.Leader == 1 && !p.Recovering },
		plant.R11: func(c *cluster) bool { p := plainCrash(c); return p.Leader == 1 && !p.Recovering },
		plant.R15: func(c *cluster) bool {
			c.topic("a", []int32{1, 2})
			w := &waiter{}
			c.m.Submit(c.alteration("a", 1), w)
			c.store.Committed(c.img().Index()+1, c.q.term+1, c.q.entry, c.q.token)
			c.q.entry = nil
			return w.resp.(*kmsg.AlterPartitionResponse).ErrorCode == 0
		},
		plant.R16: func(c *cluster) bool {
			c.topic("a", []int32{1, 2})
			w := &waiter{}
			c.m.Submit(c.alteration("a", 1, 2, 3), w)
			return len(c.q.entry) > 0
		},
		plant.M2: func(c *cluster) bool {
			c.m.PeerReset(2)
			return len(c.q.entry) > 0
		},
	} {
		for _, on := range []bool{false, true} {
			plant.Active, plant.Hits = plant.None, 0
			if on {
				plant.Active = id
			}
			c := newCluster(t, 3)
			if bug(c) != on {
				t.Errorf("%s active %v: the bug shows %v", plant.Names[id], on, !on)
			}
			if on && plant.Hits == 0 {
				t.Errorf("%s: its site was not reached", plant.Names[id])
			}
		}
	}
	plant.Active = plant.None
}
