package oracle

import (
	"sort"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// cuts: transactions of one transactional id come one after the other in every partition. A reader that has seen something of one, and later stands at the end of another
// partition with nothing open in front of it, has all of the earlier ones there (txn:cut): a coordinator begins no transaction before the last one's markers are written.
// And whatever was read in a row stands in a row in the end: no answer had a part of a transaction, or what is gone by now (txn:intermediate-read, G1b).
type cuts struct {
	quiet
	g       *ghosts
	x       *transactions
	readers map[int32]*cutReader
	order   []int32 // readers, by when they were first heard
	ends    int64   // checks of ends alone
}

// cutReader is what one reader has seen.
type cutReader struct {
	seen   map[string]bool
	newest map[string][]sight // by transactional id: ascending
	ids    []string
	done   map[string]int // by key and transactional id: how many of its transactions were looked at
	rows   map[string]*row
	keys   []string
}

// sight is the newest transaction of an id of which something was seen, and when.
type sight struct {
	n  int
	at int64
}

// row is what was read of a partition, with breaks where the reader went elsewhere.
type row struct {
	next   int64
	values []string // "" is a break
}

func (x *cuts) Name() string { return "txn:cut" }

// Due implements Due: something was read, and a last reading says where it stands.
func (x *cuts) Due() bool {
	for _, r := range x.x.lastReadings() {
		for k, whole := range r.whole {
			if topic, _ := history.SplitKey(k); whole && len(r.at[k]) > 0 && !x.x.excused(k) && history.KeysOf(topic) == 0 {
				return true
			}
		}
	}
	return false
}

func (x *cuts) add(checks map[string]int64) { checks["txn:cut ends"] += x.ends }

func (x *cuts) reader(p int32) *cutReader {
	r := x.readers[p]
	if r == nil {
		r = &cutReader{seen: map[string]bool{}, newest: map[string][]sight{}, done: map[string]int{}, rows: map[string]*row{}}
		if x.readers == nil {
			x.readers = map[int32]*cutReader{}
		}
		x.readers[p], x.order = r, append(x.order, p)
	}
	return r
}

// Event implements Oracle.
func (x *cuts) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind == history.TxnCall && o.Meta == "order" && !x.x.excused(o.Want) && !x.g.weak.Weak(o.Want, o.Timestamp, e.I) && !x.forgotten(o) {
			return fail("txn:order-refused", "transaction of "+o.Key+" in "+o.Want, e.I, "the next batch, all before it are taken", o.Got)
		}
		if o.Kind != history.Seen || o.Got == "open" && o.HW < 0 {
			continue
		}
		if topic, _ := history.SplitKey(o.Key); history.KeysOf(topic) > 0 {
			continue // a table: later values take the place of earlier ones
		}
		r := x.reader(e.Process)
		r.takes(x.x, e.I, o)
		if o.Offset == o.HW && o.HW == o.Start && !x.x.excused(o.Key) && !x.g.behind(e, o) {
			if err := x.cut(r, e, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgotten says whether a partition may know a producer by a marker alone: what it wrote has expired, and a transaction without records was ended there. With
// transaction.version 1 its epoch and sequence numbers go on, and as in Kafka it has to begin at sequence 0.
func (x *cuts) forgotten(o *history.Op) bool { return o.Member == "old" && x.g.facts.ProducersExpire }

// takes takes in what an answer has brought.
func (r *cutReader) takes(x *transactions, at int64, o *history.Op) {
	w := r.rows[o.Key]
	if w == nil {
		w = &row{}
		r.rows[o.Key], r.keys = w, append(r.keys, o.Key)
	}
	if o.From != w.next {
		w.values = append(w.values, "")
	}
	w.next = o.Offset
	for _, v := range strings.Fields(o.Meta) {
		w.values = append(w.values, v)
		r.seen[v] = true
		t := x.of[v]
		if t == nil {
			continue
		}
		l := r.newest[t.txn]
		if l == nil {
			r.ids = append(r.ids, t.txn)
		}
		if len(l) == 0 || l[len(l)-1].n < t.n {
			r.newest[t.txn] = append(l, sight{t.n, at})
		}
	}
}

// cut looks at a partition that was read to its end by a request that was begun at an event.
func (x *cuts) cut(r *cutReader, e *history.Event, o *history.Op) error {
	for _, id := range r.ids {
		l := r.newest[id]
		i := sort.Search(len(l), func(i int) bool { return l[i].at >= int64(o.Generation) })
		if i == 0 {
			continue
		}
		k, upTo := o.Key+" "+id, l[i-1].n
		for ; r.done[k] < upTo; r.done[k]++ {
			w := x.x.byID[id][r.done[k]]
			values := w.values[o.Key]
			if len(values) == 0 || !w.visible(x.x) {
				continue
			}
			x.checks++
			x.ends++
			for _, v := range values {
				if !r.seen[v] {
					return fail(x.Name(), "transaction "+w.id+" in "+o.Key, e.I, "before transaction "+x.x.byID[id][upTo].id+", of which the reader had seen something when it asked",
						v+" is not there up to "+itoa(o.Offset))
				}
			}
		}
	}
	return nil
}

// visible says that a transaction was committed, as far as is known: its client was told, or somebody has seen something of it.
func (w *written) visible(x *transactions) bool {
	if w.outcome == history.OK {
		return true
	}
	for _, k := range w.keys {
		for _, v := range w.values[k] {
			if x.seen[v] {
				return w.outcome != history.Fail
			}
		}
	}
	return false
}

// End implements Oracle: what was read in a row stands in a row.
func (x *cuts) End(View) error {
	for _, last := range x.x.lastReadings() {
		for _, p := range x.order {
			r := x.readers[p]
			for _, k := range r.keys {
				if !last.whole[k] || x.x.excused(k) {
					continue
				}
				if err := x.inRow(k, r.rows[k].values, last); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (x *cuts) inRow(key string, values []string, last *lastReading) error {
	before, place := "", last.at[key]
	for _, v := range values {
		x.checks++
		switch at := place[v]; {
		case v == "":
		case at == 0 && x.x.late(last, v):
			before = ""
			continue
		case at == 0:
			return fail("txn:intermediate-read", "reader of "+key, -1, "what was read stays", v+" was read, and is not there in the end")
		case before != "" && at != place[before]+1:
			return fail("txn:intermediate-read", "reader of "+key, -1, "all of "+key+" in its order", v+" was read right after "+before+", and stands elsewhere in the end")
		}
		before = v
	}
	return nil
}
