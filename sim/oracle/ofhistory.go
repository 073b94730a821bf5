package oracle

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
)

// ofHistory are the oracles of transactions: what they need to see is in a history, also in one of real processes.
func ofHistory() *Suite {
	g := &ghosts{byKey: map[string]*ghost{}, open: map[int32][]mark{}}
	x := &transactions{g: g}
	return &Suite{ghosts: g, idempotent: &idempotent{}, exercised: newExercised(g), oracles: []Oracle{x, &exactlyOnce{g: g}, &cuts{g: g, x: x}, &transfers{x: x}, &unread{g: g}}}
}

// CheckHistory judges a history that is whole: package anomaly's checkers and models, and the oracles of transactions under their own names.
func CheckHistory(events []*history.Event) *anomaly.Results {
	res, s := anomaly.Check(events), ofHistory()
	var first error
	for _, e := range events {
		if err := s.Event(e); err != nil && first == nil {
			first = err
		}
	}
	if first == nil {
		first = s.End(nil)
	}
	checks, _ := s.Checked()
	for name, n := range checks {
		res.Checkers[name] = &anomaly.Result{Valid: true, Checked: n, Judged: true}
	}
	var f *Failure
	if errors.As(first, &f) {
		r := res.Checkers[f.Property]
		if r == nil {
			r = &anomaly.Result{Judged: true, Checked: 1}
			res.Checkers[f.Property] = r
		}
		r.Valid, r.Found, r.Errors = false, r.Found+1, append(r.Errors, strings.TrimPrefix(f.Error(), f.Property+": "))
		res.Valid = false
	}
	return res
}

// ReadAndCheck judges a history of JSON lines. An error means that it could not be read.
func ReadAndCheck(r io.Reader) (*anomaly.Results, error) {
	events, err := history.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return CheckHistory(events), nil
}
