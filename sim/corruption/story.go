package corruption

import (
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
)

// Story is the history of a run that passed, and what is certain of it.
type Story struct {
	Name    string
	Events  []*history.Event
	facts   anomaly.Facts
	weak    *models.Windows
	calls   []call
	logs    map[string]*log
	keys    []string // of logs, in the order in which they were first heard of
	txns    []*txn
	of      map[string]*txn // by value
	seens   []*seen
	spoilt  []int           // places of excuses
	doubt   map[string]bool // keys and topics of which something may be gone, or was deleted, or is compacted; "" is all
	deleted map[string]bool
	healed  clock.Time
	rotten  bool
}

// call is one micro-operation: where it was invoked, and where it ended. done is -1 if it never did.
type call struct {
	inv, done, op int
	*history.Op   // as completed
	typ           history.Type
	err           string
	process       int32
}

// log is one partition as its clients know it.
type log struct {
	key     string
	at      map[int64][]witness
	senders map[history.Value]int // how many sends had the value
	sends   []*call
	polls   []*call
	removed int64 // what stands below may have been deleted
	next    int64 // behind all that anybody knows of
	end     int64 // where a last reader stood; -1: none did
	retains bool
	asked   bool // DeleteRecords was
}

// witness is who told of an offset: an acknowledgement of acks=all, or a read.
type witness struct {
	*call
	rec int
}

// txn is one transaction.
type txn struct {
	inv, asked, done int // places of its begin, of the request to end it, and of its end; -1: none
	ops              []history.Op
	typ              history.Type
	commit           bool // what was asked for
	err              string
	client           int
	id               string
	old              bool
}

// Read makes a story of the history of a run that passed.
func Read(name string, events []*history.Event) *Story {
	s := &Story{Name: name, Events: events, weak: models.WeakWindows(events), logs: map[string]*log{}, of: map[string]*txn{}, doubt: map[string]bool{}, deleted: map[string]bool{}}
	open := map[int32]int{}
	for i, e := range events {
		for k := range e.Ops {
			s.note(i, e, &e.Ops[k])
		}
		inv, ok := open[e.Process]
		switch {
		case e.Type == history.Invoke:
			open[e.Process] = i
		case ok && events[inv].F == e.F:
			delete(open, e.Process)
			for k := range e.Ops {
				s.calls = append(s.calls, call{inv, i, k, &e.Ops[k], e.Type, e.Err, e.Process})
			}
		}
	}
	for i := range s.calls {
		s.take(&s.calls[i])
	}
	s.transactions()
	return s
}

func (s *Story) note(i int, e *history.Event, o *history.Op) {
	switch o.Kind {
	case history.Config:
		s.facts.ReadFacts(o.Meta)
	case history.Excuse:
		topic, _ := history.SplitKey(o.Key)
		s.spoilt = append(s.spoilt, i)
		s.doubt[o.Key], s.doubt[topic] = true, true
	case history.Copy:
		s.rotten = s.rotten || o.Meta == history.Rotten
	case history.Phase:
		if o.Meta == "liveness" {
			s.healed = e.Time
		}
	case history.DeleteTopic:
		s.doubt[o.Key], s.deleted[o.Key] = true, true
	case history.CreateTopic, history.Alter:
		s.doubt[o.Key] = s.doubt[o.Key] || strings.Contains(o.Meta, "retention.bytes") || strings.Contains(o.Meta, "retention.ms") || strings.Contains(o.Meta, "compact")
	case history.CaughtUp:
		if !strings.Contains(o.Key, "|") {
			s.log(o.Key).end = o.Offset
		}
	}
}

func (s *Story) log(key string) *log {
	l := s.logs[key]
	if l == nil {
		l = &log{key: key, at: map[int64][]witness{}, senders: map[history.Value]int{}, end: -1}
		s.logs[key], s.keys = l, append(s.keys, key)
	}
	return l
}

func (s *Story) take(c *call) {
	switch c.Kind {
	case history.Send:
		l := s.log(c.Key)
		l.sends = append(l.sends, c)
		for k, r := range c.Records {
			if l.senders[r.Value]++; c.certain() {
				l.witness(r, witness{c, k})
			}
		}
	case history.Poll:
		l := s.log(c.Key)
		l.polls = append(l.polls, c)
		if c.typ == history.OK {
			l.removed, l.next = max(l.removed, c.Start), max(l.next, c.HW)
			for k, r := range c.Records {
				l.witness(r, witness{c, k})
			}
		}
	case history.ListOffsets:
		l := s.log(c.Key)
		if c.typ == history.OK && c.Timestamp == latest {
			l.next = max(l.next, c.Offset)
		} else if c.typ == history.OK {
			l.removed = max(l.removed, c.Offset)
		}
	case history.DeleteRecords:
		s.log(c.Key).asked = true
		s.log(c.Key).removed = max(s.log(c.Key).removed, c.Offset)
	}
}

// The timestamp by which ListOffsets asks for the end of a log.
const latest = -1

func (l *log) witness(r history.Record, w witness) {
	l.at[r.Offset] = append(l.at[r.Offset], w)
	l.next = max(l.next, r.Offset+1)
}

// reads counts the polls that brought an offset.
func (l *log) reads(offset int64) (n int) {
	for _, w := range l.at[offset] {
		if w.Kind == history.Poll {
			n++
		}
	}
	return n
}

// certain says that the call is a send whose acknowledgement promises its records at their offsets.
func (c *call) certain() bool {
	return c.Kind == history.Send && c.typ == history.OK && c.Acks == -1 && len(c.Records) > 0 && c.Records[0].Offset >= 0
}

// once says that a send may have left one copy only.
func (s *Story) once(c *call) bool {
	if c.PID >= 0 {
		return !s.facts.ProducersExpire
	}
	return c.Attempts <= 1 && c.typ != history.Info
}

// calm says that no excuse stands between two places: answers that span one prove nothing.
func (s *Story) calm(from, to int) bool {
	for _, at := range s.spoilt {
		if from <= at && at <= to {
			return false
		}
	}
	return true
}

// clean says that nothing excuses what is missing of a partition, that is no transactions' and is not compacted.
func (s *Story) clean(key string) bool {
	topic, _ := history.SplitKey(key)
	return !s.doubt[""] && !s.doubt[key] && !s.doubt[topic] && !s.facts.Retention && !s.ofTransactions(topic)
}

func (s *Story) ofTransactions(topic string) bool {
	for _, t := range s.txns {
		for i := range t.ops {
			if of, _ := history.SplitKey(t.ops[i].Key); of == topic {
				return true
			}
		}
	}
	return false
}

// strong says that no deposed or lagging node may have answered a call.
func (s *Story) strong(c *call) bool {
	from, to := s.Events[c.inv].I, s.Events[c.done].I
	if c.Kind == history.Poll {
		return !s.weak.WeakFetch(c.Key, c.Member, from, to)
	}
	return !s.weak.Weak(c.Key, from, to)
}

// clean logs, in the order in which they were first heard of.
func (s *Story) cleanLogs() (all []*log) {
	for _, k := range s.keys {
		if s.clean(k) && len(s.logs[k].sends) > 0 {
			all = append(all, s.logs[k])
		}
	}
	return all
}
