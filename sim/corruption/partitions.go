package corruption

import (
	"slices"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

var partitionOperators = []Operator{
	{"two reads in a row swapped", swappedPolls},
	{"a read that brings something swapped with one before that brings nothing", swappedInTime},
	{"two values of a read swapped", swappedValues},
	{"a read in the opposite order", reversedRead},
	{"a record left out of one read", skippedInRead},
	{"a read that begins one record late", beginsLate},
	{"a read that begins with the end of the one before", beginsEarly},
	{"an acknowledged record missing from all reads", missingRecord},
	{"an acknowledged record refused after all", refusedRecord},
	{"a record once more at the end", duplicateRecord},
	{"an acknowledgement one offset too high", shiftedAcknowledgement},
	{"a read one offset too high", shiftedRead},
	{"a latest offset below what was acknowledged", lowLatest},
	{"a latest offset beyond what was sent", highLatest},
	{"two latest offsets of one process swapped", swappedLatest},
	{"a record from nowhere", recordFromNowhere},
	{"the record of a refused send", refusedRecordRead},
	{"a wrong value", wrongValue},
	{"a read above its own high watermark", aboveHighWatermark},
	{"a log start that nobody moved", movedStart},
	{"a bad batch", badBatch},
	{"a long fetch answered at the end of its wait", lateFetch},
	{"a reader that never comes to the end", neverAtEnd},
	{"another error than the right one", otherError},
	{"silence", silence},
	{"a client that has no success any more", starved},
	{"an operation that reads what it sends itself", readsItsOwn},
	{"an epoch that ended below what was read of it", epochEndsEarly},
	{"an epoch that ended above where a later one begins", epochEndsLate},
	{"an epoch of which nothing is known though it was read", epochUnknown},
	{"the end of a later epoch than was asked about", laterEpoch},
	{"the end of a leader's own epoch below what was acknowledged", ownEpochEndsEarly},
}

// polls calls f for polls of clean logs that brought something from where they asked, and that no excuse spans.
func (s *Story) polls(f func(l *log, c *call)) {
	for _, l := range s.cleanLogs() {
		for _, c := range l.polls {
			if c.typ == history.OK && len(c.Records) > 0 && c.From >= 0 && c.Records[0].Offset == c.From && s.calm(c.inv, c.done) {
				f(l, c)
			}
		}
	}
}

// swappedPolls: each of two polls of a client that follow on each other brings what the other asked for.
func swappedPolls(s *Story) (edits []*Edit) {
	last := map[string]*call{}
	s.polls(func(l *log, c *call) {
		was := last[l.key]
		if last[l.key] = c; was == nil || was.process != c.process || was.done >= c.inv || was.From == c.From || s.rotten {
			return
		}
		e := s.edit([]string{"dense-offsets"}, "%s: events %d and %d", l.key, was.done, c.done)
		a, b := e.answer(was), e.answer(c)
		a.Records, b.Records = b.Records, a.Records
		edits = append(edits, e)
	})
	return edits
}

// witnessed says that an offset is known without one read.
func (l *log) witnessed(offset int64, but *call) bool {
	for _, w := range l.at[offset] {
		if w.call != but {
			return true
		}
	}
	return false
}

func reversedRead(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if len(c.Records) > 1 {
			e := s.edit([]string{"dense-offsets", "history:int-nonmonotonic-poll"}, "%s: event %d", l.key, c.done)
			slices.Reverse(e.answer(c).Records)
			edits = append(edits, e)
		}
	})
	return edits
}

func skippedInRead(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if len(c.Records) > 2 && !s.rotten && l.witnessed(c.Records[1].Offset, c) {
			e := s.edit([]string{"dense-offsets", "history:int-poll-skip"}, "%s: event %d", l.key, c.done)
			o := e.answer(c)
			o.Records = slices.Delete(o.Records, 1, 2)
			edits = append(edits, e)
		}
	})
	return edits
}

// followed calls f for two polls of a client's process of which the second goes on where the first ended.
func (s *Story) followed(f func(l *log, a, b *call)) {
	last := map[string]*call{}
	s.polls(func(l *log, c *call) {
		was := last[l.key]
		if last[l.key] = c; was == nil || was.process != c.process || was.done >= c.inv || was.From+int64(len(was.Records)) != c.From {
			return
		}
		for _, ev := range s.Events[was.done:c.done] { // whoever is told where to read begins anew
			if history.ClientOf(ev.Process) == history.ClientOf(c.process) && ev.F != "poll" {
				return
			}
		}
		f(l, was, c)
	})
}

