package fetcher

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

func TestAFollowerCatchesUpAndThenNamesOnlyWhatChanged(t *testing.T) {
	w := newWorld(t, 5, true)
	for _, k := range w.keys {
		w.append(k, 2)
	}
	w.addAll()
	w.trip()
	if n := len(w.last.Parts); n != 5 || w.last.SessionEpoch != 0 || w.last.MinBytes != 1 || w.last.MaxWaitMS != 0 {
		t.Fatalf("first request: %+v", w.last)
	}
	w.trip()
	if len(w.last.Parts) != 5 || w.last.SessionEpoch != 1 || w.last.Parts[0].FetchOffset != 2 || w.last.Parts[0].LastFetchedEpoch != 1 || w.last.MaxWaitMS != 500 {
		t.Fatalf("second request: %+v", w.last)
	}
	w.append(w.keys[3], 1)
	w.trip()
	w.trip()
	if len(w.last.Parts) != 1 || w.last.Parts[0].FetchOffset != 3 || w.last.SessionEpoch != 3 || len(w.last.Forgotten) != 0 {
		t.Fatalf("request after a record in one partition: %+v", w.last)
	}
	w.trip()
	if len(w.last.Parts) != 0 || !w.same() {
		t.Fatalf("request of an idle follower: %+v", w.last)
	}
}

func TestTheNextFetchLeavesWhenAllThatTheLastBroughtIsSynced(t *testing.T) {
	w := newWorld(t, 2, true)
	a, b := w.keys[0], w.keys[1]
	w.append(a, 1)
	w.append(b, 1)
	w.addAll()
	w.connect(true)
	w.serve()
	w.deliver(nil)
	if len(w.requests) != 0 {
		t.Fatal("a fetch before anything is synced")
	}
	w.settle(a)
	if len(w.requests) != 0 {
		t.Fatal("a fetch before all is synced")
	}
	w.settle(b)
	if len(w.requests) != 1 {
		t.Fatal("no fetch, though all is synced")
	}
	w.serve()
	if len(w.last.Parts) != 2 || w.last.Parts[0].FetchOffset != 1 || w.last.Parts[1].FetchOffset != 1 {
		t.Fatalf("%+v", w.last)
	}
}

func TestAFileThatSyncsSlowlyDoesNotHoldUpTheOthersForever(t *testing.T) {
	w := newWorld(t, 2, true)
	slow, quick := w.keys[0], w.keys[1]
	w.append(slow, 1)
	w.append(quick, 1)
	w.addAll()
	w.connect(true)
	w.serve()
	w.deliver(nil)
	w.settle(quick)
	w.pass(grace)
	if len(w.requests) != 1 {
		t.Fatal("no fetch after the grace")
	}
	w.serve()
	if len(w.last.Parts) != 1 || len(w.last.Forgotten) != 1 || w.last.Forgotten[0].Partition != slow.Number || w.last.MaxWaitMS != 10 {
		t.Fatalf("%+v", w.last)
	}
	w.settle(slow)
	w.deliver(nil)
	w.serve()
	if len(w.last.Parts) != 1 || w.last.Parts[0].Partition != slow.Number || w.last.Parts[0].FetchOffset != 1 || w.last.MaxWaitMS != 500 {
		t.Fatalf("%+v", w.last)
	}
}

func TestADivergingFollowerTruncatesAndGoesOn(t *testing.T) {
	w := newWorld(t, 1, true)
	k := w.keys[0]
	w.append(k, 1)
	w.addAll()
	w.trip()
	l, p := w.leaders[k], w.followers[k]
	l.cut(0)
	l.epoch = 2
	w.append(k, 1)
	w.append(k, 1)
	w.add(k)
	for range 10 {
		w.trip()
		w.pass(clock.Second)
	}
	if p.cuts != 1 || !w.same() {
		t.Fatalf("truncated %d times; %d of %d", p.cuts, p.end(), l.end())
	}
}

