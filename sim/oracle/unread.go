package oracle

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// unread: a group loses no record. Whatever stands below an offset that a member has committed was given to some member (group:unread): members
// commit what they have read, and who comes next begins where they stopped.
type unread struct {
	quiet
	g      *ghosts
	member map[int]string        // by client: its group
	given  map[string]*offsetSet // by group key: what members polled
	floor  map[string]int64      // by group key: the highest offset that a member has committed, as it was told
	void   map[string]bool       // partitions and topics of which what was read may be gone
	keys   []string              // of floor, in the order in which they were first heard of
}

// offsetSet is a set of offsets below maxCells.
type offsetSet struct{ bits []uint64 }

func (s *offsetSet) add(o int64) {
	if o < 0 || o >= maxCells {
		return
	}
	for int64(len(s.bits)) <= o/64 {
		s.bits = append(s.bits, 0)
	}
	s.bits[o/64] |= 1 << (o % 64)
}

func (s *offsetSet) has(o int64) bool {
	return s != nil && o/64 < int64(len(s.bits)) && s.bits[o/64]&(1<<(o%64)) != 0
}

func (u *unread) Name() string { return "group:unread" }

// Event implements Oracle.
func (u *unread) Event(e *history.Event) error {
	if u.member == nil {
		u.member, u.given, u.floor, u.void = map[int]string{}, map[string]*offsetSet{}, map[string]int64{}, map[string]bool{}
	}
	client := history.ClientOf(e.Process)
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Excuse, o.Kind == history.DeleteTopic, o.Kind == history.Alter && strings.Contains(o.Meta, "cleanup"):
			u.void[o.Key] = true
		case o.Kind == history.Join && e.Type == history.OK:
			u.member[client] = strings.TrimSuffix(o.Key, "+")
		case o.Kind == history.Poll && e.Type == history.OK && u.member[client] != "":
			u.give(history.GroupKey(u.member[client], o.Key), o.Records)
		case o.Kind == history.Commit && e.Type == history.OK && u.member[client] != "":
			if _, known := u.floor[o.Key]; !known {
				u.keys = append(u.keys, o.Key)
			}
			u.floor[o.Key] = max(u.floor[o.Key], o.Offset)
		}
	}
	return nil
}

func (u *unread) give(groupKey string, records []history.Record) {
	s := u.given[groupKey]
	if s == nil {
		s = &offsetSet{}
		u.given[groupKey] = s
	}
	for _, r := range records {
		s.add(r.Offset)
	}
}

// each calls f for each record that a group has passed, until it says false.
func (u *unread) each(f func(groupKey string, h *ghost, offset int64) bool) {
	for _, groupKey := range u.keys {
		_, key, _ := strings.Cut(groupKey, "|")
		topic, _ := history.SplitKey(key)
		h := u.g.byKey[key]
		if h == nil || h.retains || history.KeysOf(topic) > 0 || u.void[""] || u.void[key] || u.void[topic] {
			continue
		}
		for o := h.removable; o < min(u.floor[groupKey], int64(len(h.cells))); o++ {
			if h.cells[o].known && !f(groupKey, h, o) {
				return
			}
		}
	}
}

// Due implements Due.
func (u *unread) Due() (due bool) {
	u.each(func(string, *ghost, int64) bool {
		due = true
		return false
	})
	return due
}

// End implements Oracle.
func (u *unread) End(View) (err error) {
	u.each(func(groupKey string, h *ghost, o int64) bool {
		if u.checks++; u.given[groupKey].has(o) {
			return true
		}
		err = fail(u.Name(), fmt.Sprintf("%s, committed to %d", groupKey, u.floor[groupKey]), -1, fmt.Sprintf("%v at %d given to a member", h.cells[o].value, o), "given to none")
		return false
	})
	return err
}
