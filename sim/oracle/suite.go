package oracle

import (
	"fmt"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
)

// Oracle checks one property.
type Oracle interface {
	// Name is the property's id in reports, such as "I:I3".
	Name() string
	// Checks is how many comparisons were made so far.
	Checks() int64
	// Event is called for each event of the history, in order.
	Event(h *history.Event) error
	// Step is called after each step of the simulator.
	Step(view View) error
	// End is called once, after the last step.
	End(view View) error
}

// Due is an oracle that knows whether the run gave it something to check. One that was due and made no check is dead: the harness failed.
type Due interface{ Due() bool }

// Unchecked is an oracle that may have to leave something unchecked: that is never a pass.
type Unchecked interface{ Unchecked() int64 }

// Failure is a broken property: what was, what is, and the event that showed it (-1: a look into a node).
type Failure struct {
	Property string
	What     string
	Was, Is  string
	Event    int64
}

// Error gives the failure in one line.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s: %s: was %s, is %s", f.Property, f.What, f.Was, f.Is)
	if f.Event >= 0 {
		s += fmt.Sprintf(" (event %d)", f.Event)
	}
	return s
}

// Broken gives the failure in the simulator's terms.
func (f *Failure) Broken() (property, was, is string) {
	return f.Property, f.What + ": " + f.Was, f.Is
}

// Suite feeds all oracles. The first failure is kept; feeding goes on to be possible, so that a report can show what follows.
type Suite struct {
	oracles    []Oracle
	ghosts     *ghosts
	idempotent *idempotent
	exercised  *exercised
	events     int64
}

// NewSuite makes the oracles of a run.
func NewSuite() *Suite {
	g := &ghosts{byKey: map[string]*ghost{}, open: map[int32][]mark{}}
	i := &idempotent{}
	r := &replicas{}
	x := &transactions{g: g}
	return &Suite{ghosts: g, idempotent: i, exercised: newExercised(g), oracles: []Oracle{
		i, &recovery{g: g}, &lost{g: g}, &stable{g: g}, &duplicate{g: g}, &dense{g: g}, &highWatermark{g: g}, &crc{}, &logStart{g: g},
		&commits{g: g}, &owners{g: g}, &producerIDs{}, &exactErrors{g: g}, &answered{}, &prompt{g: g}, &reachEnd{}, &whole{},
		&candidates{r: r}, &epochs{r: r}, &images{r: r}, &matching{name: "I:I4", r: r}, &quorum{}, &fencing{}, &returns{},
		newStrong(r), &leaderInISR{r: r}, &superset{r: r}, &fetchers{r: r}, &expansion{r: r}, x, &exactlyOnce{g: g},
		&cuts{g: g, x: x}, &transfers{x: x}, &promptStable{g: g}, &epochEnds{g: g}, &unread{g: g},
	}}
}

// Event hands an event to all oracles.
func (s *Suite) Event(h *history.Event) error {
	var first error
	s.hear(h, func(err error) {
		if first == nil {
			first = err
		}
	})
	return first
}

// hear hands an event to all oracles, and gives each failure.
func (s *Suite) hear(h *history.Event, found func(error)) {
	s.events++
	s.ghosts.before(h)
	for _, o := range s.oracles {
		if err := o.Event(h); err != nil {
			found(err)
		}
	}
	s.exercised.event(h)
	s.ghosts.after(h)
}

// Judge hears a whole history, and gives all that any oracle finds in it, not the first failure alone. The view is that of its end.
func (s *Suite) Judge(events []*history.Event, v View) (all []error) {
	found := func(err error) { all = append(all, err) }
	for _, e := range events {
		s.hear(e, found)
	}
	for _, o := range s.oracles {
		if w, ok := o.(*whole); ok {
			w.judge(found)
		} else if err := o.End(v); err != nil {
			found(err)
		}
	}
	return all
}

// Step hands a look into the nodes to all oracles.
func (s *Suite) Step(v View) error {
	for _, o := range s.oracles {
		if err := o.Step(v); err != nil {
			return err
		}
	}
	return nil
}

// End lets all oracles draw their conclusions.
func (s *Suite) End(v View) error {
	for _, o := range s.oracles {
		if err := o.End(v); err != nil {
			return err
		}
	}
	return nil
}

// Checked is the number of checks by property, and how many properties' worth of work could not be checked.
func (s *Suite) Checked() (checks map[string]int64, unchecked int64) {
	checks = map[string]int64{}
	for _, o := range s.oracles {
		checks[o.Name()] += o.Checks()
		if a, ok := o.(interface{ add(map[string]int64) }); ok {
			a.add(checks)
		}
		if u, ok := o.(Unchecked); ok {
			unchecked += u.Unchecked()
		}
	}
	return checks, unchecked
}

// Undecided is what could not be checked, by property. A checker of the whole history stands under its own name.
func (s *Suite) Undecided() map[string]int64 {
	left := map[string]int64{}
	for _, o := range s.oracles {
		if w, ok := o.(*whole); ok {
			w.undecided(left)
		} else if u, ok := o.(Unchecked); ok {
			left[o.Name()] += u.Unchecked()
		}
	}
	return left
}

// Alive says which oracles made no check although the run gave them reason to: an error of the harness, not of the broker.
func (s *Suite) Alive() error {
	var dead []string
	for _, o := range s.oracles {
		if d, ok := o.(Due); ok && d.Due() && o.Checks() == 0 {
			dead = append(dead, o.Name())
		}
	}
	checks, _ := s.Checked()
	for name := range s.exercised.due {
		if checks[name] == 0 {
			dead = append(dead, name)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	sort.Strings(dead)
	return fmt.Errorf("oracles without a check in a run that exercised them: %s", strings.Join(dead, ", "))
}

// quiet is embedded by oracles that need only some of the calls.
type quiet struct{ checks int64 }

func (q *quiet) Checks() int64              { return q.checks }
func (q *quiet) Event(*history.Event) error { return nil }
func (q *quiet) Step(View) error            { return nil }
func (q *quiet) End(View) error             { return nil }

func fail(property, what string, event int64, was, is any) error {
	return &Failure{Property: property, What: what, Was: fmt.Sprint(was), Is: fmt.Sprint(is), Event: event}
}

// facts are shared by all through the ghosts.
type facts = anomaly.Facts

// OfClusters says whether a property is one of several brokers: a run of one gives it nothing to look at.
func OfClusters(name string) bool {
	switch name {
	case "I:I1", "I:I4", "I:I6", "I:I7", "I:I8", "I:I9", "I:I11", "I:I12", "I:I14", "leader-epochs", "fenced-in-vain", "unclean-return", "epoch-end":
		return true
	}
	return strings.HasPrefix(name, "I:K") || strings.HasSuffix(name, " weak reads") // nobody deposes a broker alone
}

// Enough is in how many runs, of one broker or of several, a property is looked at once, as far as chance goes. 0: such runs give it nothing to
// look at.
func Enough(name string, several bool) int {
	switch {
	case OfClusters(name) && !several, name == "I:S2" && several: // a recovery is rehearsed where nobody else is needed for it
		return 0
	case name == "history:M5 strong reads": // of a cluster that is whole and at rest, which workloads of real processes end with
		return 0
	case name == "fenced-in-vain": // one run in thirty is calm for so long
		return 600
	}
	return 50
}
