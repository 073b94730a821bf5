package jepsen

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// notes gives the micro-operations of a kind that nobody invoked.
func notes(h []*history.Event, k history.Kind) (ops []*history.Op) {
	for _, e := range h {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == k {
				ops = append(ops, o)
			}
		}
	}
	return ops
}

// passed is a commit of a group's member, about the middle of the run, with the client that made it.
func passed(h []*history.Event) (*history.Op, int) {
	var last *history.Op
	client := 0
	for _, e := range h {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Commit && e.Type == history.OK && o.Offset > 3 && (last == nil || e.I < h[len(h)/2].I) {
				last, client = o, history.ClientOf(e.Process)
			}
		}
	}
	return last, client
}

var groupCorruptions = []corruption{
	{"a record is given to no member of a group", func(h []*history.Event) bool {
		c, _ := passed(h)
		group, key, _ := strings.Cut(c.Key, "|")
		members, n := map[int]bool{}, 0
		for _, e := range h {
			if e.F == "join" && strings.TrimSuffix(e.Ops[0].Key, "+") == group {
				members[history.ClientOf(e.Process)] = true
			}
		}
		for _, e := range h {
			for i := range e.Ops {
				if o := &e.Ops[i]; o.Kind == history.Poll && o.Key == key && members[history.ClientOf(e.Process)] {
					was := len(o.Records)
					o.Records = slices.DeleteFunc(o.Records, func(r history.Record) bool { return r.Offset == c.Offset-1 })
					n += was - len(o.Records)
				}
			}
			e.Ops = slices.DeleteFunc(e.Ops, func(o history.Op) bool { return o.Kind == history.Poll && len(o.Records) == 0 })
		}
		return n > 0
	}},
	{"two members own a partition in one generation", func(h []*history.Event) bool {
		all := notes(h, history.Own)
		for _, o := range all {
			if o.Member != all[0].Member {
				o.Key, o.Generation = all[0].Key, all[0].Generation
				return true
			}
		}
		return false
	}},
	{"a commit of an old generation is taken", func(h []*history.Event) bool {
		at := int32(0)
		for _, e := range h {
			for i := range e.Ops {
				switch o := &e.Ops[i]; {
				case o.Kind == history.Join && e.Type == history.OK && o.Key == "eager":
					at = o.Generation
				case o.Kind == history.Commit && strings.HasPrefix(o.Key, "eager|") && e.Type == history.Invoke && o.Generation == at && at > 1:
					for _, d := range h {
						for j := range d.Ops {
							if p := &d.Ops[j]; d.Type == history.OK && p.Kind == history.Commit && p.Key == o.Key && p.Meta == o.Meta {
								p.Generation = at - 1
								return true
							}
						}
					}
				}
			}
		}
		return false
	}},
	{"a group is told an offset that nobody committed", func(h []*history.Event) bool {
		return retell(h, func(o *history.Op) { o.Offset++ })
	}},
	{"a group's offset is forgotten", func(h []*history.Event) bool {
		return retell(h, func(o *history.Op) { o.Offset, o.Meta = -1, "" })
	}},
}

// retell changes the last that a group was told of an offset.
func retell(h []*history.Event, change func(*history.Op)) bool {
	all := some(h, history.FetchOffsets)
	for i := range all {
		if o := all[len(all)-1-i]; o.Offset > 0 {
			change(o)
			return true
		}
	}
	return false
}

// copied is a committed transaction of several records, about the middle of the run: its invocation and its end.
func copied(h []*history.Event) (inv, end *history.Event) {
	for i, e := range h {
		if e.Type != history.OK || e.F != "txn" || len(strings.Fields(e.Ops[0].Meta)) < 2 || i < len(h)/3 && end != nil {
			continue
		}
		for _, was := range h[:i] {
			if was.Type == history.Invoke && was.Process == e.Process && was.F == "txn" {
				inv, end = was, e
			}
		}
		if i > len(h)/3 {
			return inv, end
		}
	}
	return inv, end
}

var copyCorruptions = []corruption{
	{"a record is copied twice, and another not at all", func(h []*history.Event) bool {
		inv, _ := copied(h)
		f := strings.Fields(inv.Ops[0].Want)
		f[1] = f[0]
		inv.Ops[0].Want = strings.Join(f, " ")
		return true
	}},
	{"offsets are committed without the copies", func(h []*history.Event) bool {
		_, end := copied(h)
		n := 0
		for _, o := range end.Ops {
			for _, v := range strings.Fields(o.Meta) {
				n += without(h, v)
			}
		}
		end.Type, end.Err = history.Fail, "aborted"
		return n > 0
	}},
	{"a transaction of copies is torn", func(h []*history.Event) bool {
		_, end := copied(h)
		return without(h, strings.Fields(end.Ops[0].Meta)[0]) > 0
	}},
	{"an aborted copy is read", func(h []*history.Event) bool {
		_, end := copied(h)
		end.Type, end.Err = history.Fail, "aborted"
		return true
	}},
	{"the end of a transaction gives no new epoch", func(h []*history.Event) bool {
		for _, o := range some(h, history.TxnCall) {
			if (o.Meta == callCommit || o.Meta == callAbort) && o.Offset >= 0 {
				o.Generation = int32(o.Epoch)
				return true
			}
		}
		return false
	}},
	{"a producer is given an epoch that is not its next", func(h []*history.Event) bool {
		var last *history.Op
		for _, o := range some(h, history.TxnCall) {
			if o.Meta == callInit {
				last = o
			}
		}
		last.Generation++
		return true
	}},
}
