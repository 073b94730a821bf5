package run

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// maxWindows is how many windows a report has, maxWindowOps how many operations one shows: the last ones, and those that have no place.
const (
	maxWindows   = 3
	maxWindowOps = 36
)

// windows gives what the models find no order for in the history as it stands, that of the violation's own partition or group first.
func windows(events []*history.Event, v *report.Violation) (all []report.Window) {
	if len(events) == 0 {
		return nil
	}
	found := anomaly.Unordered(events)
	mine := func(r *models.Result) int {
		switch {
		case strings.Contains(v.Was+v.Is, r.Key):
			return 0
		case v.Key != "" && strings.HasPrefix(r.Key, v.Key):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(found, func(a, b models.Result) int { return cmp.Compare(mine(&a), mine(&b)) })
	for i := range found[:min(maxWindows, len(found))] {
		all = append(all, windowOf(&found[i], events))
	}
	return all
}

func windowOf(r *models.Result, events []*history.Event) report.Window {
	w := report.Window{Model: r.Model, Key: r.Key, Detail: r.Detail}
	if r.Window == nil {
		return w
	}
	place := make([]int, len(r.Window.Ops))
	for k, i := range r.Window.Order {
		place[i] = k + 1
	}
	loose := len(r.Window.Ops) - len(r.Window.Order)
	first := max(0, len(r.Window.Order)-max(maxWindowOps-loose, maxWindowOps/2)) // places up to here are left out
	w.Left = first
	for i := range r.Window.Ops {
		o := &r.Window.Ops[i]
		if place[i] > 0 && place[i] <= first {
			continue
		}
		x := report.WindowOp{Client: history.ClientOf(int32(o.Process)), Begin: o.Call, End: o.Return, What: clip(o.What), Place: place[i], Bad: i == r.Window.Unplaced}
		if o.Return == models.Never {
			x.End = -1
		}
		if o.Call >= 0 && o.Call < int64(len(events)) {
			x.At = int64(events[o.Call].Time)
			if x.Client = -1; events[o.Call].Process >= 0 { // else the ledger's
				x.Client = history.ClientOf(events[o.Call].Process)
			}
		}
		w.Ops = append(w.Ops, x)
	}
	return keepBad(w)
}

// keepBad bounds a window of which very many operations have no place.
func keepBad(w report.Window) report.Window {
	const most = 2 * maxWindowOps
	for over := len(w.Ops) - most; over > 0; over-- {
		i := slices.IndexFunc(w.Ops, func(o report.WindowOp) bool { return !o.Bad })
		w.Ops = slices.Delete(w.Ops, i, i+1)
		w.Left++
	}
	return w
}
