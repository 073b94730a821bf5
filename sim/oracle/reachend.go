package oracle

import (
	"sort"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// reachEnd: after healing, each partition that is read by assignment, and each that a group subscribed to, has a reader that stands at
// its end.
type reachEnd struct {
	quiet
	assigned map[string]bool // partitions
	groups   map[string]bool // "group|topic"
	reached  map[string]bool // partitions and group keys
	healed   bool
}

func (r *reachEnd) Name() string { return "readers-reach-the-end" }
func (r *reachEnd) Due() bool    { return r.healed && len(r.assigned) > 0 }

func (r *reachEnd) Event(e *history.Event) error {
	if r.reached == nil {
		r.assigned, r.groups, r.reached = map[string]bool{}, map[string]bool{}, map[string]bool{}
	}
	for _, k := range e.Keys {
		switch e.F {
		case "assign":
			r.assigned[k] = true
		case "subscribe":
			r.groups[k] = true
		}
	}
	for i := range e.Ops {
		switch o := &e.Ops[i]; {
		case o.Kind == history.CaughtUp:
			r.reached[o.Key] = true
		case o.Kind == history.Phase && o.Meta == "liveness":
			r.healed = true
		}
	}
	return nil
}

func (r *reachEnd) End(v View) error {
	if _, ok := v.Healed(); !ok && !r.healed {
		return nil
	}
	var late []string
	for k := range r.assigned {
		r.checks++
		if !r.reached[k] {
			late = append(late, k)
		}
		topic, _ := history.SplitKey(k)
		for g := range r.groups {
			group, subscribed, _ := strings.Cut(g, "|")
			if subscribed != topic {
				continue
			}
			r.checks++
			if at := history.GroupKey(group, k); !r.reached[at] {
				late = append(late, at)
			}
		}
	}
	if len(late) == 0 {
		return nil
	}
	sort.Strings(late)
	return fail(r.Name(), "at the end of the liveness phase", -1, "every partition read to its end", strings.Join(late, " ")+" not")
}
