package corruption

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

var groupOperators = []Operator{
	{"a commit of an offset lost", lostCommit},
	{"committed offsets that go back", commitsGoBack},
	{"an offset that nobody committed", neverCommitted},
	{"another commit's metadata", otherMetadata},
	{"a commit of an old generation taken", oldGeneration},
	{"two owners of a partition", twoOwners},
	{"an offset expired under its members", expiredUnderMembers},
	{"a record given to no member of a group", givenToNobody},
}

// sameKey gives the calls of one kind about one key.
func (s *Story) sameKey(kind history.Kind, key string) (all []*call) {
	for i := range s.calls {
		if c := &s.calls[i]; c.Kind == kind && c.Key == key {
			all = append(all, c)
		}
	}
	return all
}

// settled calls f for each read of a committed offset that must tell of one commit and no other, with the commits before that one, oldest first: all ended
// well, one after the other, before the read began. A commit of unknown outcome may be carried out at any time.
func (s *Story) settled(f func(read, last *call, before []*call)) {
	if s.doubt[""] || s.doubt["__consumer_offsets"] {
		return
	}
	for i := range s.calls {
		read := &s.calls[i]
		if read.Kind != history.FetchOffsets || read.typ != history.OK || read.Offset < 0 || !s.strong(read) {
			continue
		}
		var before []*call
		sure := true
		for _, c := range s.sameKey(history.Commit, read.Key) {
			switch {
			case c.inv > read.done:
			case c.typ == history.Info, c.done > read.inv, len(before) > 0 && before[len(before)-1].done > c.inv:
				sure = false
			case c.typ == history.OK:
				before = append(before, c)
			}
		}
		n := len(before)
		if sure && n > 0 && before[n-1].Offset == read.Offset && before[n-1].Meta == read.Meta && s.unended(read) {
			f(read, before[n-1], before[:n-1])
		}
	}
}

// unended says that no commit of the key was left without any end.
func (s *Story) unended(read *call) bool {
	open := map[int32]bool{}
	for _, e := range s.Events[:read.done] {
		for k := range e.Ops {
			if o := &e.Ops[k]; o.Kind == history.Commit && o.Key == read.Key {
				if open[e.Process] = e.Type == history.Invoke; open[e.Process] {
					break
				}
			}
		}
	}
	for _, is := range open {
		if is {
			return false
		}
	}
	return true
}

// tell has a read of a committed offset tell of another one.
func (s *Story) tell(read *call, offset int64, meta string) *Edit {
	breaks := []string{"history:M3"}
	if s.facts.OffsetsExpire && offset < 0 {
		return nil // it may have expired
	}
	if offset < read.Offset && !s.facts.OffsetsExpire && len(s.spoilt) == 0 {
		breaks = append(breaks, "I:G7", "history:commit-regression")
	}
	e := s.edit(breaks, "%s: event %d tells of %d", read.Key, read.done, offset)
	e.answer(read).Offset, e.answer(read).Meta = offset, meta
	return e
}

func lostCommit(s *Story) (edits []*Edit) {
	s.settled(func(read, last *call, before []*call) {
		offset, meta := int64(history.NoOffset), ""
		if n := len(before); n > 0 {
			offset, meta = before[n-1].Offset, before[n-1].Meta
		}
		if meta == last.Meta {
			return
		}
		if e := s.tell(read, offset, meta); e != nil {
			edits = append(edits, e)
		}
	})
	return edits
}

// commitsGoBack: a later read tells of a commit that is long over.
func commitsGoBack(s *Story) (edits []*Edit) {
	s.settled(func(read, last *call, before []*call) {
		for _, c := range before {
			if c.Offset < last.Offset {
				edits = append(edits, s.tell(read, c.Offset, c.Meta))
				return
			}
		}
	})
	return edits
}

func neverCommitted(s *Story) (edits []*Edit) {
	s.settled(func(read, _ *call, _ []*call) { edits = append(edits, s.tell(read, read.Offset+1, read.Meta)) })
	return edits
}

func otherMetadata(s *Story) (edits []*Edit) {
	s.settled(func(read, _ *call, _ []*call) { edits = append(edits, s.tell(read, read.Offset, "of nobody")) })
	return edits
}

// oldGeneration: a commit is taken although its generation is over, as somebody had been told before.
func oldGeneration(s *Story) (edits []*Edit) {
	if s.facts.OffsetsExpire || s.doubt[""] || s.doubt["__consumer_offsets"] {
		return nil // the group may have begun anew
	}
	for i := range s.calls {
		c := &s.calls[i]
		if c.Kind != history.Commit || c.typ != history.OK || c.Generation < 1 {
			continue
		}
		group, _, _ := strings.Cut(c.Key, "|")
		for _, j := range s.sameKey(history.Join, group) {
			if j.typ == history.OK && j.done < c.inv && j.Generation == c.Generation {
				e := s.edit([]string{"history:M3"}, "%s: event %d", c.Key, c.done)
				e.event(c.inv).Ops[c.op].Generation--
				e.answer(c).Generation--
				edits = append(edits, e)
				break
			}
		}
	}
	return edits
}