func TestAFollowerBelowTheLeadersStartBeginsThere(t *testing.T) {
	w := newWorld(t, 1, true)
	k := w.keys[0]
	for range 4 {
		w.append(k, 1)
	}
	w.leaders[k].trim(2)
	w.addAll()
	for range 4 {
		w.trip()
	}
	if p := w.followers[k]; p.ranges != 1 || p.start != 2 || !w.same() {
		t.Fatalf("%+v", p)
	}
}

func TestADamagedBatchIsRefusedThenFetchedAgainAfterAWhile(t *testing.T) {
	w := newWorld(t, 1, true)
	k := w.keys[0]
	w.append(k, 1)
	w.append(k, 1)
	w.addAll()
	w.connect(true)
	l, p := w.leaders[k], w.followers[k]
	damaged := func(i int) {
		w.serve()
		at := bytes.Index(w.answers[0], l.batches[i])
		w.deliver(func(b []byte) { b[at+records.HeaderSize] ^= 1 })
	}
	damaged(1)
	if p.end() != 1 || w.f.n[resting] != 0 || l.refused != nil {
		t.Fatalf("up to %d of 1; what stands before a damaged batch is taken, %v", p.end(), w.f.n)
	}
	p.settle()
	w.f.Ready(k)
	w.round()
	damaged(1)
	if w.f.n[resting] != 0 {
		t.Fatal("the leader is not told at once")
	}
	damaged(1)
	if p.end() != 1 || w.f.n[resting] != 1 || !slices.Equal(l.refused, []int64{1}) {
		t.Fatalf("up to %d, %v, refused %v", p.end(), w.f.n, l.refused)
	}
	w.pass(30 * clock.Millisecond)
	damaged(1)
	if w.f.n[resting] != 1 || !slices.Equal(l.refused, []int64{1, 1}) {
		t.Fatalf("%v, refused %v", w.f.n, l.refused)
	}
	w.pass(60 * clock.Millisecond)
	w.trip()
	p.settle()
	w.append(k, 1)
	w.f.Ready(k)
	w.round()
	w.trip()
	if !w.same() || !slices.Equal(l.refused, []int64{1, 1, 1}) {
		t.Fatalf("up to %d of %d; refused %v", p.end(), l.end(), l.refused)
	}
}

func TestAGapIsTakenOnceTheLeaderHasLookedAtItAndWhatStandsBeforeItAtOnce(t *testing.T) {
	for _, compact := range []bool{false, true} {
		w := newWorld(t, 1, false)
		k := w.keys[0]
		for range 4 {
			w.append(k, 1)
		}
		l, p := w.leaders[k], w.followers[k]
		l.compact, p.sparse = compact, compact
		l.batches = slices.Delete(l.batches, 1, 3)
		w.addAll()
		for range 3 {
			w.trip()
		}
		want, rest := int64(1), 1
		if compact {
			want, rest = 4, 0
		}
		if p.end() != want || w.f.n[resting] != rest || !slices.Equal(l.refused, []int64{1}) {
			t.Fatalf("compact %v: up to %d of %d; %v, refused %v", compact, p.end(), want, w.f.n, l.refused)
		}
	}
}

func TestErrorsOfOnePartitionLeaveTheOthersAlone(t *testing.T) {
	w := newWorld(t, 2, false)
	bad, good := w.keys[0], w.keys[1]
	w.leaders[bad].epoch = 0
	w.addAll()
	w.leaders[bad].epoch = 1
	w.followers[bad].refuse = kerr.KafkaStorageError
	w.append(bad, 1)
	w.append(good, 1)
	w.trip()
	for i := range 20 {
		w.append(good, 1)
		before := w.followers[good].end()
		w.trip()
		w.trip()
		if w.followers[good].end() == before {
			t.Fatalf("round %d: nothing came", i)
		}
		w.pass(100 * clock.Millisecond)
	}
	if w.f.n[stale] != 1 { // fenced: it was added in epoch 0
		t.Fatalf("%v", w.f.n)
	}
	w.add(bad)
	w.trip()
	w.trip()
	if w.f.n[resting] != 1 {
		t.Fatalf("%v", w.f.n)
	}
	w.followers[bad].refuse = kerr.None
	w.pass(clock.Second)
	w.trip()
	w.trip()
	if !w.same() {
		t.Fatal("not fetched again")
	}
}

