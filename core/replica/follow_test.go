package replica

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// inGroup gives a world whose partition has the given role in a group of three, under flush.policy=ack.
func inGroup(t *rapid.T, leader int32) *world {
	w := &world{t: t, flush: true}
	w.open()
	w.apply(leader, 1)
	w.drain()
	return w
}

func (w *world) apply(leader, epoch int32) {
	w.p.Apply(State{Leader: leader, LeaderEpoch: epoch, PartitionEpoch: epoch, ISR: []int32{0, 1, 2}, Replicas: []int32{0, 1, 2}, MinISR: 2,
		BrokerEpochs: func(int32) (int64, bool) { return 7, true }}, w.e.Now.Mono)
	w.round()
}

func (w *world) drain() {
	for len(w.disk) > 0 {
		w.complete(0, disk.OK)
	}
}

// find completes the first request of a kind.
func (w *world) find(kind disk.Kind) {
	for i, r := range w.disk {
		if r.Kind == kind {
			w.complete(i, disk.OK)
			return
		}
	}
	w.t.Fatalf("no request of kind %d among %d", kind, len(w.disk))
}

type waker struct{ fired int }

func (k *waker) Fired(*Watch) { k.fired++ }

func TestARecordOnAnIdlePartitionIsFetchedWhileTheLeaderSyncsAndAnsweredAtTheNextFetch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.append(AcksAll, 1, -1, -1, nil) // the first one makes the log's names durable
		w.drain()
		for _, id := range []int32{1, 2} {
			w.p.Fetched(id, 7, 1, 0, w.e.Now.Mono)
		}
		k := &waker{}
		watch := &Watch{Owner: k, Need: 1, Replica: true}
		watch.Add(w.p)
		w.append(AcksAll, 1, -1, -1, nil)
		a := w.appends[1]
		w.find(disk.Write)
		if k.fired != 1 || w.p.Log.SyncedEnd() != 1 || w.p.ReadableEnd(true) != 2 || w.p.ReadableEnd(false) != 1 {
			t.Fatalf("replicas are not woken by the write: fired %d, synced %d", k.fired, w.p.Log.SyncedEnd())
		}
		leaderFirst := rapid.Bool().Draw(t, "the leader's sync is faster")
		if leaderFirst {
			w.find(disk.Sync)
		}
		for _, id := range []int32{1, 2} { // their next fetches, once they have synced
			if a.count != 0 {
				t.Fatal("answered before every member has it")
			}
			if c := w.p.Fetched(id, 7, 2, 0, w.e.Now.Mono); c != kerr.None {
				t.Fatal(c)
			}
		}
		if !leaderFirst {
			if a.count != 0 {
				t.Fatal("answered before the leader has synced")
			}
			w.find(disk.Sync)
		}
		if a.count != 1 || a.r.Code != kerr.None {
			t.Fatalf("answered %d times", a.count)
		}
	})
}

func TestAFollowerIsReadyOnceWhatItTookIsSyncedAndRefusesAnswersToOlderRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		at, last, _, ready := w.p.FetchPoint()
		if at != 0 || last != -1 || !ready {
			t.Fatalf("begins at %d of epoch %d, ready %v", at, last, ready)
		}
		if c := w.p.Received(w.batch(0, 1), nil, 1, 0, 0); c != kerr.FencedLeaderEpoch {
			t.Fatalf("an answer of another epoch: %s", c)
		}
		w.readied = 0
		lease := w.e.Pool.Get(1000)
		b := lease.Bytes[:copy(lease.Bytes, append(w.batch(0, 1), w.batch(5, 1)...))]
		if c := w.p.Received(b, lease, 6, 0, 1); c != kerr.None {
			t.Fatal(c)
		}
		lease.Release()
		if c := w.p.Received(b, nil, 6, 0, 1); c != kerr.FencedLeaderEpoch {
			t.Fatalf("the same answer again: %s", c)
		}
		for range 100 {
			w.round()
			_, _, _, ready := w.p.FetchPoint()
			if synced := w.p.Log.SyncedEnd() == 6; ready != synced || ready != (w.readied > 0) {
				t.Fatalf("ready %v, told %d times, synced to %d", ready, w.readied, w.p.Log.SyncedEnd())
			}
			if w.p.HighWatermark() > w.p.Log.SyncedEnd() {
				t.Fatal("the high watermark is beyond what is synced")
			}
			if len(w.disk) == 0 {
				break
			}
			w.complete(0, disk.OK)
		}
		if w.p.HighWatermark() != 6 || w.p.Log.End() != 6 {
			t.Fatalf("ends at %d, high watermark %d", w.p.Log.End(), w.p.HighWatermark())
		}
		if at, last, _, _ := w.p.FetchPoint(); at != 6 || last != 1 {
			t.Fatalf("goes on at %d of epoch %d", at, last)
		}
		for _, bad := range [][]byte{w.batch(6, 2), w.batch(6, 0), append(w.batch(6, 1), w.batch(6, 1)[:40]...)[:0], w.batch(1<<62+1, 1)} {
			if c := w.p.Received(bad, nil, 6, 0, 1); (c == kerr.None) != (len(bad) == 0) {
				t.Fatalf("a batch that cannot follow: %s", c)
			}
		}
	})
}