func beginsLate(s *Story) (edits []*Edit) {
	s.followed(func(l *log, _, c *call) {
		if len(c.Records) > 1 && !s.rotten && l.witnessed(c.From, c) && c.From >= l.removed {
			e := s.edit([]string{"dense-offsets", "history:poll-skip"}, "%s: event %d", l.key, c.done)
			o := e.answer(c)
			o.Records = o.Records[1:]
			edits = append(edits, e)
		}
	})
	return edits
}

func beginsEarly(s *Story) (edits []*Edit) {
	s.followed(func(l *log, a, c *call) {
		e := s.edit([]string{"dense-offsets", "history:nonmonotonic-poll"}, "%s: event %d", l.key, c.done)
		o := e.answer(c)
		o.Records = slices.Insert(o.Records, 0, a.Records[len(a.Records)-1])
		edits = append(edits, e)
	})
	return edits
}

// swappedInTime: what was there at the first time is gone at the second.
func swappedInTime(s *Story) (edits []*Edit) {
	for _, l := range s.cleanLogs() {
		empty := map[int64]*call{}
		for _, c := range l.polls {
			if c.typ != history.OK || c.From < l.removed || !s.strong(c) || !s.calm(0, c.done) {
				continue
			}
			if len(c.Records) == 0 {
				empty[c.From] = c
				continue
			}
			was := empty[c.From]
			if was == nil || was.done >= c.inv {
				continue
			}
			e := s.edit([]string{"history:M1", "I:I13"}, "%s: events %d and %d", l.key, was.done, c.done)
			a, b := e.answer(was), e.answer(c)
			a.Records, b.Records, a.HW, b.HW = b.Records, a.Records, b.HW, a.HW
			edits = append(edits, e)
		}
	}
	return edits
}

func swappedValues(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		for i := 1; i < len(c.Records); i++ {
			if len(l.at[c.Records[i-1].Offset]) > 1 && len(l.at[c.Records[i].Offset]) > 1 && s.calm(0, c.done) {
				e := s.edit([]string{"I:I5", "history:M1", "history:inconsistent-offsets"}, "%s: event %d, offset %d", l.key, c.done, c.Records[i].Offset)
				r := e.answer(c).Records
				r[i-1].Value, r[i].Value = r[i].Value, r[i-1].Value
				edits = append(edits, e)
				return
			}
		}
	})
	return edits
}

// acknowledged calls f for acknowledged sends of clean logs whose records were read, and sent by nobody else.
func (s *Story) acknowledged(f func(l *log, c *call)) {
	for _, l := range s.cleanLogs() {
		for _, c := range l.sends {
			if !c.certain() || !s.once(c) || !s.calm(c.inv, c.done) || c.Records[0].Offset < l.removed {
				continue
			}
			read := true
			for _, r := range c.Records {
				read = read && l.reads(r.Offset) > 0 && l.senders[r.Value] == 1
			}
			if read {
				f(l, c)
			}
		}
	}
}

func missingRecord(s *Story) (edits []*Edit) {
	s.acknowledged(func(l *log, c *call) {
		r := c.Records[len(c.Records)/2]
		if l.reads(r.Offset+1) == 0 {
			return
		}
		breaks := []string{"history:lost-write"}
		if l.end > r.Offset {
			breaks = append(breaks, "history:unseen")
		}
		e := s.edit(breaks, "%s: offset %d, sent at event %d", l.key, r.Offset, c.inv)
		for _, w := range l.at[r.Offset] {
			if w.Kind != history.Poll {
				continue
			}
			o, was := e.answer(w.call), w.Records
			o.Records = nil
			for _, k := range was {
				if k != r {
					o.Records = append(o.Records, k)
				}
			}
		}
		edits = append(edits, e)
	})
	return edits
}

func refusedRecord(s *Story) (edits []*Edit) {
	s.acknowledged(func(l *log, c *call) {
		e := s.edit([]string{"history:aborted-read"}, "%s: event %d", l.key, c.done)
		ev := e.event(c.done)
		ev.Type, ev.Err = history.Fail, "INVALID_RECORD"
		for i := range ev.Ops[c.op].Records {
			ev.Ops[c.op].Records[i].Offset = history.NoOffset
		}
		edits = append(edits, e)
	})
	return edits
}

func duplicateRecord(s *Story) (edits []*Edit) {
	s.acknowledged(func(l *log, c *call) {
		breaks := []string{"history:duplicate", "history:M1"}
		if c.PID >= 0 && len(s.spoilt) == 0 { // after any excuse what was read before proves nothing to it
			breaks = append(breaks, "I:T1")
		}
		edits = append(edits, s.edit(breaks, "%s: offset %d", l.key, c.Records[0].Offset).poll(l.key, l.next, c.Records[0].Value))
	})
	return edits
}