// twoOwners: who owned a partition next says that it did so in the generation of the owner before.
func twoOwners(s *Story) (edits []*Edit) {
	if s.facts.OffsetsExpire || len(s.spoilt) > 0 {
		return nil
	}
	last := map[string]*history.Op{}
	for i, ev := range s.Events {
		for k := range ev.Ops {
			o := &ev.Ops[k]
			group, _, _ := strings.Cut(o.Key, "|")
			if o.Kind != history.Own || len(models.Notes(s.Events, history.Anew, group)) > 0 { // of another beginning a generation may be given again
				continue
			}
			if was := last[o.Key]; was != nil && was.Member != o.Member && was.Generation < o.Generation {
				e := s.edit([]string{"I:G2", "history:double-owner"}, "%s: event %d", o.Key, i)
				e.event(i).Ops[k].Generation = was.Generation
				edits = append(edits, e)
			}
			last[o.Key] = o
		}
	}
	return edits
}

// expiredUnderMembers: an offset that a member has committed is gone, although somebody was in each generation since.
func expiredUnderMembers(s *Story) (edits []*Edit) {
	last := map[string]*call{}
	for i := range s.calls {
		c := &s.calls[i]
		group, key, _ := strings.Cut(c.Key, "|")
		topic, _ := history.SplitKey(key)
		if len(s.spoilt) > 0 || c.typ != history.OK || s.deleted[topic] {
			continue
		}
		switch was := last[c.Key]; {
		case c.Kind == history.Commit && c.Generation > 0:
			last[c.Key] = c
		case c.Kind == history.FetchOffsets && was != nil && c.Offset >= 0 && was.done < c.inv && s.strong(c) && s.lived(group, was, c):
			e := s.edit([]string{"history:expired-alive"}, "%s: event %d", c.Key, c.done)
			e.answer(c).Offset, e.answer(c).Meta = history.NoOffset, ""
			edits = append(edits, e)
		}
	}
	return edits
}

// lived says that somebody was in each generation of a group from a commit to a read of what it left, and that the group did not begin anew in between.
func (s *Story) lived(group string, from, to *call) bool {
	joined := map[int32]bool{}
	for _, j := range s.sameKey(history.Join, group) {
		if j.typ == history.OK {
			joined[j.Generation] = true
			if j.done > from.done && j.done < to.done && j.Generation <= from.Generation {
				return false
			}
		}
	}
	for g := from.Generation; g <= to.Generation; g++ {
		if !joined[g] {
			return false
		}
	}
	return from.Generation <= to.Generation
}

// givenToNobody: a record that stands below what a group has committed is in no poll of its members.
func givenToNobody(s *Story) (edits []*Edit) {
	group := map[int]string{} // by client
	for i := range s.calls {
		if c := &s.calls[i]; c.Kind == history.Join && c.typ == history.OK {
			group[history.ClientOf(c.process)] = strings.TrimSuffix(c.Key, "+")
		}
	}
	floor := map[string]int64{}
	for i := range s.calls {
		if c := &s.calls[i]; c.Kind == history.Commit && c.typ == history.OK && group[history.ClientOf(c.process)] != "" {
			floor[c.Key] = max(floor[c.Key], c.Offset)
		}
	}
	for _, l := range s.cleanLogs() {
		topic, _ := history.SplitKey(l.key)
		for at := l.removed; at < l.next && !s.retained(topic) && history.KeysOf(topic) == 0; at++ {
			if e := s.withheld(l, at, group, floor); e != nil {
				edits = append(edits, e)
				break
			}
		}
	}
	return edits
}

// retained says that a topic's settings were changed, so that records may go.
func (s *Story) retained(topic string) bool {
	for _, e := range s.Events {
		for k := range e.Ops {
			if o := &e.Ops[k]; o.Kind == history.Alter && o.Key == topic {
				return true
			}
		}
	}
	return false
}

// withheld takes a record that was acknowledged out of what members of one group polled; nil: none of them has passed it.
func (s *Story) withheld(l *log, at int64, group map[int]string, floor map[string]int64) *Edit {
	of, sure := "", false
	for _, w := range l.at[at] {
		sure = sure || w.certain()
		if g := group[history.ClientOf(w.process)]; w.Kind == history.Poll && floor[history.GroupKey(g, l.key)] > at {
			of = g
		}
	}
	if of == "" || !sure {
		return nil
	}
	e := s.edit([]string{"group:unread"}, "%s: offset %d and group %s", l.key, at, of)
	for _, w := range l.at[at] {
		if w.Kind == history.Poll && group[history.ClientOf(w.process)] == of {
			o := e.answer(w.call)
			o.Records = slices.DeleteFunc(o.Records, func(r history.Record) bool { return r.Offset == at })
		}
	}
	return e
}
