package oracle

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// transactions: what read_committed readers take is what transactions committed, whole, once, and in order; of an aborted one nothing (G1a, G1b, torn transactions, lost
// writes). Clients of transaction.version 2 are judged absolutely.
//
//	Txn: invoke ──▶ undecided ── ok ──▶ committed;  fail ──▶ aborted;  info ──▶ either, but the same everywhere
type transactions struct {
	quiet
	g      *ghosts
	of     map[string]*written // by value
	all    []*written
	byID   map[string][]*written  // by transactional id, in the order in which they began
	open   map[int32]*written     // by process
	seen   map[string]bool        // values that some reader took
	lasts  map[int32]*lastReading // by reader
	topics map[string]bool        // of transactions
	loose  map[string]bool        // topics of which records may be gone
	gone   map[string]bool        // topics that were deleted
	lossy  bool                   // what coordinators knew may be gone
}

// lastReading is what one reader found when it read all of it once more.
type lastReading struct {
	at    map[string]map[string]int64 // by key and value: where it was found
	since clock.Time                  // what ended later need not be there: a request that was late may have brought more to copy
	whole map[string]bool             // keys that were read to their end
}

// written is one transaction.
type written struct {
	id      string // transactional id, and when it began
	txn     string // transactional id
	n       int    // its number among those
	keys    []string
	values  map[string][]string // by key, in the order in which they were sent
	outcome history.Type        // Invoke: not known yet
	ended   clock.Time          // when the outcome was known
}

const transactionState = "__transaction_state"

func (x *transactions) Name() string { return "txn:committed" }

// Due implements Due: a committed transaction of which nothing may be gone, and a last reading of its partitions.
func (x *transactions) Due() bool {
	for _, w := range x.all {
		if w.outcome == history.OK && slices.ContainsFunc(x.lastReadings(), func(r *lastReading) bool { return x.reads(r, w) }) {
			return true
		}
	}
	return false
}

// reads says whether a last reading is of every partition of a transaction that had ended before, and none of them is excused.
func (x *transactions) reads(r *lastReading, w *written) bool {
	if w.outcome == history.Invoke || w.ended > r.since {
		return false
	}
	for _, k := range w.keys {
		if r.at[k] == nil || x.excused(k) {
			return false
		}
	}
	return true
}

// late says that a value is of a transaction that had not ended before a last reading began.
func (x *transactions) late(r *lastReading, value string) bool {
	w := x.of[value]
	return w == nil || w.outcome == history.Invoke || w.ended > r.since
}

// lastReadings gives those of all readers, by reader.
func (x *transactions) lastReadings() (all []*lastReading) {
	readers := make([]int, 0, len(x.lasts))
	for r := range x.lasts {
		readers = append(readers, int(r))
	}
	sort.Ints(readers)
	for _, r := range readers {
		all = append(all, x.lasts[int32(r)])
	}
	return all
}

func (x *transactions) init() {
	if x.of == nil {
		x.of, x.open, x.seen = map[string]*written{}, map[int32]*written{}, map[string]bool{}
		x.lasts = map[int32]*lastReading{}
		x.byID = map[string][]*written{}
		x.topics, x.loose, x.gone = map[string]bool{}, map[string]bool{}, map[string]bool{}
	}
}

