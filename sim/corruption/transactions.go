package corruption

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

var transactionOperators = []Operator{
	{"a record missing of a committed transaction", tornTransaction},
	{"a record missing of a transaction in doubt", tornInDoubt},
	{"a record shown of an aborted transaction", abortedShown},
	{"a record shown before the commit was asked for", shownEarly},
	{"two records of a transaction in the wrong order", wrongOrder},
	{"a record of a transaction once more", shownTwice},
	{"a record of no transaction", ofNoTransaction},
	{"a record left out between two others", leftOut},
	{"an earlier transaction that a reader at the end has not", earlierMissing},
	{"two transactions that have read of each other", readEachOther},
	{"a half of a transfer", halfTransfer},
	{"a copy missing", copyMissing},
	{"a record copied twice", copiedTwice},
	{"a transaction open in the end", openInTheEnd},
	{"a batch refused though all before it are there", refusedInOrder},
	{"a long read of committed records answered late", lateStable},
}

// seen is what one answer brought a reader of committed records.
type seen struct {
	*history.Op
	at     int
	reader int32
	values []string
}

// transactions gathers the transactions of a story, and what their readers saw.
func (s *Story) transactions() {
	open := map[int]*txn{}
	for i, e := range s.Events {
		client := history.ClientOf(e.Process)
		t := open[client]
		for k := range e.Ops {
			switch o := &e.Ops[k]; {
			case o.Kind == history.Seen:
				s.seens = append(s.seens, &seen{o, i, e.Process, strings.Fields(o.Meta)})
			case o.Kind == history.Txn && e.Type == history.Invoke && k == 0:
				t = &txn{inv: i, asked: -1, done: -1, ops: e.Ops, client: client, id: o.Member}
				open[client], s.txns = t, append(s.txns, t)
			case o.Kind == history.Txn && k == 0 && t != nil:
				t.done, t.typ, t.err = i, e.Type, e.Err
				delete(open, client)
			case o.Kind == history.TxnCall && e.Type == history.Invoke && t != nil:
				t.old = t.old || o.Member == "old"
				if o.Meta != "write" && t.asked < 0 {
					t.asked, t.commit = i, o.Meta == "commit"
				}
			}
		}
	}
	for _, t := range s.txns {
		for i := range t.ops {
			for _, v := range strings.Fields(t.ops[i].Meta) {
				s.of[v] = t
			}
		}
	}
}

// whole says that nothing excuses what is missing of a transaction, and that some last reading of all that it wrote to began after its end.
func (s *Story) whole(t *txn) bool {
	if s.doubt[""] || s.doubt["__transaction_state"] || t.done < 0 {
		return false
	}
	ended := s.Events[t.done].Time
	read := map[int32]int{}
	for i := range t.ops {
		topic, _ := history.SplitKey(t.ops[i].Key)
		if s.doubt[topic] || s.doubt[t.ops[i].Key] {
			return false
		}
		for _, n := range s.seens {
			if n.Member == "final" && n.Key == t.ops[i].Key && n.Want == "end" && clock.Time(n.Timestamp) >= ended {
				read[n.reader]++
			}
		}
	}
	for _, n := range read {
		if n == len(t.ops) {
			return true
		}
	}
	return false
}

// committed calls f for each transaction that was committed, and of which all is in a last reading.
func (s *Story) committed(f func(t *txn)) {
	for _, t := range s.txns {
		if t.typ == history.OK && s.whole(t) {
			f(t)
		}
	}
}

// rewrite gives what an answer brought other values.
func (e *Edit) rewrite(n *seen, values []string) {
	ev := e.event(n.at)
	for k := range ev.Ops {
		if &e.s.Events[n.at].Ops[k] == n.Op {
			ev.Ops[k].Meta = strings.Join(values, " ")
		}
	}
}