// batch is one of a leader.
func (w *world) batch(base int64, epoch int32) []byte {
	b := records.NewBuilder(records.Options{})
	b.Add(nil, []byte("v"), 1)
	v := append(records.View(nil), b.Build()...)
	v.SetBaseOffset(base)
	v.SetLeaderEpoch(epoch)
	return v
}

// KAFKA-6975: the leader's log start was moved into a batch, and a follower begins there. Or it ends there, with batches of an earlier epoch of
// which the leader has forgotten where the epoch ended: they are deleted like the rest.
func TestAFollowerThatBeginsWithinABatchOfTheLeaderTakesAllOfIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		w.p.FetchPoint()
		if rapid.Bool().Draw(t, "empty") {
			if c := w.p.OutOfRange(5, 9, 1); c != kerr.None {
				t.Fatal(c)
			}
		} else {
			var old []byte
			for o := range int64(5) {
				old = append(old, w.batch(o, 0)...)
			}
			if c := w.p.Received(old, nil, 2, 0, 1); c != kerr.None {
				t.Fatal(c)
			}
		}
		w.round()
		w.drain()
		if at, _, _, ready := w.p.FetchPoint(); at != 5 || !ready {
			t.Fatalf("begins at %d, ready %v", at, ready)
		}
		b := records.NewBuilder(records.Options{})
		for range 4 {
			b.Add(nil, []byte("v"), 1)
		}
		v := append(records.View(nil), b.Build()...)
		v.SetBaseOffset(3)
		v.SetLeaderEpoch(1)
		if c := w.p.Received(v, nil, 7, 5, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.drain()
		if at, _, _, ready := w.p.FetchPoint(); at != 7 || !ready {
			t.Fatalf("goes on at %d, ready %v", at, ready)
		}
		if c := w.p.Received(nil, nil, 7, 5, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.drain()
		if s, hw := w.p.Log.Start(), w.p.HighWatermark(); s != 5 || hw != 7 {
			t.Fatalf("log starts at %d, high watermark %d", s, hw)
		}
	})
}

func TestAFollowerWhoseDiskIsFullFetchesAgainAfterAWhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		w.p.FetchPoint()
		if c := w.p.Received(w.batch(0, 1), nil, 1, 0, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.complete(0, disk.ErrNoSpace)
		w.drain()
		if _, _, _, ready := w.p.FetchPoint(); ready || w.p.Log.End() != 0 {
			t.Fatalf("ready %v, ends at %d", ready, w.p.Log.End())
		}
		w.readied = 0
		w.e.Now.Mono += clock.Time(2 * clock.Second)
		w.round()
		if at, _, _, ready := w.p.FetchPoint(); !ready || at != 0 || w.readied != 1 {
			t.Fatalf("at %d, ready %v, told %d times", at, ready, w.readied)
		}
	})
}

func TestOldAndEqualStatesChangeNothingAndALeaderThatStaysKeepsItsWaiters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.apply(0, 3)
		w.append(AcksAll, 1, -1, -1, nil)
		w.drain()
		w.apply(1, 2)
		if !w.p.IsLeader() || w.p.LeaderEpoch != 3 {
			t.Fatal("an older state was applied")
		}
		w.apply(0, 4)
		if w.appends[0].count != 0 {
			t.Fatalf("a leader in a new epoch has answered %v", w.appends[0].r)
		}
		w.apply(2, 5)
		if w.appends[0].count != 1 || w.appends[0].r.Code != kerr.NotLeaderForPartition {
			t.Fatalf("a follower has answered %d times, %v", w.appends[0].count, w.appends[0].r)
		}
	})
}

// A proposal whose answer says nothing of what became of it is sent once more as it was: by then a member may have come back without its tail, and
// the controller tells by the broker epoch that it is another life of it which had caught up (KIP-903).
func TestAProposalThatIsRepeatedNamesTheLifeThatHadCaughtUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		epoch := int64(7)
		w.p.Apply(State{Leader: 0, LeaderEpoch: 2, PartitionEpoch: 2, ISR: []int32{0, 1}, Replicas: []int32{0, 1, 2}, MinISR: 1,
			BrokerEpochs: func(node int32) (int64, bool) {
				if node == 2 {
					return epoch, true
				}
				return 7, true
			}}, w.e.Now.Mono)
		w.append(AcksAll, 1, -1, -1, nil)
		w.drain()
		w.p.Fetched(1, 7, 1, 0, w.e.Now.Mono)
		w.p.Fetched(2, 7, 1, 0, w.e.Now.Mono)
		if len(w.proposals) != 1 {
			t.Fatalf("%d proposals", len(w.proposals))
		}
		w.p.Altered(kerr.RequestTimedOut, nil)
		epoch = 9
		w.p.Fetched(2, 9, 0, 0, w.e.Now.Mono)
		if len(w.proposals) != 2 {
			t.Fatalf("%d proposals", len(w.proposals))
		}
		for _, m := range w.proposals[1].ISR {
			if m.Node == 2 && m.Epoch != 7 {
				t.Fatalf("the life of epoch %d has not caught up", m.Epoch)
			}
		}
	})
}

