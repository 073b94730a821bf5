package models

import (
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// stretch is a part of a history, in event numbers.
type stretch struct{ from, to int64 }

// Windows are the stretches in which reads of a key may lag, as the fault ledger wrote them into the history.
type Windows struct {
	byKey   map[string][]stretch // of all reads
	fetch   map[string][]stretch // of fetches alone
	node    map[string][]stretch // of fetches from one node alone, by key and node
	offsets int                  // partitions of __consumer_offsets; 0: unknown, so that no read of them is weak
}

// WeakWindows gathers them.
func WeakWindows(events []*history.Event) *Windows {
	w := &Windows{}
	for _, e := range events {
		w.Note(e)
	}
	return w
}

func (w *Windows) config(meta string) {
	for _, kv := range strings.Split(meta, ",") {
		if k, v, _ := strings.Cut(kv, "="); k == "offsets-partitions" {
			w.offsets, _ = strconv.Atoi(v)
		}
	}
}

// Note takes in an event, if it is a note that concerns it.
func (w *Windows) Note(e *history.Event) {
	for i := range e.Ops {
		switch o := &e.Ops[i]; o.Kind {
		case history.Weak:
			w.note(o, e.I)
		case history.Config:
			w.config(o.Meta)
		}
	}
}

func (w *Windows) note(o *history.Op, at int64) {
	if w.byKey == nil {
		w.byKey, w.fetch, w.node = map[string][]stretch{}, map[string][]stretch{}, map[string][]stretch{}
	}
	m, key := w.byKey, o.Key
	switch o.Member {
	case "":
	case "fetch":
		m = w.fetch
	default:
		m, key = w.node, copyOf(o.Key, o.Member)
	}
	l := m[key]
	switch {
	case o.Meta == "begin":
		l = append(l, stretch{at, Never})
	case len(l) > 0:
		l[len(l)-1].to = at
	}
	m[key] = l
}

// copyOf names a node's copy.
func copyOf(key, node string) string { return key + " " + node }

// Weak says that an operation between two events on a partition, or on a group's offset of one, may have been served by a deposed leader.
func (w *Windows) Weak(key string, call, ret int64) bool {
	if group, _, ok := strings.Cut(key, "|"); ok {
		return w.groupWeak(group, call, ret)
	}
	return within(w.byKey[key], call, ret)
}

// WeakFetch says the same of a fetch from a node, or that it may have been served by a leader whose high watermark lags (KIP-207), or by a
// follower (KIP-392), which hears of the high watermark with its next fetch. The node is "" where there is one alone.
func (w *Windows) WeakFetch(key, node string, call, ret int64) bool {
	return w.Weak(key, call, ret) || within(w.fetch[key], call, ret) || within(w.node[copyOf(key, node)], call, ret)
}

func within(l []stretch, call, ret int64) bool {
	for i := len(l) - 1; i >= 0 && l[i].to >= call; i-- {
		if l[i].from <= ret {
			return true
		}
	}
	return false
}

// groupWeak goes by the partition of the group's coordinator.
func (w *Windows) groupWeak(group string, call, ret int64) bool {
	return w.offsets > 0 && w.Weak(history.Key("__consumer_offsets", partitionOf(group, w.offsets)), call, ret)
}

// partitionOf is Kafka's: the hash of a Java string, made positive, modulo the partitions.
func partitionOf(group string, partitions int) int32 {
	h := int32(0)
	for _, c := range group {
		h = 31*h + c
	}
	return (h & 0x7fffffff) % int32(partitions)
}
