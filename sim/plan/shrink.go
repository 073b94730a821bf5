package plan

import (
	"encoding/json"
	"slices"
)

// Outcome is what a try of a plan came to: the property that it broke ("" none) and when, in virtual ms.
type Outcome struct {
	Property string
	AtMS     int64
}

// Workload knows the client programs of plans, which this package does not read.
type Workload interface {
	// Programs is how many can be left out.
	Programs(p *Plan) int
	// Leave leaves out those from one to before another.
	Leave(p *Plan, from, to int)
	// Fold moves programs and topics to the nodes that are still there.
	Fold(p *Plan)
	// Simpler gives other ways to make a plan's programs smaller.
	Simpler(p *Plan) []func(p *Plan)
}

// Shrinker makes a failing plan smaller. A candidate is taken only if it breaks the same property.
type Shrinker struct {
	// Try runs a plan. What it breaks after so many virtual ms does not matter.
	Try func(p *Plan, untilMS int64) Outcome
	// Workload makes client programs smaller; nil if they cannot be.
	Workload Workload
	// Sooner says that LivenessMS may become less, since Try knows whether a sound broker would manage.
	Sooner bool
	// More says whether there is time for another try; nil: always.
	More func() bool
	// Taken hears of each smaller plan; may be nil.
	Taken func(p *Plan)
	// Tries counts runs.
	Tries int

	property string
	best     *Plan
	atMS     int64           // when the best one broke it
	failed   map[string]bool // by hash: plans that did not break it
	reseeds  int             // how many other seeds a candidate is tried with
}

// Shrink returns the smallest plan found that breaks the property that p breaks. Fewer events come first (Plan.Events), since each run is the cheaper for
// them; then whatever makes those that are left simpler. What a plan breaks may hang on what its seed draws at run time, so where nothing can be
// left out any more and there is time, candidates are tried with other seeds too.
func (s *Shrinker) Shrink(p *Plan, first Outcome) *Plan {
	s.property, s.best, s.atMS, s.failed, s.reseeds = first.Property, p.Clone(), first.AtMS, map[string]bool{}, 0
	s.truncate()
	for s.reseeds = 0; s.reseeds <= mostReseeds; s.reseeds += 2 {
		s.settle(s.entries)
		if s.best.Events() <= fewEvents {
			break
		}
	}
	s.reseeds = 0
	s.settle(func() {
		s.topology()
		s.entries()
		s.simpler()
		s.settings()
		s.durations()
	})
	return s.best
}

const (
	// mostReseeds bounds how many other seeds a candidate is tried with.
	mostReseeds = 4
	// fewEvents is how small a plan is small enough for people: other seeds are not tried any more.
	fewEvents = 15
)

// settle repeats a pass until it changes nothing.
func (s *Shrinker) settle(pass func()) {
	for s.more() {
		before := s.best.Sum()
		if pass(); s.best.Sum() == before {
			return
		}
	}
}

func (s *Shrinker) more() bool { return s.More == nil || s.More() }

// slack is how much later than the best plan a candidate may break the property, and a second.
const slack = 1.5

// try takes the candidate if it still fails in the same way, with its seed or one that follows.
func (s *Shrinker) try(change func(p *Plan)) bool {
	c := s.best.Clone()
	change(c)
	if c.check() != nil || c.Sum() == s.best.Sum() {
		return false
	}
	for i := 0; i <= s.reseeds && s.more(); i, c.Seed = i+1, c.Seed+1 {
		sum := c.Sum()
		if s.failed[sum] {
			continue
		}
		s.Tries++
		o := s.Try(c, int64(slack*float64(s.atMS))+1000)
		if o.Property != s.property {
			s.failed[sum] = true
			continue
		}
		s.best, s.atMS = c, o.AtMS
		s.cutTail()
		if s.Taken != nil {
			s.Taken(s.best)
		}
		return true
	}
	return false
}

// cutTail drops faults that begin after the violation: they cannot have mattered.
func (s *Shrinker) cutTail() {
	kept := s.best.Faults[:0]
	for _, f := range s.best.Faults {
		if f.At <= s.atMS {
			kept = append(kept, f)
		}
	}
	s.best.Faults = kept
}

// truncate ends the safety phase at the violation. One that shows only after it, since time is over, may show sooner.
func (s *Shrinker) truncate() {
	s.cutTail()
	if s.atMS < s.best.SafetyMS {
		s.try(func(p *Plan) { p.SafetyMS = max(1, s.atMS+1) })
		return
	}
	for s.Sooner && s.best.LivenessMS > leastLiveness && s.try(func(p *Plan) { p.LivenessMS /= 2 }) {
	}
}

// leastLiveness bounds how soon a plan wants a healed cluster to be whole, in virtual ms: less is no fault of a broker's.
const leastLiveness = 15000

