package producers

import (
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// Cached is how many batches are remembered for each producer: the five that a client may have in flight.
const Cached = 5

const (
	none          = -1
	noEpoch int16 = -1
)

// Batch is what is remembered of one batch.
type Batch struct {
	LastOffset  int64
	Timestamp   int64 // max timestamp, milliseconds
	LastSeq     int32
	OffsetDelta int32 // last offset - first offset
}

// FirstOffset is the offset of the batch's first record.
func (b Batch) FirstOffset() int64 { return b.LastOffset - int64(b.OffsetDelta) }

// firstSeq undoes records.AddSequence.
func (b Batch) firstSeq() int32 {
	d := b.LastSeq - b.OffsetDelta
	if d < 0 {
		d += 1<<31 - 1
		d++
	}
	return d
}

// Entry is the state of one producer. Batches[0:N] ascend by offset; 0 <= N <= Cached.
type Entry struct {
	ID               int64
	Batches          [Cached]Batch
	N                int8
	Epoch            int16
	CoordinatorEpoch int32
	TxnFirstOffset   int64      // currentTxnFirstOffset, -1: no open transaction
	LastTimestamp    int64      // of the last batch or marker
	Seen             clock.Wall // when it last appended here, or when it was loaded: expiry counts from it
	older, newer     *Entry     // the list from least to most recently seen
	earlier, later   *Entry     // the list of open transactions, by TxnFirstOffset
}

// last gives the newest batch, or false if only a marker or nothing is known.
func (e *Entry) last() (Batch, bool) {
	if e.N == 0 {
		return Batch{LastSeq: none, LastOffset: none}, false
	}
	return e.Batches[e.N-1], true
}

func (e *Entry) push(b Batch) {
	if int(e.N) == Cached {
		copy(e.Batches[:], e.Batches[1:])
		e.N--
	}
	if plant.On(plant.I5) {
		e.N = 0
	}
	e.Batches[e.N] = b
	e.N++
}

// Table is the producers of one partition. The zero value is empty and costs nothing.
type Table struct {
	Start          int64 // the log's start offset, kept by the log
	byID           map[int64]*Entry
	oldest, newest *Entry
	txns           txns
	verifying      map[int64]*verification
	asked          list.List[verification] // the same, by age
	guards         Guard                   // the last given out
}

// Len is the number of producers known.
func (t *Table) Len() int { return len(t.byID) }

// Undo is the state of one producer before an Update.
type Undo struct {
	entry Entry
	id    int64
	had   bool
	ended int64 // offset of the marker that ended a transaction, -1 none
}

// Update takes in a batch that the log has placed; its base offset is set. The Undo takes it back. A control batch must be whole; Ended is the transaction
// that it ended, if any did.
func (t *Table) Update(v records.View, now clock.Wall) (Undo, Ended, bool) {
	u := Undo{id: v.ProducerID(), ended: none}
	marker, isMarker := records.Marker{}, false
	if v.IsControl() {
		marker, isMarker = v.Marker()
	}
	if u.id < 0 || v.IsControl() && !isMarker {
		u.id = none
		return u, Ended{}, false
	}
	e := t.byID[u.id]
	if e != nil {
		u.entry, u.had = *e, true
	} else {
		e = t.insert(u.id)
	}
	if v.ProducerEpoch() != e.Epoch {
		if e.Epoch = v.ProducerEpoch(); !plant.On(plant.I2) {
			e.N = 0
		}
	}
	e.LastTimestamp = v.MaxTimestamp()
	t.touch(e, now)
	if v.IsTransactional() && len(t.verifying) > 0 {
		t.verified(u.id)
	}
	if isMarker {
		x, ok := t.mark(e, v, marker)
		if ok {
			u.ended = x.Last
		}
		return u, x, ok
	}
	if v.IsTransactional() && e.TxnFirstOffset < 0 {
		t.txns.begin(e, v.BaseOffset())
	}
	e.push(Batch{LastOffset: v.LastOffset(), Timestamp: v.MaxTimestamp(), LastSeq: v.LastSequence(), OffsetDelta: v.LastOffsetDelta()})
	return u, Ended{}, false
}

// Recall puts a batch that a loaded snapshot covers, and no longer names, before the last one of its producer. Those of one producer
// come in the order of the log.
func (t *Table) Recall(v records.View) {
	e := t.byID[v.ProducerID()]
	if v.ProducerID() < 0 || e == nil || v.IsControl() || v.ProducerEpoch() != e.Epoch {
		return
	}
	last, known := e.last()
	if !known || v.LastOffset() >= last.LastOffset {
		return
	}
	e.N--
	e.push(Batch{LastOffset: v.LastOffset(), Timestamp: v.MaxTimestamp(), LastSeq: v.LastSequence(), OffsetDelta: v.LastOffsetDelta()})
	e.push(last)
}

// Holds says whether what is known of a producer comes from this batch: it is one of the last, or the marker after which nothing has come. Kafka's
// cleaner asks the same of the last one (isBatchLastRecordOfProducer).
func (t *Table) Holds(v records.View) bool {
	e := t.byID[v.ProducerID()]
	if e == nil || v.ProducerID() < 0 || v.ProducerEpoch() != e.Epoch {
		return false
	}
	if v.IsControl() {
		return e.N == 0
	}
	for i := range e.N {
		if e.Batches[i].LastOffset == v.LastOffset() {
			return true
		}
	}
	return false
}

// Restore undoes an Update. Several are undone in reverse order. A producer that has expired since stays forgotten, unless its transaction is open again.
func (t *Table) Restore(u Undo) {
	e := t.byID[u.id]
	if u.ended >= 0 {
		t.txns.unmark(u.ended)
	}
	if e == nil && u.had && u.entry.TxnFirstOffset >= 0 {
		e = t.insert(u.id)
		e.Seen = u.entry.Seen
	}
	if u.id < 0 || e == nil {
		return
	}
	if e.TxnFirstOffset >= 0 {
		t.txns.end(e)
	}
	if !u.had {
		t.remove(e)
		return
	}
	older, newer := e.older, e.newer
	*e = u.entry
	e.older, e.newer, e.earlier, e.later = older, newer, nil, nil
	if e.TxnFirstOffset >= 0 {
		t.txns.begin(e, e.TxnFirstOffset)
	}
}

// Expire forgets producers that have not appended for expiryMS, but those with an open transaction, and gives their number.
func (t *Table) Expire(now clock.Wall, expiryMS int64) int {
	t.expireVerifications(now, expiryMS)
	n := 0
	for e := t.oldest; e != nil && int64(now-e.Seen) >= expiryMS; {
		sometimes.If(e.TxnFirstOffset >= 0, "producers: a producer would expire, and its transaction is open")
		next := e.newer
		if e.TxnFirstOffset < 0 || plant.On(plant.T3) {
			sometimes.Hit("producers: a producer expires")
			t.remove(e)
			n++
		}
		e = next
	}
	return n
}

// Reset forgets everything. A Guard that was given out before is worth nothing.
func (t *Table) Reset() { *t = Table{Start: t.Start, guards: t.guards} }

func (t *Table) insert(id int64) *Entry {
	if t.byID == nil {
		t.byID = make(map[int64]*Entry)
	}
	e := &Entry{ID: id, Epoch: noEpoch, CoordinatorEpoch: none, TxnFirstOffset: none, LastTimestamp: none}
	t.byID[id] = e
	t.link(e)
	return e
}

func (t *Table) remove(e *Entry) {
	t.unlink(e)
	delete(t.byID, e.ID)
}

func (t *Table) touch(e *Entry, now clock.Wall) {
	e.Seen = max(e.Seen, now)
	if t.newest != e {
		t.unlink(e)
		t.link(e)
	}
}

func (t *Table) link(e *Entry) {
	e.older, e.newer = t.newest, nil
	if t.newest != nil {
		t.newest.newer = e
	} else {
		t.oldest = e
	}
	t.newest = e
}

func (t *Table) unlink(e *Entry) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		t.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		t.newest = e.older
	}
	e.older, e.newer = nil, nil
}