// without takes values out of what readers saw of a partition; of all readers if reader is negative.
func (e *Edit) without(key string, reader int32, values ...string) *Edit {
	for _, n := range e.s.seens {
		if n.Key != key || reader >= 0 && n.reader != reader {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(n.values), func(v string) bool { return slices.Contains(values, v) })
		if len(left) < len(n.values) {
			e.rewrite(n, left)
		}
	}
	return e
}

// last gives the answer with which the last reading of a partition ended.
func (s *Story) last(key string) *seen {
	for _, n := range s.seens {
		if n.Member == "final" && n.Key == key && n.Want == "end" {
			return n
		}
	}
	return nil
}

func tornTransaction(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		o := &t.ops[len(t.ops)-1]
		values := strings.Fields(o.Meta)
		v := values[len(values)/2]
		edits = append(edits, s.edit([]string{"txn:committed"}, "%s begun at event %d: %s", t.id, t.inv, v).without(o.Key, -1, v))
	})
	return edits
}

func tornInDoubt(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		o := &t.ops[len(t.ops)-1]
		values := strings.Fields(o.Meta)
		if len(values) < 2 && len(t.ops) < 2 {
			return
		}
		e := s.edit([]string{"txn:torn"}, "%s begun at event %d: %s", t.id, t.inv, values[0]).without(o.Key, -1, values[0])
		e.event(t.done).Type, e.event(t.done).Err = history.Info, "no answer"
		edits = append(edits, e)
	})
	return edits
}

func abortedShown(s *Story) (edits []*Edit) {
	for _, t := range s.txns {
		if t.typ != history.Fail || !s.whole(t) {
			continue
		}
		n := s.last(t.ops[0].Key)
		e := s.edit([]string{"txn:aborted-read"}, "%s begun at event %d", t.id, t.inv)
		e.rewrite(n, append(slices.Clone(n.values), strings.Fields(t.ops[0].Meta)[0]))
		edits = append(edits, e)
	}
	return edits
}

// shownEarly: a reader of committed records is shown one while its writer had not asked for the commit yet.
func shownEarly(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		if t.old || !t.commit {
			return
		}
		for _, n := range s.seens {
			if n.at > t.inv && n.at < t.asked && n.Key == t.ops[0].Key && n.Member == "" {
				e := s.edit([]string{"txn:dirty-read"}, "%s begun at event %d: event %d", t.id, t.inv, n.at)
				e.rewrite(n, append(slices.Clone(n.values), strings.Fields(t.ops[0].Meta)[0]))
				edits = append(edits, e)
				return
			}
		}
	})
	return edits
}

func wrongOrder(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		values := strings.Fields(t.ops[0].Meta)
		if len(values) < 2 {
			return
		}
		a, b := values[0], values[1]
		e := s.edit([]string{"txn:order"}, "%s begun at event %d: %s and %s", t.id, t.inv, a, b)
		for _, n := range s.seens {
			if n.Key != t.ops[0].Key || n.Member != "final" || !slices.Contains(n.values, a) && !slices.Contains(n.values, b) {
				continue
			}
			swapped := slices.Clone(n.values)
			for i, v := range swapped {
				switch v {
				case a:
					swapped[i] = b
				case b:
					swapped[i] = a
				}
			}
			e.rewrite(n, swapped)
		}
		edits = append(edits, e)
	})
	return edits
}

func shownTwice(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		n := s.last(t.ops[0].Key)
		e := s.edit([]string{"txn:duplicate"}, "%s begun at event %d", t.id, t.inv)
		e.rewrite(n, append(slices.Clone(n.values), strings.Fields(t.ops[0].Meta)[0]))
		edits = append(edits, e)
	})
	return edits
}

func ofNoTransaction(s *Story) (edits []*Edit) {
	for _, n := range s.seens {
		if n.Member == "final" && len(n.values) > 0 {
			e := s.edit([]string{"txn:phantom"}, "%s: event %d", n.Key, n.at)
			e.rewrite(n, append(slices.Clone(n.values), history.MakeValue(stranger, 1).String()))
			edits = append(edits, e)
		}
	}
	return edits
}

