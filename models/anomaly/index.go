package anomaly

import (
	"sort"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// Facts are what a history says of its own run in config notes, "k=v,k=v".
type Facts struct {
	Flush           string // ack | os
	ProducersExpire bool   // F:L2 on producer ids
	OffsetsExpire   bool   // F:L2 on committed offsets
	TxnPartitions   int    // of __transaction_state; 0: not said
	FirstEpoch      int    // of new transactional ids
	Retention       bool   // the broker's own settings let every topic be shortened
}

// ReadFacts adds what a config note says.
func (f *Facts) ReadFacts(meta string) {
	for _, kv := range strings.Split(meta, ",") {
		switch k, v, _ := strings.Cut(kv, "="); k {
		case "flush":
			f.Flush = v
		case "producers-expire":
			f.ProducersExpire = v == "1"
		case "txn-partitions":
			f.TxnPartitions, _ = strconv.Atoi(v)
		case "first-epoch":
			f.FirstEpoch, _ = strconv.Atoi(v)
		case "retention":
			f.Retention = v == "1"
		case "offsets-expire":
			f.OffsetsExpire = v == "1"
		}
	}
}

// index is a history, looked at from its keys.
type index struct {
	events []*history.Event
	calls  []models.Call
	facts  Facts
	keys   []string
	byKey  map[string]*keyIndex
	healed clock.Time // start of the liveness phase; 0 none
	final  bool       // the history has final readers
	weak   *models.Windows
}

// keyIndex is one partition.
type keyIndex struct {
	sends, polls []*models.Call
	sentBy       map[history.Value][]*models.Call
	readAt       map[history.Value][]int64 // offsets, in the order in which they were first read
	values       map[int64][]seen          // by offset: distinct values, with when each was first seen
	order        []int64                   // distinct offsets, sorted
	removed      int64                     // everything below it may have been deleted
	excuses      []excuse
	maxRead      int64
}

type seen struct {
	value history.Value
	at    int64
}

type excuse struct{ at, offset int64 }

func (x *index) key(k string) *keyIndex {
	ki := x.byKey[k]
	if ki == nil {
		ki = &keyIndex{sentBy: map[history.Value][]*models.Call{}, readAt: map[history.Value][]int64{}, values: map[int64][]seen{}, maxRead: -1}
		x.byKey[k] = ki
		x.keys = append(x.keys, k)
	}
	return ki
}

func newIndex(events []*history.Event) *index {
	x := &index{events: events, calls: models.Calls(events), weak: models.WeakWindows(events), byKey: map[string]*keyIndex{}}
	for i := range x.calls {
		x.call(&x.calls[i])
	}
	for _, e := range events {
		for i := range e.Ops {
			x.note(e, &e.Ops[i])
		}
	}
	sort.Strings(x.keys)
	for _, k := range x.keys {
		x.byKey[k].sortOffsets()
	}
	return x
}

// earliest is the timestamp by which ListOffsets asks for the log start.
const earliest = -2

func (x *index) call(c *models.Call) {
	switch c.Op.Kind {
	case history.Send:
		k := x.key(c.Op.Key)
		k.sends = append(k.sends, c)
		for _, r := range c.Op.Records {
			k.sentBy[r.Value] = append(k.sentBy[r.Value], c)
			if certain(c) && r.Offset >= 0 {
				k.saw(r, c.Return)
			}
		}
	case history.Poll:
		k := x.key(c.Op.Key)
		k.polls = append(k.polls, c)
		if c.Type != history.OK {
			return
		}
		k.removed = max(k.removed, c.Op.Start)
		for _, r := range c.Op.Records {
			k.saw(r, c.Return)
			k.maxRead = max(k.maxRead, r.Offset)
			if !has(k.readAt[r.Value], r.Offset) {
				k.readAt[r.Value] = append(k.readAt[r.Value], r.Offset)
			}
		}
	case history.ListOffsets: // a poll of an old version does not tell where the log starts
		if c.Type == history.OK && c.Op.Timestamp == earliest {
			x.key(c.Op.Key).removed = max(x.key(c.Op.Key).removed, c.Op.Offset)
		}
	case history.DeleteRecords:
		if c.Type != history.Fail {
			x.key(c.Op.Key).removed = max(x.key(c.Op.Key).removed, c.Op.Offset)
		}
	}
}

func (x *index) note(e *history.Event, o *history.Op) {
	switch o.Kind {
	case history.Excuse:
		for _, k := range x.keys {
			if o.Key == "" || o.Key == k {
				x.byKey[k].excuses = append(x.byKey[k].excuses, excuse{e.I, o.Offset})
			}
		}
	case history.Phase:
		if o.Meta == "liveness" {
			x.healed = e.Time
		}
	case history.CaughtUp:
		x.final = true
	case history.Config:
		x.facts.ReadFacts(o.Meta)
	}
}

func (k *keyIndex) saw(r history.Record, at int64) {
	for _, s := range k.values[r.Offset] {
		if s.value == r.Value {
			return
		}
	}
	k.values[r.Offset] = append(k.values[r.Offset], seen{r.Value, at})
}

func (k *keyIndex) sortOffsets() {
	for o := range k.values {
		k.order = append(k.order, o)
	}
	sort.Slice(k.order, func(i, j int) bool { return k.order[i] < k.order[j] })
}

// rank is an offset's place among those that anybody saw: gaps that only markers leave do not count.
func (k *keyIndex) rank(offset int64) int {
	return sort.Search(len(k.order), func(i int) bool { return k.order[i] >= offset })
}

// excused says that what stood at offset at event `from` may be gone by event `to`.
func (k *keyIndex) excused(offset, from, to int64) bool {
	for _, e := range k.excuses {
		if e.offset <= offset && e.at >= from && e.at <= to {
			return true
		}
	}
	return false
}

// certain says that the send was acknowledged with acks=all.
func certain(c *models.Call) bool { return c.Type == history.OK && c.Op.Acks == -1 }

// mayRepeat says that a send may rightly have left more than one copy of its records.
func (x *index) mayRepeat(c *models.Call) bool {
	if c.Op.PID >= 0 {
		return x.facts.ProducersExpire
	}
	return c.Op.Attempts > 1 || c.Type == history.Info
}

func has(all []int64, o int64) bool {
	for _, x := range all {
		if x == o {
			return true
		}
	}
	return false
}
