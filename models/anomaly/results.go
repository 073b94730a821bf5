package anomaly

import (
	"fmt"
	"io"

	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// maxErrors bounds how many findings of one checker are written out.
const maxErrors = 10

// Result is what one checker found.
type Result struct {
	Valid     bool     `json:"valid"`
	Checked   int64    `json:"checked"`
	Unchecked int64    `json:"unchecked,omitempty"`
	Strong    int64    `json:"strong_reads,omitempty"`
	Weak      int64    `json:"weak_reads,omitempty"`
	Found     int64    `json:"found,omitempty"`
	Judged    bool     `json:"judged"` // false: reported, legal
	Errors    []string `json:"errors,omitempty"`
}

func (r *Result) fault(format string, args ...any) {
	r.Found++
	if len(r.Errors) < maxErrors {
		r.Errors = append(r.Errors, fmt.Sprintf(format, args...))
	}
}

// Results is the outcome for a history.
type Results struct {
	Valid     any                `json:"valid"` // true, false or "unknown"
	Ops       int                `json:"ops"`
	Unchecked int64              `json:"unchecked"`
	Checkers  map[string]*Result `json:"checkers"`
}

// Exit is the exit code of `build/sim check`: 0 valid, 1 a property is broken, 2 not everything could be checked.
func (r *Results) Exit() int {
	switch r.Valid {
	case true:
		return 0
	case false:
		return 1
	}
	return 2
}

// checker looks for one anomaly. legal ones are reported only.
type checker struct {
	name  string
	legal bool
	run   func(x *index, r *Result)
}

// checkers are all of them, by name.
var checkers = []checker{
	{name: "aborted-read", run: abortedRead},
	{name: "G0", run: circularWrite, legal: true},
	{name: "G1c", run: circularRead},
	{name: "G1c-ww", run: circularFlow, legal: true},
	{name: "bad-answer", run: badAnswer},
	{name: "commit-regression", run: commitRegression},
	{name: "double-owner", run: doubleOwner},
	{name: "duplicate", run: duplicate},
	{name: "expired-alive", run: expiredAlive},
	{name: "inconsistent-offsets", run: inconsistentOffsets},
	{name: "int-nonmonotonic-poll", run: intNonmonotonicPoll},
	{name: "int-nonmonotonic-send", run: intNonmonotonicSend},
	{name: "int-poll-skip", run: intPollSkip},
	{name: "int-send-skip", run: intSendSkip, legal: true},
	{name: "list-offsets-regression", run: listOffsetsRegression},
	{name: "lost-write", run: lostWrite},
	{name: "nonmonotonic-poll", run: nonmonotonicPoll},
	{name: "nonmonotonic-send", run: nonmonotonicSend},
	{name: "phantom-offset", run: phantomOffset},
	{name: "phantom-value", run: phantomValue},
	{name: "poll-skip", run: pollSkip},
	{name: "precommitted-read", run: precommittedRead},
	{name: "producer-id-reuse", run: producerIDReuse},
	{name: "stuck", run: stuck},
	{name: "unanswered", run: unanswered},
	{name: "unseen", run: unseen},
	{name: "wrong-error", run: wrongError},
}

// CheckHistory judges a history of JSON lines. An error means that it could not be read.
func CheckHistory(r io.Reader) (*Results, error) {
	events, err := history.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return Check(events), nil
}

// Check judges a history.
func Check(events []*history.Event) *Results {
	x := newIndex(events)
	res := &Results{Valid: true, Ops: len(x.calls), Checkers: map[string]*Result{}}
	for _, c := range checkers {
		r := &Result{Judged: !c.legal}
		c.run(x, r)
		r.Valid = r.Found == 0 || c.legal
		res.Checkers[c.name] = r
	}
	for _, m := range models.Check(events, x.facts.options()) {
		res.model(m)
	}
	for _, r := range res.Checkers {
		res.Unchecked += r.Unchecked
		if !r.Valid {
			res.Valid = false
		}
	}
	if res.Valid == true && res.Unchecked > 0 {
		res.Valid = "unknown"
	}
	return res
}

// options are what models have to know of a run.
func (f *Facts) options() models.Options {
	return models.Options{ProducersExpire: f.ProducersExpire, OffsetsExpire: f.OffsetsExpire, TxnPartitions: f.TxnPartitions, FirstEpoch: int16(f.FirstEpoch)}
}

// Unordered gives what the models say of the keys of which no order explains the history, as far as it goes: what is open may still take effect.
func Unordered(events []*history.Event) (all []models.Result) {
	facts := newIndex(events).facts
	for _, m := range models.Check(events, facts.options()) {
		if m.Verdict == models.Illegal {
			all = append(all, m)
		}
	}
	return all
}

func (res *Results) model(m models.Result) {
	r := res.Checkers[m.Model]
	if r == nil {
		r = &Result{Valid: true, Judged: true}
		res.Checkers[m.Model] = r
	}
	r.Strong, r.Weak = r.Strong+int64(m.Strong), r.Weak+int64(m.Weak)
	switch m.Verdict {
	case models.OK:
		r.Checked += int64(m.Ops)
	case models.Unchecked:
		r.Unchecked++
	default:
		r.Checked += int64(m.Ops)
		r.Valid = false
		r.fault("%s: %s", m.Key, m.Detail)
	}
}