// leftOut: one answer lacks what stands between two of its records in the end.
func leftOut(s *Story) (edits []*Edit) {
	for _, n := range s.seens {
		if n.Member == "final" || len(n.values) < 3 {
			continue
		}
		ended := true
		for _, v := range n.values {
			t := s.of[v]
			ended = ended && t != nil && t.typ == history.OK && s.whole(t)
		}
		if ended {
			e := s.edit([]string{"txn:intermediate-read"}, "%s: event %d", n.Key, n.at)
			e.rewrite(n, slices.Delete(slices.Clone(n.values), 1, 2))
			edits = append(edits, e)
		}
	}
	return edits
}

// earlierMissing: a reader that had seen something of a transaction when it asked stands at the end of a partition, and has nothing there of an
// earlier one of the same id.
func earlierMissing(s *Story) (edits []*Edit) {
	for _, n := range s.seens {
		if n.Offset != n.HW || n.HW != n.Start || n.HW < 0 || s.weak.WeakFetch(n.Key, history.NodeName(int(n.Seq)), int64(n.Generation), s.Events[n.at].I) {
			continue
		}
		if t := s.earlier(n); t != nil {
			for i := range t.ops {
				if t.ops[i].Key == n.Key {
					edits = append(edits, s.edit([]string{"txn:cut"}, "%s: event %d, %s begun at event %d", n.Key, n.at, t.id, t.inv).without(n.Key, n.reader, strings.Fields(t.ops[i].Meta)...))
				}
			}
		}
	}
	return edits
}

// earlier finds a committed transaction with records in a partition that the reader has seen, and a later one of its id of which it had seen something
// in another partition when it asked.
func (s *Story) earlier(n *seen) *txn {
	first := map[*txn]bool{} // seen in the partition
	for _, m := range s.seens {
		if m.at > n.at || m.reader != n.reader {
			continue
		}
		for _, v := range m.values {
			t := s.of[v]
			switch {
			case t == nil || t.typ != history.OK || !s.whole(t):
			case m.Key == n.Key:
				first[t] = true
			case s.Events[m.at].I < int64(n.Generation):
				for _, was := range s.txns {
					if first[was] && was.id == t.id && was.inv < t.inv {
						return was
					}
				}
			}
		}
	}
	return nil
}

// readEachOther: each of two transactions is shown a record of the other before it asks for its commit.
func readEachOther(s *Story) (edits []*Edit) {
	reading := map[*txn]*seen{}
	for _, n := range s.seens {
		for _, t := range s.txns {
			if t.client == history.ClientOf(n.reader) && t.inv < n.at && n.at < t.asked && t.typ == history.OK {
				reading[t] = n
			}
		}
	}
	for i, a := range s.txns {
		for _, b := range s.txns[i+1:] {
			if reading[a] == nil || reading[b] == nil || a.client == b.client {
				continue
			}
			e := s.edit([]string{"history:G1c"}, "%s begun at event %d, %s at event %d", a.id, a.inv, b.id, b.inv)
			e.rewrite(reading[a], append(slices.Clone(reading[a].values), strings.Fields(b.ops[0].Meta)[0]))
			e.rewrite(reading[b], append(slices.Clone(reading[b].values), strings.Fields(a.ops[0].Meta)[0]))
			edits = append(edits, e)
		}
	}
	return edits
}

func halfTransfer(s *Story) (edits []*Edit) {
	all := true // accounts are added up where all of them were read to the end
	for _, t := range s.txns {
		all = all && (!strings.HasPrefix(t.ops[0].Key, "transfers/") || s.whole(t) || t.done < 0)
	}
	s.committed(func(t *txn) {
		if !strings.HasPrefix(t.ops[0].Key, "transfers/") || !all || len(t.ops) < 2 {
			return
		}
		v := strings.Fields(t.ops[0].Meta)[0]
		if text, ok := history.ParseValue([]byte(v)); ok && text.N()%256 != 128 { // it moves something
			edits = append(edits, s.edit([]string{"txn:sum", "txn:committed"}, "%s begun at event %d: %s", t.id, t.inv, v).without(t.ops[0].Key, -1, v))
		}
	})
	return edits
}

