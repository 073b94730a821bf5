package run

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// maxOps is how many operations a report has: of more, the plain successes among them are thinned out.
const maxOps = 12000

// Observe makes the run keep what Report needs, and gives what is to be its Observer, as it is among its Options from now on. It is called before the
// run, and changes nothing in it.
func (r *Run) Observe() cluster.Observer {
	a := newAccount(r.Judge)
	r.Judge.account, r.Options.Observer = a, a
	for i, c := range r.Options.Clients {
		id := i
		if x, ok := c.(interface{ ID() int }); ok {
			id = x.ID()
		}
		a.roles = append(a.roles, report.Role{ID: id, Name: strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", c), "*client."))})
	}
	return a
}

// Report tells of the run once it is over. Head lacks what the command alone knows.
func (r *Run) Report(res *cluster.Result) *report.Run {
	a, j := r.Judge.account, r.Judge
	a.notes()
	end := int64(res.Virtual)
	out := &report.Run{Head: report.Head{Seed: j.plan.Seed, Plan: j.plan.Sum(), Trace: res.Trace, Nodes: j.plan.Nodes, Shards: j.plan.Shards, Clients: len(a.roles),
		Flush: j.plan.Flush, End: end, Healed: int64(a.healed), Events: res.Events}, Roles: a.roles, Changes: a.counts, Cut: a.cut}
	out.Checks = j.checks()
	out.Faults = counted(j, res)
	out.Lanes, out.Spans, out.Control = a.nodes, a.spans, a.control
	for i := range out.Lanes {
		ends(out.Lanes[i].Lives, end)
	}
	ends(out.Spans, end)
	ends(out.Control, end)
	slices.Sort(a.order)
	for _, k := range a.order {
		if p := a.parts[k].done(end); len(p.Leaders)+len(p.States) > 0 {
			out.Parts = append(out.Parts, p)
		}
	}
	var f focus
	all := known(j.Events)
	if v := res.Violation; v != nil {
		out.Violation = &report.Violation{Property: v.Property, At: int64(v.At), Was: v.Was, Is: v.Is, Key: named(v.Was+" "+v.Is, a.order), Last: res.Last, Stack: ""}
		f = focused(out.Violation, j.Events)
		a.explain(out, all, &f)
	}
	out.Ops = a.ops(end, &f)
	if out.Violation != nil {
		witness(out.Violation, j.Events, out.Ops)
	}
	out.Grids = a.grids(all, f.key)
	return out
}

// explain adds what a report of a violation has beside: what was sent and where copies stood before it, what no model explains, and the records nearby.
func (a *account) explain(out *report.Run, all map[string]*knowledge, f *focus) {
	v := out.Violation
	v.Offset, v.Record = f.offset, f.ok
	out.Messages = a.before(v)
	if x := a.parts[v.Key]; x != nil {
		out.Copies = x.changed()
	}
	out.Windows = windows(a.j.Events, v)
	out.Near = near(a.j.Events, all, f)
}

// ends closes what was still so when the run ended.
func ends(spans []report.Span, end int64) {
	for i := range spans {
		if spans[i].End < 0 || spans[i].End > end {
			spans[i].End = end
		}
	}
}

// checks gives every property with its checks, by name.
func (j *Judge) checks() (all []report.Check) {
	made, undecided := j.Checked(), j.suite.Undecided()
	for _, n := range sorted(made) {
		all = append(all, report.Check{Name: n, Checked: made[n], Unchecked: undecided[n]})
	}
	return all
}

// counted gives the classes of fault that the plan has, or that acted.
func counted(j *Judge, res *cluster.Result) (all []report.FaultCount) {
	for c := fault.None + 1; c < fault.Count; c++ {
		on := j.plan.Swarm.On(c) || slices.ContainsFunc(j.plan.Faults, func(f fault.Fault) bool { return f.Class == c })
		if n := res.Faults[c.String()]; on || n > 0 {
			all = append(all, report.FaultCount{Class: c.String(), On: on, Count: n})
		}
	}
	return all
}

// named gives the partition that a text speaks of: the first of the longest keys that occur in it.
func named(text string, keys []string) (key string) {
	for _, k := range keys {
		i := strings.Index(text, k)
		whole := i >= 0 && (i+len(k) == len(text) || text[i+len(k)] < '0' || text[i+len(k)] > '9') && (i == 0 || !nameByte(text[i-1]))
		if whole && len(k) > len(key) {
			key = k
		}
	}
	return key
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// before gives the messages that were under way or taken before a violation, and says which of them name its topic.
func (a *account) before(v *report.Violation) (out []report.Message) {
	topic, _ := history.SplitKey(v.Key)
	var id []byte
	if img := a.j.view.Image(); img != nil && v.Key != "" {
		for _, t := range img.Topics() {
			if t.Name == topic {
				id = t.ID[:]
			}
		}
	}
	grouped := strings.HasPrefix(v.Property, "I:G") || v.Property == "history:M3"
	for _, m := range a.last() {
		named := v.Key != "" && m.key != raftKey && (grouped || !ofGroups(m.key))
		m.About = named && (bytes.Contains(m.head, []byte(topic)) || id != nil && bytes.Contains(m.head, id))
		m.About = m.About || m.to != nil && m.to.About
		out = append(out, m.Message)
	}
	a.cut["messages"] += a.sent - int64(len(out))
	return out
}

// ops pairs what clients asked with what they were told.
func (a *account) ops(end int64, f *focus) []report.Op {
	var all []report.Op
	var held []bool // by index: it has to do with the record in question
	open := map[int32]int{}
	for _, e := range a.j.Events {
		switch {
		case e.Process < 0:
		case e.Type == history.Invoke:
			open[e.Process] = len(all)
			o := report.Op{Client: history.ClientOf(e.Process), Slot: int(e.Process) % history.Slots, F: e.F, Begin: int64(e.Time), End: end, Type: "open", Text: told(e)}
			if len(e.Ops) > 0 {
				o.Key = e.Ops[0].Key
			}
			all, held = append(all, o), append(held, slices.ContainsFunc(e.Ops, func(o history.Op) bool { return f.holds(&o) }))
		default:
			i, ok := open[e.Process]
			if !ok || all[i].F != e.F {
				continue // a note
			}
			delete(open, e.Process)
			all[i].End, all[i].Type, all[i].Text = int64(e.Time), e.Type.String(), cmp.Or(told(e), all[i].Text)
			if e.Type == history.OK { // what it asked for is not what it got
				held[i] = slices.ContainsFunc(e.Ops, func(o history.Op) bool { return f.holds(&o) }) || held[i] && e.F == history.Send.String()
			}
		}
	}
	f.mark(all, held)
	return a.thinned(all)
}

// thinned leaves out every so many of those that simply succeeded.
func (a *account) thinned(all []report.Op) []report.Op {
	if len(all) <= maxOps {
		return all
	}
	every := (len(all) + maxOps - 1) / maxOps
	kept := make([]report.Op, 0, maxOps)
	for i := range all {
		if len(kept) < maxOps && (i%every == 0 || all[i].About || all[i].Type != history.OK.String()) {
			kept = append(kept, all[i])
		}
	}
	a.cut["operations"] += int64(len(all) - len(kept))
	return kept
}

// told says what an operation asked, or was told, in a few words.
func told(e *history.Event) string {
	var b []string
	if len(e.Ops) > 0 {
		o := &e.Ops[0]
		switch o.Kind {
		case history.Send:
			acks := strings.Replace(fmt.Sprint(o.Acks), "-1", "all", 1)
			b = append(b, fmt.Sprintf("%d records, acks=%s", len(o.Records), acks))
			if e.Type == history.OK && len(o.Records) > 0 {
				b = append(b, fmt.Sprintf("at offset %d", o.Records[0].Offset))
			}
		case history.Poll:
			b = append(b, fmt.Sprintf("from %d", o.From))
			if e.Type == history.OK {
				b = append(b, fmt.Sprintf("%d records, high watermark %d", len(o.Records), o.HW))
			}
		case history.Seen:
			b = append(b, fmt.Sprintf("from %d to %d, last stable %d", o.From, o.Offset, o.HW))
		default:
			if o.Offset >= 0 {
				b = append(b, fmt.Sprintf("offset %d", o.Offset))
			}
			for _, s := range [...]string{o.Meta, o.Member, o.Got} {
				if s != "" {
					b = append(b, s)
				}
			}
		}
		if len(e.Ops) > 1 {
			b = append(b, fmt.Sprintf("and %d more", len(e.Ops)-1))
		}
	}
	if e.Err != "" {
		b = append(b, e.Err)
	}
	return clip(strings.Join(b, ", "))
}

// clip bounds a text.
func clip(s string) string {
	if r := []rune(s); len(r) > 160 {
		return string(r[:159]) + "…"
	}
	return s
}
