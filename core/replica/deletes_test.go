package replica

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
)

// delete3 is DeleteRecords.
type delete3 struct {
	c    *cluster
	to   int64
	done bool
}

func (d *delete3) Appended(_ int32, r Result) {
	if d.done {
		d.c.fatal("DeleteRecords answered twice")
	}
	if d.done = true; r.Code == kerr.None {
		if r.Base < d.to {
			d.c.fatal("DeleteRecords until %d answered with %d", d.to, r.Base)
		}
		d.c.deleted = max(d.c.deleted, r.Base)
	}
}

func (n *node) delete(to int64) {
	n.p.DeleteRecords(to, &delete3{c: n.c, to: to}, 0)
	n.flush()
}

func TestWhatIsToldDeletedComesBackWithNoLeader(t *testing.T) {
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t)
		leader := func() *node { return c.nodes[max(c.ctl.leader, 0)] }
		rounds := func(n int) {
			for range n {
				c.round(rapid.IntRange(0, 3).Draw(t, "learn") > 0)
				c.check()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"delete": func(t *rapid.T) {
				n := leader()
				n.append(AcksAll)
				rounds(rapid.IntRange(0, 4).Draw(t, "rounds"))
				if n.p != nil && n.p.Log != nil && n.p.IsLeader() {
					n.delete(max(0, n.p.HighWatermark()-int64(rapid.IntRange(0, 1).Draw(t, "less"))))
				}
				rounds(rapid.IntRange(0, 6).Draw(t, "rounds"))
			},
			"crash": func(t *rapid.T) { // mostly the leader
				n := leader()
				if rapid.IntRange(0, 2).Draw(t, "other") == 0 {
					n = c.nodes[rapid.IntRange(0, 2).Draw(t, "node")]
				}
				n.crash(c.ack)
				c.fence(n.id)
				rounds(rapid.IntRange(0, 4).Draw(t, "rounds"))
			},
			"recover": func(t *rapid.T) {
				for _, n := range c.nodes {
					if n.p == nil {
						n.boot()
					}
					for k := 0; k < 200 && n.p.Log == nil; k++ {
						n.work(0)
					}
					c.unfence(n.id)
				}
				rounds(rapid.IntRange(0, 6).Draw(t, "rounds"))
			},
			"learn": func(*rapid.T) {
				for _, n := range c.nodes {
					n.learn()
				}
			},
			"": func(*rapid.T) { c.check() },
		})
		c.heal()
		if c.deleted > 0 {
			told++
		}
	})
	if told == 0 {
		t.Fatal("nothing was ever told deleted")
	}
}

type deleted struct {
	count int
	r     Result
}

func (d *deleted) Appended(_ int32, r Result) { d.count, d.r = d.count+1, r }

func TestAReplicaJoinsTheISROnceItHasDeletedWhatDeleteRecordsWasAskedToDelete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.append(AcksAll, 1, -1, -1, nil)
		w.drain()
		for _, id := range []int32{1, 2} {
			w.p.Fetched(id, 7, 1, 0, w.e.Now.Mono)
		}
		w.p.Apply(State{Leader: 0, LeaderEpoch: 1, PartitionEpoch: 2, ISR: []int32{0, 1}, Replicas: []int32{0, 1, 2}, MinISR: 2,
			BrokerEpochs: func(id int32) (int64, bool) { return 7, id != 2 }}, w.e.Now.Mono)
		a := &deleted{}
		w.p.DeleteRecords(1, a, 0)
		w.round()
		w.p.SaveBegun()
		w.p.SaveDone()
		if a.count != 0 {
			t.Fatal("answered before the other member of the ISR has it")
		}
		w.p.Fetched(1, 7, 1, 1, w.e.Now.Mono)
		if a.count != 1 || a.r.Code != kerr.None || a.r.Base != 1 {
			t.Fatalf("answered %d times, %+v", a.count, a.r)
		}
		w.p.Apply(State{Leader: 0, LeaderEpoch: 1, PartitionEpoch: 3, ISR: []int32{0, 1}, Replicas: []int32{0, 1, 2}, MinISR: 2,
			BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
		w.p.Fetched(2, 7, 1, 0, w.e.Now.Mono)
		if len(w.proposals) != 0 {
			t.Fatal("a replica that would bring deleted records back joins the ISR")
		}
		w.p.Fetched(2, 7, 1, 1, w.e.Now.Mono)
		if len(w.proposals) != 1 {
			t.Fatal("a replica that has caught up and has deleted does not join the ISR")
		}
	})
}

func TestEverywhereIsKnownOnlyWhileAllAreInSync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, rapid.SampledFrom([]int32{0, 1}).Draw(t, "leader"))
		leads := w.p.IsLeader()
		if leads {
			w.append(AcksAll, 1, -1, -1, nil)
			w.drain()
			for _, id := range []int32{1, 2} {
				w.p.Fetched(id, 7, 1, 0, w.e.Now.Mono)
			}
		} else {
			w.p.LeaderKnows(1)
			w.p.LeaderKnows(-1)
		}
		isr := []int32{0, 1, 2}[:rapid.IntRange(2, 3).Draw(t, "in sync")]
		w.p.Apply(State{Leader: w.p.state.Leader, LeaderEpoch: 1, PartitionEpoch: 2, ISR: isr, Replicas: []int32{0, 1, 2}, MinISR: 2,
			BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
		w.round()
		w.drain()
		want := int64(0)
		if len(isr) == 3 {
			want = 1
		}
		if got := w.p.Everywhere(); got != want {
			t.Fatalf("leads %v, ISR %v: got %d, want %d", leads, isr, got, want)
		}
	})
}