// copies calls f for each transaction with copies, where nothing may have been lost.
func (s *Story) copies(f func(t *txn)) {
	if len(s.spoilt) == 0 && !s.facts.OffsetsExpire {
		s.committed(func(t *txn) {
			if t.ops[0].Want != "" {
				f(t)
			}
		})
	}
}

func copyMissing(s *Story) (edits []*Edit) {
	s.copies(func(t *txn) {
		in, v := strings.Fields(t.ops[0].Want)[0], strings.Fields(t.ops[0].Meta)[0]
		since := clock.Time(s.last(t.ops[0].Key).Timestamp)
		for _, key := range s.keys {
			for _, c := range s.logs[key].polls {
				for _, r := range c.Records {
					if c.typ == history.OK && r.Value.String() == in && s.Events[c.done].Time <= since {
						edits = append(edits, s.edit([]string{"I:T10", "txn:committed"}, "%s begun at event %d: %s", t.id, t.inv, v).without(t.ops[0].Key, -1, v))
						return
					}
				}
			}
		}
	})
	return edits
}

// copiedTwice: what a copy says that it copies was copied already.
func copiedTwice(s *Story) (edits []*Edit) {
	was := ""
	s.copies(func(t *txn) {
		ins := strings.Fields(t.ops[0].Want)
		if was != "" && was != ins[0] {
			e := s.edit([]string{"I:T10"}, "%s begun at event %d: %s", t.id, t.inv, was)
			e.event(t.inv).Ops[0].Want = strings.Join(append([]string{was}, ins[1:]...), " ")
			edits = append(edits, e)
		}
		was = ins[0]
	})
	return edits
}

func openInTheEnd(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		n := s.last(t.ops[0].Key)
		e := s.edit([]string{"txn:hanging"}, "%s", n.Key)
		for k := range e.event(n.at).Ops {
			e.event(n.at).Ops[k].Got = "open"
		}
		edits = append(edits, e)
	})
	return edits
}

func refusedInOrder(s *Story) (edits []*Edit) {
	s.committed(func(t *txn) {
		at := s.Events[len(s.Events)-1].I
		o := history.Op{Kind: history.TxnCall, Key: t.id, Meta: "order", Want: t.ops[0].Key, Got: "OUT_OF_ORDER_SEQUENCE_NUMBER", Timestamp: at, Offset: history.NoOffset}
		edits = append(edits, s.edit([]string{"txn:order-refused"}, "%s in %s", t.id, t.ops[0].Key).add(history.Info, o))
	})
	return edits
}

// lateStable: in a topic in which no transaction is open any more a long read is answered late.
func lateStable(s *Story) (edits []*Edit) {
	for _, n := range s.seens {
		if n.Member != "" || len(n.values) == 0 || int64(n.Batches) < longWaitMS || s.healed == 0 || clock.Time(n.Timestamp) < s.healed {
			continue
		}
		topic, _ := history.SplitKey(n.Key)
		last, quiet := clock.Time(n.Timestamp), true
		for _, t := range s.txns {
			if of, _ := history.SplitKey(t.ops[0].Key); of != topic || t.inv > n.at {
				continue
			}
			if quiet = quiet && t.done >= 0 && t.done < n.at && (t.typ == history.OK || t.err == "aborted"); quiet {
				last = max(last, s.Events[t.done].Time)
			}
		}
		if quiet {
			e := s.edit([]string{"txn:prompt"}, "%s: event %d", n.Key, n.at)
			e.event(n.at).Time = last.Add(2 * soon)
			edits = append(edits, e)
		}
	}
	return edits
}
