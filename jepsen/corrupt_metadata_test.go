package jepsen

import (
	"github.com/seedlog/seedlog/sim/history"
)

// wholeOf gives what the last askers were told of a kind.
func wholeOf(h []*history.Event, k history.Kind) (ops []*history.Op) {
	for _, o := range notes(h, k) {
		if o.Want == "whole" {
			ops = append(ops, o)
		}
	}
	return ops
}

var metadataCorruptions = []corruption{
	{"a broker has partitions that nobody asked for", func(h []*history.Event) bool {
		wholeOf(h, history.ReadTopic)[0].Offset = metadataParts + 1
		return true
	}},
	{"a broker tells of a topic before anybody has asked for it", func(h []*history.Event) bool {
		for _, e := range h {
			if e.F == "create-topic" {
				break
			}
			if e.F == "read-topic" {
				e.Ops[0].Offset = 2
				return true
			}
		}
		op := *notes(h, history.ReadTopic)[0]
		op.Want, op.Offset, op.Generation = "", 2, 0
		h[0].Ops = append(h[0].Ops, op) // at the very start
		return true
	}},
	{"a broker of a whole cluster has not heard of the last change", func(h []*history.Event) bool {
		all := wholeOf(h, history.ReadTopic)
		o := all[len(all)-1] // of a topic in use
		if o.Offset > 0 {
			o.Offset = history.NoOffset // there is one
		} else {
			o.Offset = 1
		}
		return true
	}},
	{"a setting has a value that nobody gave it", func(h []*history.Event) bool {
		o := wholeOf(h, history.ReadConfig)[0]
		o.Meta, o.Got = metadataSetting+"=17", ""
		return true
	}},
	{"a broker goes back to what it said before", func(h []*history.Event) bool {
		var op history.Op
		for _, o := range wholeOf(h, history.ReadTopic) {
			if o.Member == history.NodeName(0) {
				op = *o
			}
		}
		op.Want, op.Generation = "", 0
		if op.Offset < 0 {
			op.Offset = 1
		} else {
			op.Offset = history.NoOffset // it is there, and then it is not
		}
		last := h[len(h)-1]
		last.Ops = append(last.Ops, op)
		return true
	}},
}
