package report

import (
	"cmp"
	"fmt"
	"slices"
)

// taleRest is how many sentences of a tale are about what happened to the cluster, beside those about the record and the end.
const taleRest = 6

// Tale tells in plain sentences, in the order of time, what went wrong. It says only what was seen; nil if nothing broke.
func (r *Run) Tale() []string {
	v := r.Violation
	if v == nil {
		return nil
	}
	rest := r.fortunes()
	rest = rest[max(0, len(rest)-taleRest):]
	all := slices.Concat(r.witnesses(), rest)
	slices.SortStableFunc(all, func(a, b clause) int { return cmp.Compare(a.at, b.at) })
	var tale []string
	for _, c := range all {
		tale = append(tale, c.text)
	}
	end := fmt.Sprintf("At %s %s is found broken: %s. It should be: %s.", Seconds(v.At), v.Property, trimStop(v.Is), trimStop(v.Was))
	return append(tale, end)
}

func trimStop(s string) string {
	for len(s) > 0 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// clause is a sentence of a tale.
type clause struct {
	at   int64
	text string
}

// witnesses say who sent the record in question, what it was told, and who read it.
func (r *Run) witnesses() (all []clause) {
	v := r.Violation
	what := "the record in question"
	if v.Record {
		what = fmt.Sprintf("offset %d of %s", v.Offset, v.Key)
	}
	value := "" // the first sender's; others may have been told of the same offset
	for _, n := range r.Near {
		if n.Offset == v.Offset && n.Value != "" {
			value = " (" + n.Value + ")"
		}
	}
	reads := 0
	for i := range r.Ops {
		o := &r.Ops[i]
		if !o.About || o.Begin > v.At {
			continue
		}
		who := "client " + r.clientName(o.Client)
		send, poll := o.F == "send" && v.Record, o.F == "poll" && v.Record
		named := what
		if send {
			named, value = what+value, ""
		}
		switch {
		case !send && !poll:
			all = append(all, clause{o.End, fmt.Sprintf("At %s %s asks: %s %s; at %s it has its answer: %s (%s).", Seconds(o.Begin), who, o.F, o.Key, Seconds(o.End), o.Type, o.Text)})
		case send && o.Type == "ok":
			all = append(all, clause{o.End, fmt.Sprintf("At %s %s is told that its batch with %s is stored (%s).", Seconds(o.End), who, named, o.Text)})
		case send && o.Type == "open":
			all = append(all, clause{o.Begin, fmt.Sprintf("At %s %s sends %s, and is never answered.", Seconds(o.Begin), who, named)})
		case send:
			all = append(all, clause{o.End, fmt.Sprintf("At %s %s sends %s, and at %s it has no acknowledgement (%s: %s).", Seconds(o.Begin), who, named, Seconds(o.End), o.Type, o.Text)})
		case reads == 0:
			reads++
			all = append(all, clause{o.End, fmt.Sprintf("At %s %s has read %s.", Seconds(o.End), who, what)})
		default:
			all = append(all, clause{o.End, fmt.Sprintf("The last to read it is %s, at %s.", who, Seconds(o.End))})
		}
	}
	return all
}

// fortunes say what became of nodes, of the leadership and of copies, in order.
func (r *Run) fortunes() (all []clause) {
	v := r.Violation
	put := func(at int64, format string, args ...any) {
		if at <= v.shown() && at > 0 {
			all = append(all, clause{at, fmt.Sprintf("At %s ", Seconds(at)) + fmt.Sprintf(format, args...) + "."})
		}
	}
	for n := range r.Lanes {
		for _, l := range r.Lanes[n].Lives {
			if l.End < r.End {
				_, how, _ := cutLast(l.Text, ", ")
				text := fmt.Sprintf("n%d is %s", n+1, how)
				if how == "lost its power" {
					text = fmt.Sprintf("n%d loses its power", n+1)
				}
				if c, ok := r.copyAt(n+1, l.End); ok {
					text += fmt.Sprintf("; its log of %s ends at %d and is synced up to %d", v.Key, c.End, c.Synced)
				}
				put(l.End, "%s", text)
			}
		}
	}
	last := map[int]Copy{}
	for _, c := range r.Copies {
		was, known := last[c.Node]
		last[c.Node] = c
		switch {
		case c.Fresh && known:
			put(c.At, "n%d has come back and finds %s with end %d", c.Node, v.Key, c.End)
		case known && c.End < was.End:
			put(c.At, "n%d cuts its log of %s from %d to %d", c.Node, v.Key, was.End, c.End)
		}
	}
	for i := range r.Parts {
		if p := &r.Parts[i]; p.Key == v.Key {
			for k, l := range p.Leaders {
				if k > 0 || l.Epoch > 0 {
					put(l.Begin, "n%d begins to lead %s in epoch %d", l.Node, v.Key, l.Epoch)
				}
			}
		}
	}
	if v.Key == "" {
		for _, c := range r.Control {
			put(c.Begin, "n%d begins to lead the quorum", c.Node)
		}
	}
	slices.SortStableFunc(all, func(a, b clause) int { return cmp.Compare(a.at, b.at) })
	return all
}

// cutLast cuts a text at the last separator: "process 1", "killed".
func cutLast(s, sep string) (before, after string, ok bool) {
	for i := len(s) - len(sep); i >= 0; i-- {
		if s[i:i+len(sep)] == sep {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, s, false
}