func TestALeaderThatForgetsSessionsIsAskedForEverything(t *testing.T) {
	for _, none := range []bool{false, true} {
		w := newWorld(t, 3, true)
		w.noSession = none
		w.addAll()
		for range 10 {
			w.append(w.keys[0], 1)
			w.trip()
			clear(w.sessions)
			w.trip()
			w.trip()
			if !w.same() {
				t.Fatal("not the same")
			}
		}
	}
}

func TestALostLeaderIsAskedLessAndLess(t *testing.T) {
	w := newWorld(t, 1, true)
	w.addAll()
	for range 1000 {
		for len(w.dials) > 0 {
			w.connect(false)
		}
		w.pass(10 * clock.Millisecond)
	}
	w.dials = w.dials[:0]
	if w.f.failures < 8 || w.f.failures > 30 {
		t.Fatalf("%d tries in 10 s", w.f.failures)
	}
}

func TestARequestThatHangsIsGivenUpWhenAPartitionComesBack(t *testing.T) {
	w := newWorld(t, 1, true)
	w.addAll()
	w.connect(true)
	w.f.Remove(w.keys[0])
	w.pass(2 * clock.Second)
	w.add(w.keys[0])
	w.round()
	if !w.closing {
		t.Fatal("the connection stays")
	}
	w.append(w.keys[0], 1)
	w.pass(clock.Second)
	w.trip()
	w.trip()
	if !w.same() {
		t.Fatal("not fetched")
	}
}

func TestAClosedFetcherAsksNothing(t *testing.T) {
	w := newWorld(t, 3, true)
	w.addAll()
	w.connect(true)
	w.serve()
	w.f.Close()
	w.deliver(nil)
	w.pass(clock.Minute)
	if w.f.Len() != 0 || w.count != 1 || w.pool.InFlight() != 0 {
		t.Fatalf("%d partitions, %d requests, %d in flight", w.f.Len(), w.count, w.pool.InFlight())
	}
}

// A leader of which this broker has not heard yet may answer for the one that was asked (KAFKA-18723).
func TestBatchesOfALaterEpochAreLeftForALaterFetch(t *testing.T) {
	w := newWorld(t, 1, false)
	k := w.keys[0]
	w.append(k, 1)
	w.append(k, 1)
	records.View(w.leaders[k].batches[1]).SetLeaderEpoch(2)
	w.addAll()
	w.trip()
	if p := w.followers[k]; p.end() != 1 {
		t.Fatalf("%d records of 1", p.end())
	}
	w.trip()
	if p := w.followers[k]; p.end() != 1 || w.f.n[resting] != 1 {
		t.Fatalf("%d records of 1, %v", p.end(), w.f.n)
	}
	w.leaders[k].epoch = 2
	w.add(k)
	w.round()
	for range 3 {
		w.trip()
	}
	if !w.same() {
		t.Fatal("not fetched in the later epoch")
	}
}

func TestAPartitionThatComesBackIsNotForgotten(t *testing.T) {
	w := newWorld(t, 2, false)
	w.addAll()
	w.trip()
	w.f.Remove(w.keys[0])
	w.add(w.keys[0])
	w.trip()
	w.trip()
	if len(w.last.Forgotten) != 0 || len(w.last.Parts) != 1 { // Kafka's leaders forget after they have added
		t.Fatalf("%+v", w.last)
	}
	w.f.Rest(w.keys[0])
	w.trip()
	w.trip()
	if len(w.last.Forgotten) != 1 {
		t.Fatalf("%+v", w.last)
	}
}

