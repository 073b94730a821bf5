package broker

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/stats"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
)

// tabled has segments of some ten batches of 1,000 bytes.
var tabled = []string{"cleanup.policy=compact", "internal.segment.bytes=10000", "retention.ms=-1"}

// put writes one record of 1,000 bytes under a key.
func (n *node) put(c *client, topic, key string) {
	n.t.Helper()
	b := records.NewBuilder(records.Options{})
	b.Add([]byte(key), bytes.Repeat([]byte("v"), 1000), int64(n.now.Wall))
	if p := c.ask(produceTo(topic, 0, -1, b.Build())).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		n.t.Fatalf("produce: code %d", p.ErrorCode)
	}
}

func (n *node) cleaner() stats.Cleaner { return n.shards[0].s.cleanerStats() }

func TestWhatTheCleanerDidAndCannotDoIsTold(t *testing.T) {
	d := newMemDisk()
	d.free = 1 << 30
	n := bootNode(t, d, 1, "disk.reserve.bytes=0", "log.cleaner.dedupe.buffer.size=1048576")
	c := n.connect(0)
	n.mustCreate(c, "t", 1, append(tabled, "min.cleanable.dirty.ratio=0.5")...)
	n.mustCreate(c, "never", 1, append(tabled, "min.cleanable.dirty.ratio=1")...)
	for range 25 {
		n.put(c, "t", "k")
		n.put(c, "never", "k")
	}
	d.free = 1
	n.wait(16 * clock.Second)
	if x := n.cleaner(); x.Cleans != 0 || x.Failures != 1 || x.Uncleanable != 1 || x.UncleanableBytes < 15_000 || x.MaxDirtyPPM != 1_000_000 {
		t.Errorf("without room: %+v", x)
	}
	d.free = 1 << 30
	n.wait(80 * clock.Second)
	x := n.cleaner()
	if x.Cleans != 1 || x.Failures != 1 || x.Uncleanable != 0 || x.UncleanableBytes != 0 {
		t.Errorf("with room: %+v", x)
	}
	if x.LastBefore < 15_000 || x.LastAfter > 1500 || x.RemovedBytes != x.LastBefore-x.LastAfter || x.ReadBytes < x.LastBefore || x.LastMapPPM <= 0 || x.LastMapPPM > 1000 {
		t.Errorf("the clean: %+v", x)
	}
	if x.MaxDirtyPPM != 1_000_000 || x.MaxOverdueMS != 0 || x.SinceRunNS > int64(16*clock.Second) {
		t.Errorf("then: %+v", x)
	}
}

func TestMaxCompactionLagIsKeptAcrossARestart(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1, append(tabled, "min.cleanable.dirty.ratio=1", "max.compaction.lag.ms=60000")...)
	n.put(c, "t", "k")
	n.wait(50 * clock.Second)
	for range 20 {
		n.put(c, "t", "k")
	}
	n.shards[0].step(step.Event{Kind: step.Stop})
	n.wait(clock.Second)
	if x := n.cleaner(); x.Cleans != 0 || !n.stopped() {
		t.Fatalf("too early, or not stopped: %+v", x)
	}
	again := newNode(t, n.disk, 1)
	again.now.Wall = n.now.Wall
	again.start()
	again.wait(31 * clock.Second) // two rounds of the cleaner: the first record is 82 s old, the last of its segment 32 s
	if x := again.cleaner(); x.Cleans != 1 {
		t.Errorf("the first record is %d ms old: %+v", int64(again.now.Wall)-1_700_000_000_000, x)
	}
}
