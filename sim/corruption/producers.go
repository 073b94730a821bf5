package corruption

import (
	"slices"

	"github.com/seedlog/seedlog/sim/history"
)

var producerOperators = []Operator{
	{"two acknowledgements of a producer swapped", swappedAcknowledgements},
	{"a sequence number left out", sequenceLeftOut},
	{"a batch in order refused as out of order", inOrderRefused},
	{"a producer id given out twice", producerIDTwice},
	{"an epoch given out twice", epochTwice},
	{"an end that tells of another epoch than the next", endTellsOfAnother},
	{"a fenced producer that ends a transaction", fencedEnds},
}

// inRow calls f for two acknowledged batches of one idempotent producer that follow on each other, where it cannot have been forgotten.
func (s *Story) inRow(f func(l *log, a, b *call)) {
	type who struct {
		key string
		pid int64
	}
	last := map[who]*call{}
	if len(s.spoilt) > 0 || s.facts.ProducersExpire {
		return
	}
	s.acknowledged(func(l *log, c *call) {
		if c.PID < 0 {
			return
		}
		at := who{l.key, c.PID}
		was := last[at]
		if last[at] = c; was != nil && was.Epoch == c.Epoch && was.Seq+int32(len(was.Records)) == c.Seq {
			f(l, was, c)
		}
	})
}

func swappedAcknowledgements(s *Story) (edits []*Edit) {
	s.inRow(func(l *log, a, b *call) {
		e := s.edit([]string{"history:M2", "history:nonmonotonic-send", "history:phantom-offset"}, "%s: events %d and %d", l.key, a.done, b.done)
		for i := range a.Records {
			e.answer(a).Records[i].Offset = b.Records[0].Offset + int64(i)
		}
		for i := range b.Records {
			e.answer(b).Records[i].Offset = a.Records[0].Offset + int64(i)
		}
		edits = append(edits, e)
	})
	return edits
}

func sequenceLeftOut(s *Story) (edits []*Edit) {
	s.inRow(func(l *log, _, b *call) {
		e := s.edit([]string{"history:M2"}, "%s: event %d", l.key, b.done)
		e.event(b.inv).Ops[b.op].Seq++
		e.answer(b).Seq++
		edits = append(edits, e)
	})
	return edits
}

func inOrderRefused(s *Story) (edits []*Edit) {
	s.inRow(func(l *log, a, b *call) {
		if a.done >= b.inv {
			return
		}
		e := s.edit([]string{"history:M2", "history:aborted-read"}, "%s: event %d", l.key, b.done)
		e.event(b.done).Type, e.event(b.done).Err = history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER"
		for i := range b.Records {
			e.answer(b).Records[i].Offset = history.NoOffset
		}
		edits = append(edits, e)
	})
	return edits
}

func producerIDTwice(s *Story) (edits []*Edit) {
	var was *call
	for i := range s.calls {
		c := &s.calls[i]
		if c.Kind != history.InitProducerID || c.typ != history.OK {
			continue
		}
		if was != nil {
			e := s.edit([]string{"producer-id-unique", "history:producer-id-reuse"}, "event %d", c.done)
			e.answer(c).PID, e.answer(c).Epoch = was.PID, was.Epoch
			edits = append(edits, e)
		}
		was = c
	}
	return edits
}

// ids calls f for the calls about each transactional id, in order, where its coordinator cannot have forgotten anything.
func (s *Story) ids(f func(calls []*call)) {
	if s.doubt[""] || s.doubt["__transaction_state"] {
		return
	}
	byID := map[string][]*call{}
	var order []string
	for i := range s.calls {
		c := &s.calls[i]
		if c.Kind != history.TxnCall || c.typ == history.Info && c.Meta == "order" {
			continue
		}
		if byID[c.Key] == nil {
			order = append(order, c.Key)
		}
		byID[c.Key] = append(byID[c.Key], c)
	}
	for _, id := range order {
		f(byID[id])
	}
}

// epochTwice: a producer begins with the id and the epoch that one before it was given.
func epochTwice(s *Story) (edits []*Edit) {
	s.ids(func(calls []*call) {
		var was *call
		for _, c := range calls {
			if c.Meta != "init" || c.typ != history.OK {
				continue
			}
			if was != nil && was.done < c.inv {
				e := s.edit([]string{"history:M4"}, "%s: event %d", c.Key, c.done)
				e.answer(c).Offset, e.answer(c).Generation = was.Offset, was.Generation
				edits = append(edits, e)
			}
			was = c
		}
	})
	return edits
}

// endTellsOfAnother: who ends a transaction is to go on with the epoch behind the next one.
func endTellsOfAnother(s *Story) (edits []*Edit) {
	s.ids(func(calls []*call) {
		for _, c := range calls {
			if c.typ == history.OK && c.Meta == "commit" && c.Member != "old" && c.Offset == c.PID && c.Generation == int32(c.Epoch)+1 && s.strongTxn() {
				e := s.edit([]string{"history:M4"}, "%s: event %d", c.Key, c.done)
				e.answer(c).Generation++
				edits = append(edits, e)
			}
		}
	})
	return edits
}

// strongTxn says that no coordinator was deposed: nobody else leads where there is one broker.
func (s *Story) strongTxn() bool {
	for _, e := range s.Events {
		for k := range e.Ops {
			if o := &e.Ops[k]; o.Kind == history.Weak {
				return false
			}
		}
	}
	return true
}

// fencedEnds: a producer ends a transaction though it was fenced before it asked: somebody else had been given another id, or a later epoch. In the second
// version of the protocol nothing but the next epoch may be a retry's.
func fencedEnds(s *Story) (edits []*Edit) {
	s.ids(func(calls []*call) {
		if slices.ContainsFunc(calls, func(c *call) bool { return c.Member == "old" }) || !s.strongTxn() {
			return
		}
		for i, c := range calls {
			if c.Meta != "commit" && c.Meta != "abort" || c.typ != history.Fail || c.err != "PRODUCER_FENCED" && c.err != "INVALID_PRODUCER_EPOCH" {
				continue
			}
			fenced := func(k *call) bool {
				return k.Meta == "init" && k.typ == history.OK && k.done < c.inv && k.Offset == c.PID && k.Generation > int32(c.Epoch)
			}
			if slices.ContainsFunc(calls[:i], fenced) {
				e := s.edit([]string{"history:M4"}, "%s: event %d", c.Key, c.done)
				e.event(c.done).Type, e.event(c.done).Err = history.OK, ""
				e.answer(c).Offset, e.answer(c).Generation = c.PID, int32(c.Epoch)+1
				edits = append(edits, e)
			}
		}
	})
	return edits
}
