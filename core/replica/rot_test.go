package replica

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/records"
)

// wipe gives a broker a new disk, with which it is in neither ISR nor ELR.
func (n *node) wipe(seed uint64) {
	n.crash(false)
	n.c.fence(n.id)
	n.c.ctl.elr = slices.DeleteFunc(n.c.ctl.elr, func(id int32) bool { return id == n.id })
	n.disk = memdisk.New(seed)
	n.point, n.start, n.hw, n.refused = 0, 0, 0, -1
	n.boot()
}

// rot damages a batch of a broker's log, and gives its offset.
func (n *node) rot(t *rapid.T) int64 {
	type place struct {
		file []byte
		pos  int
	}
	var places []place
	for _, name := range n.disk.Names("d/t-0") {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		file := n.disk.Bytes("d/t-0/" + name)
		for rest := file; len(rest) > 0; {
			v, more, ok := records.Split(rest)
			if !ok {
				break
			}
			if v.NextOffset() > n.p.Log.Start() {
				places = append(places, place{file, len(file) - len(rest)})
			}
			rest = more
		}
	}
	x := rapid.SampledFrom(places).Draw(t, "batch")
	v, _, _ := records.Split(x.file[x.pos:])
	base := v.BaseOffset()
	if rapid.Bool().Draw(t, "hole") {
		clear(v)
	} else {
		v[rapid.IntRange(17, len(v)-1).Draw(t, "byte")] ^= 1
	}
	return base
}

func TestWhatRotsAtALeaderIsFetchedFromAnotherThatIsInSync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t)
		for range rapid.IntRange(3, 25).Draw(t, "appends") {
			for range 8 {
				c.round(true)
			}
			if c.ctl.leader >= 0 {
				c.nodes[c.ctl.leader].append(AcksAll)
			}
		}
		c.heal()
		l := c.nodes[c.ctl.leader]
		if len(l.batches()) == 0 {
			return
		}
		c.nodes[(l.id+int32(rapid.IntRange(1, 2).Draw(t, "wiped")))%3].wipe(5)
		at := l.rot(t)
		c.heal()
		if c.ctl.leader == l.id {
			t.Fatalf("node %d still leads with a log that is damaged at %d", l.id, at)
		}
		for _, n := range c.nodes {
			for _, v := range n.batches() {
				if v.ComputeCRC() != v.CRC() {
					t.Fatalf("node %d: the batch at %d is not whole", n.id, v.BaseOffset())
				}
			}
		}
	})
}

func TestALeaderThatIsAloneInSyncKeepsItsPlaceWithADamagedLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.p.Apply(State{Leader: 0, LeaderEpoch: 2, PartitionEpoch: 2, ISR: []int32{0}, Replicas: []int32{0, 1, 2}, MinISR: 1,
			BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
		w.append(AcksAll, 3, -1, -1, nil)
		w.drain()
		if w.p.damaged(1); len(w.proposals) != 0 || !w.p.IsLeader() {
			t.Fatalf("%v", w.proposals)
		}
		if w.p.rot.disputed = 1; !w.p.Withholds(1) || w.p.Withholds(2) {
			t.Fatal("what is known to be damaged is sent to who has refused it")
		}
		w.p.Apply(State{Leader: 0, LeaderEpoch: 2, PartitionEpoch: 3, ISR: []int32{0, 2}, Replicas: []int32{0, 1, 2}, MinISR: 1,
			BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
		w.p.Refused(1)
		if len(w.proposals) != 1 || !w.proposals[0].Damaged || len(w.proposals[0].ISR) != 1 || w.proposals[0].ISR[0].Node != 2 {
			t.Fatalf("%+v", w.proposals)
		}
		w.p.Altered(kerr.NewLeaderElected, nil)
		w.p.Refused(1)
		if len(w.proposals) != 1 {
			t.Fatal("asked again, though it was done")
		}
	})
}

func TestAMemberOfTheISRThatHasLostWhatIsCommittedLeavesItAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.append(AcksAll, 3, -1, -1, nil)
		w.drain()
		for _, id := range []int32{1, 2} {
			w.p.Fetched(id, 7, 3, 0, w.e.Now.Mono)
		}
		if w.p.HighWatermark() != 3 || len(w.proposals) != 0 {
			t.Fatalf("high watermark %d, %v", w.p.HighWatermark(), w.proposals)
		}
		w.p.Fetched(1, 7, 2, 0, w.e.Now.Mono)
		if len(w.proposals) != 1 || w.proposals[0].Damaged || len(w.proposals[0].ISR) != 2 || w.proposals[0].ISR[0].Node != 0 || w.proposals[0].ISR[1].Node != 2 {
			t.Fatalf("%+v", w.proposals)
		}
	})
}

// What a leader was looking for is found when it is a follower, and nobody counts on it any more: it stops fetching before it is cut.
func TestWhoeverFetchesAFollowerIsToldThatItsDamagedLogIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		w.p.FetchPoint()
		if c := w.p.Received(append(w.batch(0, 1), w.batch(1, 1)...), nil, 0, 0, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.drain()
		if _, _, _, ready := w.p.FetchPoint(); !ready {
			t.Fatal("it is not ready")
		}
		w.p.rot.at, w.readied = 1, 0
		w.p.Apply(State{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 2, ISR: []int32{1, 2}, Replicas: []int32{0, 1, 2}, MinISR: 2,
			BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
		if _, _, _, ready := w.p.FetchPoint(); ready || w.readied == 0 {
			t.Fatalf("cut: %v, told %d times", !ready, w.readied)
		}
	})
}
