package corruption

import "github.com/seedlog/seedlog/sim/history"

// ask has a stranger ask the leader of an epoch, which is later than all others, where an earlier one ended.
func (e *Edit) ask(key string, epoch, leader int32, found int32, end int64) *Edit {
	o := history.Op{Kind: history.EpochEnd, Key: key, Generation: epoch, Seq: leader, HW: -1, Start: -1, PID: -1, Offset: history.NoOffset}
	e.add(history.Invoke, o)
	o.Batches, o.Offset = found, end
	return e.add(history.OK, o)
}

// epochs calls f for the last read that brought something of each epoch of a clean log, if nobody may be deposed without knowing it in the end. last is the
// latest epoch of which something was read.
func (s *Story) epochs(f func(l *log, c *call, last int32)) {
	end := s.Events[len(s.Events)-1].I
	for _, l := range s.cleanLogs() {
		if s.weak.Weak(l.key, end, end) {
			continue
		}
		of, order := map[int32]*call{}, []int32{}
		for _, c := range l.polls {
			if c.typ != history.OK || len(c.Records) == 0 {
				continue
			}
			was := of[c.Generation]
			if was == nil {
				order = append(order, c.Generation)
			}
			if was == nil || top(was) < top(c) {
				of[c.Generation] = c
			}
		}
		last := int32(0)
		for _, n := range order {
			last = max(last, n)
		}
		for _, n := range order {
			f(l, of[n], last)
		}
	}
}

// top is the offset of the last record that a poll brought.
func top(c *call) int64 { return c.Records[len(c.Records)-1].Offset }

func epochEndsEarly(s *Story) (edits []*Edit) {
	s.epochs(func(l *log, c *call, last int32) {
		edits = append(edits, s.edit([]string{"epoch-end"}, "%s: epoch %d", l.key, c.Generation).ask(l.key, c.Generation, last+1, c.Generation, top(c)))
	})
	return edits
}

// epochEndsLate: the epoch before a later one is asked about, whatever it is.
func epochEndsLate(s *Story) (edits []*Edit) {
	s.epochs(func(l *log, c *call, last int32) {
		if c.Generation > 0 && l.removed == 0 && !l.asked && !l.retains {
			edits = append(edits, s.edit([]string{"epoch-end"}, "%s: epoch %d", l.key, c.Generation-1).ask(l.key, c.Generation-1, last+1, c.Generation-1, top(c)+1))
		}
	})
	return edits
}

func epochUnknown(s *Story) (edits []*Edit) {
	s.epochs(func(l *log, c *call, last int32) {
		edits = append(edits, s.edit([]string{"epoch-end"}, "%s: epoch %d", l.key, c.Generation).ask(l.key, c.Generation, last+1, -1, -1))
	})
	return edits
}

func laterEpoch(s *Story) (edits []*Edit) {
	s.epochs(func(l *log, c *call, last int32) {
		edits = append(edits, s.edit([]string{"epoch-end"}, "%s: epoch %d", l.key, c.Generation).ask(l.key, c.Generation, last+1, c.Generation+1, l.next))
	})
	return edits
}

// ownEpochEndsEarly: nobody need have read what was acknowledged.
func ownEpochEndsEarly(s *Story) (edits []*Edit) {
	s.epochs(func(l *log, c *call, last int32) {
		end := int64(0)
		for _, k := range l.sends {
			if k.certain() {
				end = max(end, k.Records[len(k.Records)-1].Offset+1)
			}
		}
		if c.Generation == last && end > 0 {
			edits = append(edits, s.edit([]string{"epoch-end"}, "%s: epoch %d", l.key, last+1).ask(l.key, last+1, last+1, last, end-1))
		}
	})
	return edits
}