func TestWhatFollowersAndLeadersDoForEachFetchAllocatesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		w.append(AcksLeader, 1, -1, -1, nil)
		w.drain()
		if n := testing.AllocsPerRun(100, func() {
			w.p.Fetched(1, 7, 1, 0, w.e.Now.Mono)
			w.p.Diverges(1, 1)
		}); n > 0 {
			t.Fatalf("%v allocations a fetch at the leader", n)
		}
		f := inGroup(t, 1)
		var lease *buf.Lease
		b := f.batch(0, 1)
		if n := testing.AllocsPerRun(100, func() {
			f.p.FetchPoint()
			f.p.acceptable(b)
			f.p.Received(nil, lease, 0, 0, 1)
		}); n > 0 {
			t.Fatalf("%v allocations an answer at the follower", n)
		}
	})
}

// While its log is cut a replica fetches from nobody, so the one who led before must not be asked for it any more.
func TestANewLeaderDuringATruncationEndsTheFetchingFromTheOldOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		for at := range int64(3) {
			w.p.FetchPoint()
			if c := w.p.Received(w.batch(at, 1), nil, 0, 0, 1); c != kerr.None {
				t.Fatal(c)
			}
			w.round()
			w.drain()
		}
		w.p.FetchPoint()
		if !w.fetches || w.leader != 1 {
			t.Fatalf("fetches %v from %d", w.fetches, w.leader)
		}
		if c := w.p.Truncate(1, 2, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.apply(2, 2)
		if !w.p.Truncating() || w.fetches {
			t.Fatalf("truncating %v, fetches %v", w.p.Truncating(), w.fetches)
		}
	})
}

func TestAFollowerWhoseEndLiesWithinAFillerOfTheLeaderTakesTheRestOfIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		w.p.FetchPoint()
		if c := w.p.Received(w.batch(0, 1), nil, 1, 0, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		w.drain()
		w.p.FetchPoint()
		if c := w.p.Received(append(records.AppendFiller(nil, 0, 4, 1), w.batch(5, 1)...), nil, 6, 0, 1); c != kerr.None {
			t.Fatalf("a filler from 0 to 4 at 1: %s", c)
		}
		w.round()
		w.drain()
		if at, last, _, ready := w.p.FetchPoint(); at != 6 || last != 1 || !ready {
			t.Fatalf("goes on at %d of epoch %d, ready %v", at, last, ready)
		}
	})
}

func TestALeaderThatHasTakenNothingHoldsNothingOfItsEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 0)
		if epoch, end := w.p.Held(); epoch != -1 || end != 0 {
			t.Fatalf("an empty log is said to hold epoch %d to %d", epoch, end)
		}
		w.append(AcksAll, 1, -1, -1, nil)
		w.drain()
		if epoch, end := w.p.Held(); epoch != 1 || end != 1 {
			t.Fatalf("a record of epoch 1 is said to be of %d, to %d", epoch, end)
		}
	})
}

// The broker is stopped while a full disk keeps a follower from becoming empty: what its checkpoints say is of the log as it stands.
func TestAFollowerThatStopsBeforeItIsCutKeepsAHighWatermarkWithinItsLog(t *testing.T) {
	abandoned := 0
	rapid.Check(t, func(t *rapid.T) {
		w := inGroup(t, 1)
		w.p.FetchPoint()
		if c := w.p.Received(append(w.batch(0, 0), w.batch(1, 1)...), nil, 1, 0, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		for _, _, _, ready := w.p.FetchPoint(); !ready; _, _, _, ready = w.p.FetchPoint() {
			w.complete(rapid.IntRange(0, len(w.disk)-1).Draw(t, "done"), disk.OK)
		}
		if c := w.p.OutOfRange(5, 9, 1); c != kerr.None {
			t.Fatal(c)
		}
		w.round()
		for full := rapid.Bool().Draw(t, "the disk is full"); full && len(w.disk) > 0; {
			w.complete(0, disk.ErrNoSpace)
		}
		closed := false
		w.p.Close(kerr.NotLeaderForPartition)
		task.Go(w.e, func(t *task.Task) {
			w.p.Log.Close(t, true)
			closed = true
		})
		for w.round(); !closed; w.round() {
			if len(w.disk) > 0 {
				w.complete(rapid.IntRange(0, len(w.disk)-1).Draw(t, "done"), disk.OK)
			}
			w.e.Now.Mono += clock.Time(10 * clock.Millisecond)
		}
		if end, hw := w.p.Log.End(), w.p.HighWatermark(); hw > end || end == 5 && hw != 5 {
			t.Fatalf("high watermark %d, log end %d", hw, end)
		}
		if w.p.Log.End() != 5 {
			abandoned++
		}
	})
	if abandoned == 0 {
		t.Fatal("the log became empty each time before it was closed")
	}
}
