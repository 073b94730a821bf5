package oracle

import (
	"fmt"
	"sort"

	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
)

// whole keeps the history and judges it at the end: porcupine's models M1 to M5, and the anomalies of package anomaly.
type whole struct {
	quiet
	events  []*history.Event
	results *anomaly.Results
}

func (w *whole) Name() string { return "history" }
func (w *whole) Due() bool    { return len(w.events) > 0 }

func (w *whole) Event(e *history.Event) error {
	w.events = append(w.events, e)
	return nil
}

func (w *whole) End(View) (first error) {
	w.judge(func(err error) {
		if first == nil {
			first = err
		}
	})
	return first
}

// judge gives what each checker finds, by name.
func (w *whole) judge(found func(error)) {
	w.results = anomaly.Check(w.events)
	names := make([]string, 0, len(w.results.Checkers))
	for n := range w.results.Checkers {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		c := w.results.Checkers[n]
		w.checks += c.Checked
		if !c.Valid {
			found(fail("history:"+n, fmt.Sprintf("%d found", c.Found), -1, "none", c.Errors[0]))
		}
	}
}

// Unchecked implements Unchecked.
func (w *whole) Unchecked() int64 {
	if w.results == nil {
		return 0
	}
	return w.results.Unchecked
}

// undecided gives what each checker could not decide.
func (w *whole) undecided(left map[string]int64) {
	if w.results == nil {
		return
	}
	for n, c := range w.results.Checkers {
		left["history:"+n] += c.Unchecked
	}
}

// add gives the checks of each checker.
func (w *whole) add(checks map[string]int64) {
	if w.results == nil {
		return
	}
	for n, c := range w.results.Checkers {
		checks["history:"+n] += c.Checked
		if c.Strong+c.Weak > 0 {
			checks["history:"+n+" strong reads"] += c.Strong
			checks["history:"+n+" weak reads"] += c.Weak
		}
	}
}
