package run

import (
	"slices"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// nearOffsets is how many records before and behind that of the violation are told of one by one.
const nearOffsets = 5

// near tells what is known of the records around the one that a violation speaks of: who sent each, what it was told, and who read it when.
func near(events []*history.Event, all map[string]*knowledge, f *focus) []report.Near {
	k := all[f.key]
	if !f.ok || k == nil || len(k.at) == 0 {
		return nil
	}
	var rows []report.Near
	row := map[int64]int{}
	values := map[history.Value]int{}
	for o := max(0, f.offset-nearOffsets); o <= f.offset+nearOffsets; o++ {
		n := report.Near{Offset: o, Told: string(report.ToldNothing), SentAt: -1}
		if v, ok := k.at[o]; ok {
			n.Value, values[v] = v.String(), len(rows)
			if t := k.told[v]; t != 0 {
				n.Told = string(t)
			}
		}
		row[o] = len(rows)
		rows = append(rows, n)
	}
	for _, e := range events {
		for i := range e.Ops {
			for _, r := range recordsOf(&e.Ops[i], f.key) {
				switch {
				case e.Ops[i].Kind == history.Send && e.Type == history.Invoke:
					if at, ok := values[r.Value]; ok && rows[at].SentAt < 0 {
						rows[at].Sender, rows[at].SentAt = history.ClientOf(e.Process), int64(e.Time)
					}
				case e.Ops[i].Kind == history.Poll && e.Type == history.OK:
					if at, ok := row[r.Offset]; ok {
						sees(&rows[at], e, r.Value)
					}
				}
			}
		}
	}
	for k := len(rows); k > 0 && rows[k-1].Value == "" && rows[k-1].Offset > f.offset; k-- { // behind all that is known
		rows = rows[:k-1]
	}
	return rows
}

// sees notes a client's first look at a record, and every other value that it sees there.
func sees(n *report.Near, e *history.Event, v history.Value) {
	x := report.Seen{Client: history.ClientOf(e.Process), At: int64(e.Time), Value: v.String()}
	if !slices.ContainsFunc(n.Saw, func(s report.Seen) bool { return s.Client == x.Client && s.Value == x.Value }) {
		n.Saw = append(n.Saw, x)
	}
}