func shiftedAcknowledgement(s *Story) (edits []*Edit) {
	s.acknowledged(func(l *log, c *call) {
		e := s.edit([]string{"history:phantom-offset", "history:M1"}, "%s: event %d", l.key, c.done)
		for i := range c.Records {
			e.answer(c).Records[i].Offset++
		}
		edits = append(edits, e)
	})
	return edits
}

func shiftedRead(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if s.rotten || len(l.at[c.From+1]) < 2 {
			return
		}
		e := s.edit([]string{"dense-offsets", "history:inconsistent-offsets"}, "%s: event %d", l.key, c.done)
		for i := range c.Records {
			e.answer(c).Records[i].Offset++
		}
		edits = append(edits, e)
	})
	return edits
}

// latestOf calls f for each answer that says where a clean log ends, if no deposed node may have given it.
func (s *Story) latestOf(f func(l *log, c *call)) {
	for i := range s.calls {
		c := &s.calls[i]
		if c.Kind == history.ListOffsets && c.Timestamp == latest && c.typ == history.OK && s.clean(c.Key) && s.strong(c) && s.calm(0, c.done) {
			f(s.log(c.Key), c)
		}
	}
}

func lowLatest(s *Story) (edits []*Edit) {
	s.latestOf(func(l *log, c *call) {
		end := int64(0)
		for _, k := range l.sends {
			if k.certain() && k.done < c.inv {
				end = max(end, k.Records[len(k.Records)-1].Offset+1)
			}
		}
		if end > l.removed {
			e := s.edit([]string{"history:M1", "I:I13"}, "%s: event %d", l.key, c.done)
			e.answer(c).Offset = end - 1
			edits = append(edits, e)
		}
	})
	return edits
}

// highLatest: what stands there was sent after the answer.
func highLatest(s *Story) (edits []*Edit) {
	s.latestOf(func(l *log, c *call) {
		for _, k := range l.sends {
			if k.certain() && k.inv > c.done && l.senders[k.Records[0].Value] == 1 && s.once(k) && s.calm(k.inv, k.done) {
				e := s.edit([]string{"history:M1"}, "%s: event %d", l.key, c.done)
				e.answer(c).Offset = k.Records[len(k.Records)-1].Offset + 1
				edits = append(edits, e)
				return
			}
		}
		if beyond := l.next + 1; !s.facts.ProducersExpire {
			for _, k := range l.sends {
				beyond += int64(len(k.Records)) * int64(max(1, k.Attempts))
			}
			e := s.edit([]string{"history:M1"}, "%s: event %d, above all that was sent", l.key, c.done)
			e.answer(c).Offset = beyond
			edits = append(edits, e)
		}
	})
	return edits
}

func swappedLatest(s *Story) (edits []*Edit) {
	last := map[string]*call{}
	s.latestOf(func(l *log, c *call) {
		was := last[l.key]
		if last[l.key] = c; was == nil || was.process != c.process || was.done >= c.inv || was.Offset == c.Offset {
			return
		}
		e := s.edit([]string{"history:list-offsets-regression", "I:I13", "history:M1"}, "%s: events %d and %d", l.key, was.done, c.done)
		e.answer(was).Offset, e.answer(c).Offset = c.Offset, was.Offset
		edits = append(edits, e)
	})
	return edits
}

func recordFromNowhere(s *Story) (edits []*Edit) {
	for _, l := range s.cleanLogs() {
		edits = append(edits, s.edit([]string{"history:phantom-value", "history:M1"}, "%s: at the end", l.key).poll(l.key, l.next, history.MakeValue(stranger, 1)))
	}
	return edits
}

func refusedRecordRead(s *Story) (edits []*Edit) {
	for _, l := range s.cleanLogs() {
		for _, c := range l.sends {
			if c.typ == history.Fail && len(c.Records) > 0 && l.senders[c.Records[0].Value] == 1 {
				edits = append(edits, s.edit([]string{"history:aborted-read"}, "%s: event %d", l.key, c.done).poll(l.key, l.next, c.Records[0].Value))
			}
		}
	}
	return edits
}

func wrongValue(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		i := len(c.Records) / 2
		if len(l.at[c.Records[i].Offset]) < 2 || !s.calm(0, c.done) {
			return
		}
		e := s.edit([]string{"I:I5", "history:inconsistent-offsets", "history:M1"}, "%s: event %d, offset %d", l.key, c.done, c.Records[i].Offset)
		e.answer(c).Records[i].Value ^= 1 << 20
		edits = append(edits, e)
	})
	return edits
}

func aboveHighWatermark(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if c.HW >= 0 {
			e := s.edit([]string{"I:I13"}, "%s: event %d", l.key, c.done)
			e.answer(c).HW = c.Records[len(c.Records)-1].Offset
			edits = append(edits, e)
		}
	})
	return edits
}