// list is one of the lists of which a plan consists.
type list struct {
	length func(p *Plan) int
	leave  func(p *Plan, from, to int)
}

// lists gives those whose entries count.
func (s *Shrinker) lists() []list {
	all := []list{
		{func(p *Plan) int { return len(p.Faults) }, func(p *Plan, i, j int) { p.Faults = slices.Delete(p.Faults, i, j) }},
		{func(p *Plan) int { return len(p.Swarm) }, func(p *Plan, i, j int) { p.Swarm = slices.Delete(p.Swarm, i, j) }},
	}
	if w := s.Workload; w != nil {
		return append(all, list{w.Programs, w.Leave})
	}
	return append(all, list{func(p *Plan) int { return p.Clients - 1 }, func(p *Plan, i, j int) { p.Clients -= j - i }})
}

// entries is ddmin over the lists together, so that what brings most is tried first: whole lists, halves of each, quarters, … down to single entries.
func (s *Shrinker) entries() {
	for parts, last := 1, false; !last; parts *= 2 {
		last = true
		for _, l := range s.lists() {
			n := (l.length(s.best) + parts - 1) / parts
			s.less(l, n)
			last = last && n <= 1
		}
	}
	for s.try(func(p *Plan) { p.SafetyMS = max(1, p.SafetyMS/2) }) {
	}
}

// less leaves out so many entries of a list at a time, the last ones first.
func (s *Shrinker) less(l list, n int) {
	for to := l.length(s.best); n > 0 && to > 0 && s.more(); to = min(to-n, l.length(s.best)) {
		s.try(func(p *Plan) { l.leave(p, max(0, to-n), to) })
	}
}

// topology tries fewer shards and nodes.
func (s *Shrinker) topology() {
	for _, n := range [...]int{1, s.best.Nodes - 2, s.best.Nodes - 1} {
		if n < 1 || n >= s.best.Nodes {
			continue
		}
		s.try(func(p *Plan) { p.Nodes = n; s.fold(p) })
	}
	for s.best.Shards > 1 && s.try(func(p *Plan) { p.Shards--; s.fold(p) }) {
	}
	s.try(func(p *Plan) { p.MaxRound = 1 })
}

// fold moves faults and clients to nodes and shards that are still there.
func (s *Shrinker) fold(p *Plan) {
	for i := range p.Faults {
		f := &p.Faults[i]
		f.Node, f.Shard = min(f.Node, p.Nodes-1), min(f.Shard, p.Shards-1)
	}
	if s.Workload != nil {
		s.Workload.Fold(p)
	}
}

// simpler tries what the workload says would make programs smaller.
func (s *Shrinker) simpler() {
	if s.Workload == nil {
		return
	}
	for again := true; again && s.more(); {
		again = slices.ContainsFunc(s.Workload.Simpler(s.best), s.try)
	}
}

// settings leaves out settings of the broker.
func (s *Shrinker) settings() {
	names := func(p *Plan) (all []string) {
		for k := range p.Settings {
			all = append(all, k)
		}
		slices.Sort(all)
		return all
	}
	l := list{func(p *Plan) int { return len(p.Settings) }, func(p *Plan, i, j int) {
		for _, k := range names(p)[i:j] {
			delete(p.Settings, k)
		}
	}}
	for n := l.length(s.best); n > 0; n /= 2 {
		s.less(l, n)
	}
}

// durations halves how long, how strong and how late faults are.
func (s *Shrinker) durations() {
	for i := range s.best.Faults {
		at := func(change func(p *Plan)) bool { return i < len(s.best.Faults) && s.try(change) }
		for i < len(s.best.Faults) && s.best.Faults[i].For > 1 && at(func(p *Plan) { p.Faults[i].For /= 2 }) {
		}
		for i < len(s.best.Faults) && (s.best.Faults[i].A > 1 || s.best.Faults[i].A < -1) && at(func(p *Plan) { p.Faults[i].A /= 2 }) {
		}
	}
	for i := range s.best.Swarm {
		for s.best.Swarm[i].P > 1 && s.try(func(p *Plan) { p.Swarm[i].P /= 2 }) {
		}
		for s.best.Swarm[i].A > 1 && s.try(func(p *Plan) { p.Swarm[i].A /= 2 }) {
		}
	}
}

// Events is how many entries a plan has: the faults of its schedule, the classes that act all through, and the client programs.
func (p *Plan) Events() int { return len(p.Faults) + len(p.Swarm) + p.clients() }

// clients is how many programs there are; a plan that says nothing of its programs has as many as Clients says.
func (p *Plan) clients() int {
	var w struct{ Programs []json.RawMessage }
	if len(p.Workload) == 0 || json.Unmarshal(p.Workload, &w) != nil {
		return p.Clients
	}
	return len(w.Programs)
}
