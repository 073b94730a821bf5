package client

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/core/kerr"
)

// The orders of F:M2 set one setting of a topic:
//
//	minisr     min.insync.replicas, of __consumer_offsets too     segment  internal.segment.bytes, of __consumer_offsets too
//	retention  retention.ms or retention.bytes, so that records go; its end takes it back
//	policy     cleanup.policy to compact, which refuses records without a key, or both; its end takes it back
var settings = map[string]func(*world) string{
	"minisr":  func(w *world) string { return fmt.Sprintf("min.insync.replicas=%d", w.src.Between(1, 3)) },
	"segment": func(w *world) string { return fmt.Sprintf("internal.segment.bytes=%d", w.src.Between(1024, 16384)) },
	"retention": func(w *world) string {
		if w.src.Permille(500) {
			return fmt.Sprintf("retention.ms=%d", w.src.Between(500, 20000))
		}
		return fmt.Sprintf("retention.bytes=%d", w.src.Between(2048, 65536))
	},
	"policy": func(w *world) string { return "cleanup.policy=" + []string{"compact", "compact,delete"}[w.src.Intn(2)] },
}

func (o *Operator) set(x *Order, w *world, draw func(*world) string) {
	set, name := draw(w), o.altered[x.B]
	if x.Undo {
		if name == "" {
			o.over("")
			return
		}
		set, _, _ = strings.Cut(set, "=")
	} else {
		t := w.pick(x.A)
		if c := w.topic(offsetsTopic); x.A < 0 && c != nil && (x.Verb == "minisr" || x.Verb == "segment") {
			t = c
		}
		switch {
		case t == nil:
			o.again()
			return
		case x.Verb == "policy" && !strings.HasPrefix(t.name, "t"):
			o.over("") // who misbehaves expects other errors than those of records without a key
			return
		}
		name = t.name
		o.altered[x.B] = name
	}
	o.alterTopic(o.link, name, set, func(c kerr.Code, err error) {
		if err != nil && x.Verb == "policy" && !x.Undo {
			o.strays = append(o.strays, name)
		}
		o.settled(c, err, name+": "+set)
	})
}
