package jepsen

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
)

// corruption falsifies a history so that a broker which gave it had broken a promise. It says whether it found something to falsify.
type corruption struct {
	name string
	do   func(h []*history.Event) bool
}

// copyOf is a history that may be falsified.
func copyOf(h []*history.Event) []*history.Event {
	all := make([]*history.Event, len(h))
	for i, e := range h {
		c := *e
		c.Ops = slices.Clone(e.Ops)
		for j := range c.Ops {
			c.Ops[j].Records = slices.Clone(c.Ops[j].Records)
		}
		all[i] = &c
	}
	return all
}

// some gives the micro-operations of a kind that succeeded.
func some(h []*history.Event, k history.Kind) (ops []*history.Op) {
	for _, e := range h {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == k && (e.Type == history.OK || k == history.Seen) {
				ops = append(ops, o)
			}
		}
	}
	return ops
}

// acked is one acknowledged send, about the middle of the run.
func acked(h []*history.Event) *history.Op {
	all := some(h, history.Send)
	return all[len(all)/2]
}

var logCorruptions = []corruption{
	{"an acknowledged record is dropped", func(h []*history.Event) bool {
		v, n := acked(h).Records[0].Value, 0
		for _, o := range some(h, history.Poll) {
			was := len(o.Records)
			o.Records = slices.DeleteFunc(o.Records, func(r history.Record) bool { return r.Value == v })
			n += was - len(o.Records)
		}
		return n > 0
	}},
	{"the last acknowledged record is dropped", func(h []*history.Event) bool {
		var last *history.Op
		for _, o := range some(h, history.Send) {
			if last == nil || o.Key == last.Key && o.Records[0].Offset > last.Records[0].Offset {
				last = o
			}
		}
		for _, o := range some(h, history.Poll) {
			o.Records = slices.DeleteFunc(o.Records, func(r history.Record) bool { return r.Value == last.Records[0].Value })
		}
		return true
	}},
	{"a record stands twice", func(h []*history.Event) bool {
		of := acked(h)
		end := int64(0)
		var last *history.Op
		for _, o := range some(h, history.Poll) {
			if n := len(o.Records); o.Key == of.Key && n > 0 && o.Records[n-1].Offset >= end {
				last, end = o, o.Records[n-1].Offset
			}
		}
		last.Records = append(last.Records, history.Record{Offset: end + 1, Value: of.Records[0].Value})
		return true
	}},
	{"an acknowledgement names the next offset", func(h []*history.Event) bool {
		acked(h).Records[0].Offset++
		return true
	}},
	{"two records that were read are exchanged", func(h []*history.Event) bool {
		for _, o := range some(h, history.Poll) {
			if len(o.Records) > 1 {
				o.Records[0].Value, o.Records[1].Value = o.Records[1].Value, o.Records[0].Value
				return true
			}
		}
		return false
	}},
	{"a reader is shown a record that is refused", func(h []*history.Event) bool {
		for _, e := range h[len(h)/2:] {
			if e.Type == history.OK && e.F == "send" {
				e.Type, e.Err = history.Fail, "NOT_ENOUGH_REPLICAS"
				return true
			}
		}
		return false
	}},
	{"a partition's end goes back", func(h []*history.Event) bool {
		all := some(h, history.ListOffsets)
		all[len(all)-1].Offset -= 3
		return true
	}},
	{"a reader goes back", func(h []*history.Event) bool {
		var first *history.Op
		for _, o := range some(h, history.Poll) {
			if first == nil {
				first = o
			} else if o.Key == first.Key {
				o.Records = append([]history.Record{first.Records[0]}, o.Records...)
				return true
			}
		}
		return false
	}},
	{"a sequence is taken twice", func(h []*history.Event) bool {
		of := acked(h)
		for _, o := range some(h, history.Send) {
			if o != of && o.PID == of.PID && o.Epoch == of.Epoch && o.Key == of.Key && o.Seq == of.Seq+1 {
				o.Seq = of.Seq
				return true
			}
		}
		return false
	}},
}