func TestAPartitionThatComesDoesNotWaitForTheRecordsOfOthers(t *testing.T) {
	w := newWorld(t, 3, true)
	w.add(w.keys[0])
	w.round()
	w.trip()
	if len(w.requests) != 1 {
		t.Fatalf("%d requests wait at the leader, want 1", len(w.requests))
	}
	w.add(w.keys[1])
	w.add(w.keys[2])
	w.round()
	if len(w.requests) != 2 {
		t.Fatalf("%d requests are at the leader, want one that waits and one that overtakes it", len(w.requests))
	}
	w.f.Remove(w.keys[2])
	w.add(w.keys[2])
	w.round()
	if len(w.requests) != 2 {
		t.Fatal("a third request in flight")
	}
	w.serve()
	w.serve()
	if len(w.last.Parts) != 2 || w.last.SessionEpoch != 2 {
		t.Fatalf("%+v", w.last)
	}
	for _, k := range w.keys {
		w.append(k, 1)
	}
	for range 5 {
		for len(w.answers) > 0 {
			w.deliver(nil)
		}
		w.trip()
	}
	if !w.same() {
		t.Fatal("not the same")
	}
}

// Two answers may be on their way: what the first says of a partition that the second request names anew is of an earlier epoch.
func TestAnAnswerToAnEarlierRequestIsNotTakenForTheLater(t *testing.T) {
	w := newWorld(t, 2, false)
	k := w.keys[0]
	w.addAll()
	w.trip()
	w.append(k, 1)
	w.serve()
	l := w.leaders[k]
	l.cut(0)
	l.epoch = 3
	w.add(k)
	w.round()
	if len(w.requests) != 1 {
		t.Fatalf("%d requests", len(w.requests))
	}
	w.deliver(nil)
	if p := w.followers[k]; p.end() != 0 {
		t.Fatal("records of epoch 1 were taken in epoch 3")
	}
	w.append(k, 1)
	for range 3 {
		w.trip()
	}
	if !w.same() {
		t.Fatal("not the same")
	}
}

func TestNothingOvertakesARequestThatHasNotLeftOrBeginsASession(t *testing.T) {
	w := newWorld(t, 3, false)
	for i, k := range w.keys {
		w.add(k)
		w.round()
		if n := w.pool.InFlight(); n != 1 {
			t.Fatalf("%d requests after partition %d", n, i)
		}
		if i == 0 {
			continue
		}
		for len(w.dials) > 0 {
			w.connect(true)
		}
	}
	w.trip()
	w.trip()
	if len(w.last.Parts) != 2 || w.last.SessionEpoch != 1 {
		t.Fatalf("%+v", w.last)
	}
}

func TestALeaderWithoutRoomForASessionIsNotAskedWithoutEnd(t *testing.T) {
	w := newWorld(t, 1, false)
	w.noSession = true
	w.addAll()
	w.trip()
	w.trip()
	if w.last.SessionEpoch != 0 || w.last.MaxWaitMS != 500 {
		t.Fatalf("%+v", w.last)
	}
}