func movedStart(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if !l.asked && c.Start == 0 {
			e := s.edit([]string{"log-start"}, "%s: event %d", l.key, c.done)
			e.answer(c).Start = 1
			edits = append(edits, e)
		}
	})
	return edits
}

func badBatch(s *Story) (edits []*Edit) {
	if !s.rotten {
		e := s.edit([]string{"I:S1", "history:bad-answer"}, "at the end")
		edits = append(edits, e.add(history.Info, history.Op{Kind: history.Caught, Key: "t0/0", Meta: history.BadBatch, Got: "a CRC that is wrong", Offset: history.NoOffset}))
	}
	return edits
}

// The simulator's bounds: a fetch that may wait for longer than the first is judged, and answered within the second once it can be.
const (
	longWaitMS = 6000
	soon       = 3 * clock.Second
)

func lateFetch(s *Story) (edits []*Edit) {
	s.polls(func(l *log, c *call) {
		if c.Timestamp < longWaitMS || s.healed == 0 || s.Events[c.inv].Time < s.healed || len(s.spoilt) > 0 {
			return
		}
		for _, k := range l.sends {
			if k.certain() && k.done < c.done && k.Records[len(k.Records)-1].Offset >= c.From {
				e := s.edit([]string{"prompt-fetch"}, "%s: event %d", l.key, c.done)
				e.event(c.done).Time = max(s.Events[c.inv].Time, s.Events[k.done].Time).Add(2 * soon)
				edits = append(edits, e)
				return
			}
		}
	})
	return edits
}

func neverAtEnd(s *Story) (edits []*Edit) {
	for _, key := range s.keys {
		e := s.edit([]string{"readers-reach-the-end"}, "%s", key)
		for i, ev := range s.Events {
			if len(ev.Ops) == 1 && ev.Ops[0].Kind == history.CaughtUp && ev.Ops[0].Key == key {
				e.drop(i)
			}
		}
		if len(e.gone) > 0 {
			edits = append(edits, e)
		}
	}
	return edits
}

func otherError(s *Story) (edits []*Edit) {
	for i, ev := range s.Events {
		if len(ev.Ops) == 1 && ev.Ops[0].Kind == history.Probe && ev.Type == history.OK && !s.facts.ProducersExpire {
			e := s.edit([]string{"exact-errors", "history:wrong-error"}, "%s at event %d", ev.Ops[0].Meta, i)
			e.event(i).Type, e.event(i).Ops[0].Got = history.Fail, "UNKNOWN_SERVER_ERROR"
			edits = append(edits, e)
		}
	}
	return edits
}

func silence(s *Story) (edits []*Edit) {
	if s.healed == 0 {
		return nil
	}
	e := s.edit([]string{"every-request-answered", "history:unanswered"}, "at the end")
	return append(edits, e.add(history.Info, history.Op{Kind: history.Unheard, Meta: "Fetch", Offset: int64(s.healed) + 1, Timestamp: int64(s.healed.Add(10 * clock.Second))}))
}

// starved: somebody asks again and again in a healed cluster, longer than any client has patience, and nothing comes of it.
func starved(s *Story) (edits []*Edit) {
	if s.healed == 0 {
		return nil
	}
	e := s.edit([]string{"history:stuck"}, "at the end")
	for n := range 20 {
		o := history.Op{Kind: history.Send, Key: "t0/0", Acks: -1, PID: -1, Records: []history.Record{{Offset: history.NoOffset, Value: history.MakeValue(stranger, int64(n))}}}
		e.add(history.Invoke, o).add(history.Info, o)
		for _, ev := range e.tail[2*n:] {
			ev.Time = ev.Time.Add(clock.Duration(n) * 2 * clock.Second)
		}
	}
	return append(edits, e)
}

// readsItsOwn: one operation sends two records, the second to a lower offset, and reads that one itself.
func readsItsOwn(s *Story) (edits []*Edit) {
	for _, l := range s.cleanLogs() {
		send := func(offset, n int64) history.Op {
			return history.Op{Kind: history.Send, Key: l.key, Acks: -1, PID: -1, Records: []history.Record{{Offset: offset, Value: history.MakeValue(stranger, n)}}}
		}
		read := history.Op{Kind: history.Poll, Key: l.key, From: l.next, HW: -1, Start: -1, Records: []history.Record{{Offset: l.next, Value: history.MakeValue(stranger, 2)}}}
		e := s.edit([]string{"history:precommitted-read", "history:int-nonmonotonic-send"}, "%s: at the end", l.key)
		edits = append(edits, e.add(history.Invoke, send(history.NoOffset, 1), send(history.NoOffset, 2)).add(history.OK, send(l.next+1, 1), send(l.next, 2), read))
	}
	return edits
}