// rejected wants every corruption of a history that is fine to be found.
func rejected(t *testing.T, h []*history.Event, must []string, corruptions []corruption) {
	t.Helper()
	require.Equal(t, true, Judge(h, must).Valid, "the history as it is")
	for _, c := range corruptions {
		bad := copyOf(h)
		require.True(t, c.do(bad), c.name)
		v := Judge(bad, must)
		require.Equal(t, false, v.Valid, c.name)
		t.Logf("%s: %.150s", c.name, v.Violations[0])
	}
}

// moved is a committed transaction of several partitions, about the middle of the run.
func moved(h []*history.Event) *history.Event {
	for _, e := range h[len(h)/2:] {
		if e.Type == history.OK && e.F == "txn" && len(e.Ops) > 1 {
			return e
		}
	}
	return nil
}

// without takes a value out of what readers took, and says how often it was there.
func without(h []*history.Event, value string) (n int) {
	for _, o := range some(h, history.Seen) {
		f := strings.Fields(o.Meta)
		was := len(f)
		f = slices.DeleteFunc(f, func(v string) bool { return v == value })
		n += was - len(f)
		o.Meta = strings.Join(f, " ")
	}
	return n
}

var txnCorruptions = []corruption{
	{"a transaction is torn", func(h []*history.Event) bool {
		return without(h, strings.Fields(moved(h).Ops[0].Meta)[0]) > 0
	}},
	{"a committed transaction is lost", func(h []*history.Event) bool {
		n := 0
		for _, o := range moved(h).Ops {
			for _, v := range strings.Fields(o.Meta) {
				n += without(h, v)
			}
		}
		return n > 0
	}},
	{"an aborted transaction is read", func(h []*history.Event) bool {
		e := moved(h)
		e.Type, e.Err = history.Fail, "aborted"
		return true
	}},
	{"a value is read twice", func(h []*history.Event) bool {
		for _, o := range some(h, history.Seen) {
			if o.Member == "final" && o.Meta != "" {
				o.Meta += " " + strings.Fields(o.Meta)[0]
				return true
			}
		}
		return false
	}},
	{"two values that were read are exchanged", func(h []*history.Event) bool {
		for _, o := range some(h, history.Seen) {
			if f := strings.Fields(o.Meta); len(f) > 1 && o.Member == "" {
				f[0], f[1] = f[1], f[0]
				o.Meta = strings.Join(f, " ")
				return true
			}
		}
		return false
	}},
	{"a value is read that nobody sent", func(h []*history.Event) bool {
		o := some(h, history.Seen)[0]
		o.Meta += " v9.9"
		return true
	}},
	{"a transaction hangs", func(h []*history.Event) bool {
		for _, o := range some(h, history.Seen) {
			if o.Want == "end" {
				o.Got = "open"
				return true
			}
		}
		return false
	}},
}

// told is an offset that a group was told, about the middle of the run.
func told(h []*history.Event) *history.Op {
	for _, o := range some(h[len(h)/2:], history.FetchOffsets) {
		if o.Offset > 5 {
			return o
		}
	}
	return nil
}

var offsetsCorruptions = []corruption{
	{"a committed offset goes back", func(h []*history.Event) bool {
		o := told(h)
		for _, c := range some(h, history.Commit) {
			if c.Key == o.Key && c.Offset < o.Offset-3 {
				o.Offset, o.Meta = c.Offset, c.Meta
			}
		}
		return true
	}},
	{"a committed offset is forgotten", func(h []*history.Event) bool {
		o := told(h)
		o.Offset, o.Meta = -1, ""
		return true
	}},
	{"an offset is told that nobody committed", func(h []*history.Event) bool {
		told(h).Offset++
		return true
	}},
	{"a commit comes into force late", func(h []*history.Event) bool {
		all := some(h, history.FetchOffsets)
		for i := len(all) - 1; i > 0; i-- {
			for j := i - 1; j > 0; j-- {
				if all[i].Key == all[j].Key && all[i].Offset > all[j].Offset+3 && all[j].Offset > 0 {
					all[i].Offset, all[i].Meta = all[j].Offset, all[j].Meta
					return true
				}
			}
		}
		return false
	}},
	{"another's metadata is told", func(h []*history.Event) bool {
		told(h).Meta = "c0.999999"
		return true
	}},
}