// Whatever is lost, late, closed or damaged on the way, the follower ends with the leader's bytes.
func TestAFollowerEndsWithTheLeadersBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 5).Draw(t, "parts"), rapid.Bool().Draw(t, "ack"))
		w.addAll()
		key := func() Key { return w.keys[rapid.IntRange(0, len(w.keys)-1).Draw(t, "part")] }
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			k := key()
			l := w.leaders[k]
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0, 1, 2:
				w.append(k, rapid.IntRange(1, 3).Draw(t, "n"))
			case 3: // another leads: what is not committed may be gone
				l.cut(rapid.Int64Range(l.hw, l.end()).Draw(t, "cut"))
				l.epoch++
			case 4:
				w.add(k)
				w.round()
			case 5:
				w.f.Remove(k)
				w.round()
			case 6:
				l.hw = max(l.hw, rapid.Int64Range(0, min(l.end(), w.followers[k].end())).Draw(t, "hw"))
				for _, b := range l.batches { // a high watermark stands between batches here
					if v := records.View(b); v.BaseOffset() < l.hw && v.NextOffset() > l.hw {
						l.hw = v.NextOffset()
					}
				}
				l.hw = min(l.hw, l.end())
			case 7:
				if len(l.batches) > 0 && records.View(l.batches[0]).NextOffset() <= l.hw {
					l.trim(records.View(l.batches[0]).NextOffset())
				}
			case 8:
				w.lose()
			case 9:
				clear(w.sessions)
			case 10, 11:
				if len(w.dials) > 0 {
					w.connect(rapid.IntRange(0, 2).Draw(t, "refused") > 0)
				}
			case 12, 13:
				if len(w.requests) > 0 {
					w.serve()
				}
			case 14, 15:
				if len(w.answers) > 0 {
					w.deliver(nil)
				}
			case 16:
				if len(w.answers) > 0 && len(w.answers[0]) > 5 { // a bit of the records, or of anything else
					at := rapid.IntRange(5, len(w.answers[0])-1).Draw(t, "at")
					if i := bytes.Index(w.answers[0], []byte(" in ")); i > 0 {
						w.deliver(func(b []byte) { b[i] ^= 1 })
					} else if at < 0 {
						w.deliver(nil)
					}
				}
			case 17:
				w.settle(k)
			case 18, 19:
				w.pass(clock.MS(rapid.Int64Range(1, 600).Draw(t, "ms")))
			}
		}
		for i := 0; i < 200; i++ {
			for _, k := range w.keys {
				w.add(k)
			}
			w.trip()
			w.pass(clock.Second / 2)
			if w.closing {
				w.lose()
			}
		}
		if !w.same() {
			for _, k := range w.keys {
				t.Logf("leader %d to %d in %d, follower %d to %d", w.leaders[k].start, w.leaders[k].end(), w.leaders[k].epoch, w.followers[k].start, w.followers[k].end())
			}
			t.Fatalf("not the same; states %v", w.f.n)
		}
		if w.e.Pool.Out != 0 {
			t.Fatalf("%d bytes are leased", w.e.Pool.Out)
		}
	})
}

func TestAnIdleFollowerOf3000PartitionsAllocatesNothing(t *testing.T) {
	w := newWorld(t, 3000, true)
	w.addAll()
	w.trip()
	w.trip()
	w.trip()
	if len(w.last.Parts) != 0 {
		t.Fatalf("%d partitions named", len(w.last.Parts))
	}
	w.serve()
	frame := w.answers[0]
	if len(frame) > 20 {
		t.Fatalf("an idle answer has %d bytes", len(frame))
	}
	w.answers = nil
	corr := binary.BigEndian.Uint32(frame)
	f := network.Frame{Conn: w.conn, Bytes: frame, Lease: w.e.Pool.Get(1)}
	if got := testing.AllocsPerRun(100, func() {
		w.pool.Frame(&f)
		w.e.FlushDirty()
		w.e.Out.Reset()
		corr++
		binary.BigEndian.PutUint32(frame, corr)
	}); got > 0 {
		t.Fatalf("%v allocations", got)
	}
	if w.f.epoch < 100 {
		t.Fatalf("only %d requests were answered", w.f.epoch)
	}
}

func TestAThrottledPartitionThatIsNotInSyncWaitsForItsRateAndTheOthersDoNot(t *testing.T) {
	w := newWorld(t, 2, false)
	moved, other := w.keys[0], w.keys[1]
	w.followers[moved].listed = true
	w.append(moved, 4)
	w.append(other, 1)
	w.f.Rate.SetRate(w.e.Now.Mono, 10) // bytes a second: a batch costs many seconds
	w.addAll()
	w.trip()
	w.append(moved, 4)
	w.append(other, 1)
	w.trip()
	if a, b := w.followers[moved].end(), w.followers[other].end(); a != 4 || b != 2 {
		t.Fatalf("the throttled one is at %d and the other at %d", a, b)
	}
	w.followers[moved].inSync = true
	w.pass(longestRest)
	w.trip()
	w.trip()
	if a := w.followers[moved].end(); a != 8 {
		t.Fatalf("it is in sync, and waits at %d", a)
	}
	w.followers[moved].inSync = false
	w.append(moved, 1)
	w.f.Rate.SetRate(w.e.Now.Mono, 1<<40)
	w.pass(longestRest)
	w.trip()
	w.trip()
	if !w.same() {
		t.Fatal("without a rate it does not catch up")
	}
}