// Event implements Oracle.
func (x *transactions) Event(e *history.Event) error {
	x.init()
	if len(e.Ops) > 0 && e.Ops[0].Kind == history.Txn {
		return x.transaction(e)
	}
	for i := range e.Ops {
		switch o := &e.Ops[i]; o.Kind {
		case history.Excuse:
			topic, _ := history.SplitKey(o.Key)
			x.lossy = x.lossy || o.Key == "" || topic == transactionState
			x.loose[topic] = true
		case history.Alter:
			if strings.Contains(o.Meta, "retention") || strings.Contains(o.Meta, "cleanup") {
				x.loose[o.Key] = true
			}
		case history.DeleteTopic:
			x.gone[o.Key] = true
		case history.Seen:
			if err := x.read(e, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *transactions) transaction(e *history.Event) error {
	if e.Type == history.Invoke {
		id := e.Ops[0].Member
		w := &written{id: fmt.Sprintf("%s/%d", id, e.I), txn: id, n: len(x.byID[id]), values: map[string][]string{}, outcome: history.Invoke}
		for i := range e.Ops {
			o := &e.Ops[i]
			topic, _ := history.SplitKey(o.Key)
			x.topics[topic] = true
			w.keys = append(w.keys, o.Key)
			w.values[o.Key] = strings.Fields(o.Meta)
			for _, v := range w.values[o.Key] {
				x.of[v] = w
			}
		}
		x.all, x.byID[id], x.open[e.Process] = append(x.all, w), append(x.byID[id], w), w
		return nil
	}
	w := x.open[e.Process]
	if w == nil {
		return nil
	}
	delete(x.open, e.Process)
	w.ended = e.Time
	if w.outcome = e.Type; e.Type != history.Fail {
		return nil
	}
	for _, k := range w.keys {
		for _, v := range w.values[k] {
			if x.seen[v] && !x.excused(k) {
				return fail("txn:aborted-read", "transaction "+w.id+" in "+k, e.I, "not committed: "+e.Err, v+" was read")
			}
		}
	}
	return nil
}

// excused says that the outcome of a transaction in a partition may have been lost.
func (x *transactions) excused(key string) bool {
	topic, _ := history.SplitKey(key)
	return x.lossy || x.loose[topic] || x.gone[topic]
}

func (x *transactions) read(e *history.Event, o *history.Op) error {
	last := x.last(e, o)
	if o.Got == "open" && !x.excused(o.Key) && !x.g.behind(e, o) {
		return fail("txn:hanging", "the last reading of "+o.Key, e.I, "no open transaction once nobody writes", "one from offset "+itoa(o.Offset)+" on")
	}
	for _, v := range strings.Fields(o.Meta) {
		w := x.of[v]
		x.seen[v] = true
		x.checks++
		switch {
		case w == nil:
			return fail("txn:phantom", "reader of "+o.Key, e.I, "only values that were sent", v)
		case x.excused(o.Key):
		case w.outcome == history.Fail:
			return fail("txn:aborted-read", "transaction "+w.id+" in "+o.Key, e.I, "aborted", v+" is read")
		case last != nil && last[v] > 0:
			return fail("txn:duplicate", "transaction "+w.id+" in "+o.Key, e.I, "each value once", v+" is read again")
		}
		if last != nil {
			last[v] = int64(len(last)) + 1
		}
	}
	return nil
}

// last gives what a last reading found in a partition so far; nil: it is no last reading.
func (x *transactions) last(e *history.Event, o *history.Op) map[string]int64 {
	if o.Member != "final" {
		return nil
	}
	r := x.lasts[e.Process]
	if r == nil {
		r = &lastReading{map[string]map[string]int64{}, clock.Time(o.Timestamp), map[string]bool{}}
		x.lasts[e.Process] = r
	}
	if r.at[o.Key] == nil {
		r.at[o.Key] = map[string]int64{}
	}
	r.whole[o.Key] = r.whole[o.Key] || o.Want == "end" && !x.g.behind(e, o)
	return r.at[o.Key]
}

// End implements Oracle: each last reading has each committed transaction whole, and the others whole or not at all.
func (x *transactions) End(View) error {
	for _, last := range x.lastReadings() {
		for _, w := range x.all {
			if x.judged(last, w) {
				x.checks++
				if err := x.one(last, w); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// judged says whether every partition of a transaction was read to its end, and nothing excuses what is missing.
func (x *transactions) judged(last *lastReading, w *written) bool {
	for _, k := range w.keys {
		if !last.whole[k] {
			return false
		}
	}
	return x.reads(last, w)
}

// superseded says whether a table's reader may do without a value, since it has found a later one of the same key: compaction takes no other.
func superseded(found map[string]int64, key, value string) bool {
	topic, _ := history.SplitKey(key)
	keys := history.KeysOf(topic)
	if keys == 0 {
		return false
	}
	v, ok := history.ParseValue([]byte(value))
	for text := range found {
		if later, known := history.ParseValue([]byte(text)); ok && known && later.Supersedes(v, keys) {
			return true
		}
	}
	return false
}

func (x *transactions) one(last *lastReading, w *written) error {
	var there, missing []string
	for _, k := range w.keys {
		at := int64(0)
		for _, v := range w.values[k] {
			place := last.at[k][v]
			if place == 0 {
				if !superseded(last.at[k], k, v) {
					missing = append(missing, k+" "+v)
				}
				continue
			}
			there = append(there, k+" "+v)
			if place < at {
				return fail("txn:order", "transaction "+w.id+" in "+k, -1, "in the order of its sends", v+" stands before what was sent earlier")
			}
			at = place
		}
	}
	sort.Strings(missing)
	switch {
	case w.outcome == history.OK && len(missing) > 0:
		return fail(x.Name(), "transaction "+w.id, -1, "committed", "not read: "+strings.Join(missing, ", "))
	case len(there) > 0 && len(missing) > 0:
		return fail("txn:torn", "transaction "+w.id, -1, "all or nothing", "read: "+strings.Join(there, ", ")+"; not read: "+strings.Join(missing, ", "))
	}
	return nil
}
