package replica

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/disk"
)

// transact appends a batch of a transaction, or ends one, at whoever thinks that it leads.
func (n *node) transact(end bool) {
	if n.p == nil || n.p.Log == nil || n.p.Offline() {
		return
	}
	n.e.Now.Mono = n.c.now
	n.c.next++
	id, epoch, seq := int64(n.c.next%3), int16(0), int32(0)
	for _, e := range n.p.Log.Producers().List() {
		if e.ID == id && e.N > 0 {
			seq = records.AddSequence(e.Batches[e.N-1].LastSeq, 1)
		}
	}
	a := &append3{c: n.c, acks: AcksAll, p: n.p}
	if end {
		x := EndTxn{ProducerID: id, ProducerEpoch: epoch, Commit: n.c.next%2 == 0}
		a.v = records.NewMarker(id, epoch, records.Marker{Commit: x.Commit}, int64(n.e.Now.Wall))
		n.p.AppendMarker(x, a, 0)
		n.flush()
		return
	}
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: id, BaseSequence: seq, Transactional: true})
	b.Add(nil, []byte("t"+strconv.Itoa(n.c.next)), 1_700_000_000_000)
	lease := n.e.Pool.Get(b.Size() + 100)
	v := records.View(lease.Bytes[:copy(lease.Bytes, b.Build())])
	a.v = append(records.View(nil), v...)
	g, code := n.p.Verify(v, false)
	if code == kerr.None {
		n.p.AppendVerified(v, lease, AcksAll, g, a, 0)
	}
	lease.Release()
	n.flush()
}

// stable compares the last stable offset with the batches that stand in a node's files: at most the first record of what is open, at least that of what is open or
// ends above the high watermark. What was deleted of a transaction may be known or not.
func (n *node) stable() {
	p, start := n.p, n.p.Log.Start()
	least, most := p.HighWatermark(), p.HighWatermark()
	open := map[int64][]int64{}
	for _, v := range n.batches() {
		id := v.ProducerID()
		switch {
		case v.IsControl():
			for _, o := range open[id] {
				if v.LastOffset() >= p.HighWatermark() {
					least = min(least, max(o, start))
				}
			}
			open[id] = nil
		case v.IsTransactional():
			open[id] = append(open[id], v.BaseOffset())
		}
	}
	if o, ok := p.Log.Producers().FirstUnstable(); ok && o < start {
		least = start
	}
	for id := int64(0); id < 3; id++ {
		for _, o := range open[id] {
			least = min(least, max(o, start))
			if o >= start {
				most = min(most, o)
			}
		}
	}
	if got := p.LastStable(); got < least || got > most || got > p.HighWatermark() || got < start {
		n.c.fatal("node %d says stable to %d, its log says %d to %d; high watermark %d, log %d to %d", n.id, got, least, most, p.HighWatermark(), start, p.Log.End())
	}
}

func TestTheLastStableOffsetWaitsForMarkersBelowTheHighWatermark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		answer := func() *appended {
			w.appends = append(w.appends, &appended{w: w, acks: AcksAll, n: 1, base: -1})
			return w.appends[len(w.appends)-1]
		}
		work := func() {
			for range 50 {
				w.e.Now.Mono += 1e9
				w.round()
				if len(w.disk) > 0 {
					w.complete(0, disk.OK)
				}
			}
		}
		add := func(seq int32) {
			b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: 7, BaseSequence: seq, Transactional: true})
			b.Add(nil, []byte("v"), int64(w.e.Now.Wall))
			v := append(records.View(nil), b.Build()...)
			g, _ := w.p.Verify(v, false)
			w.p.AppendVerified(v, nil, AcksAll, g, answer(), int32(len(w.appends)-1))
		}
		w.append(AcksAll, 2, -1, -1, nil)
		add(0)
		w.append(AcksAll, 1, -1, -1, nil)
		work()
		want := func(stable, hw int64) {
			t.Helper()
			if w.p.LastStable() != stable || w.p.HighWatermark() != hw {
				t.Fatalf("stable to %d of %d, want %d of %d", w.p.LastStable(), w.p.HighWatermark(), stable, hw)
			}
		}
		want(2, 4)
		var k fires
		k.w = Watch{Owner: &k, Need: 1, Stable: true}
		k.w.Add(w.p)
		w.append(AcksAll, 1, -1, -1, nil)
		work()
		if want(2, 5); k.n != 0 {
			t.Fatal("a watch of what is stable is told of what is not")
		}
		w.p.AppendMarker(EndTxn{ProducerID: 7, Commit: true}, answer(), int32(len(w.appends)-1))
		w.round()
		want(2, 5) // the marker is not replicated
		work()
		if want(6, 6); k.n != 1 {
			t.Fatalf("a watch of what is stable is told %d times", k.n)
		}
	})
}

type fires struct {
	w Watch
	n int
}

func (f *fires) Fired(*Watch) { f.n++ }
