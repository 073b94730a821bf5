package plan

import (
	"encoding/json"

	"github.com/seedlog/seedlog/sim/fault"
)

// Outcome is what a try of a plan came to: the property that it broke ("" none) and when, in virtual ms.
type Outcome struct {
	Property string
	AtMS     int64
}

// Shrinker makes a failing plan smaller. A candidate is taken only if it breaks the same property.
type Shrinker struct {
	// Try runs a plan.
	Try func(*Plan) Outcome
	// Workloads gives smaller client programs to try, most reduced first; nil if the workload cannot be cut.
	Workloads func(*Plan) []json.RawMessage
	// More says whether there is time for another try; nil: always.
	More func() bool
	// Tries counts runs.
	Tries int

	property string
	best     *Plan
}

// Shrink returns the smallest plan found that breaks the property that p breaks.
func (s *Shrinker) Shrink(p *Plan, first Outcome) *Plan {
	s.property, s.best = first.Property, p.Clone()
	s.truncate(first.AtMS)
	for {
		before := s.best.Sum()
		s.classes()
		s.topology()
		s.faults()
		s.workload()
		s.durations()
		if s.best.Sum() == before || !s.more() {
			return s.best
		}
	}
}

func (s *Shrinker) more() bool { return s.More == nil || s.More() }

// try takes the candidate if it still fails in the same way.
func (s *Shrinker) try(change func(p *Plan)) bool {
	if !s.more() {
		return false
	}
	c := s.best.Clone()
	change(c)
	if c.check() != nil || c.Sum() == s.best.Sum() {
		return false
	}
	s.Tries++
	o := s.Try(c)
	if o.Property != s.property {
		return false
	}
	s.best = c
	s.cutTail(o.AtMS)
	return true
}

// cutTail drops faults that begin after the violation: they cannot have mattered.
func (s *Shrinker) cutTail(atMS int64) {
	kept := s.best.Faults[:0]
	for _, f := range s.best.Faults {
		if f.At <= atMS {
			kept = append(kept, f)
		}
	}
	s.best.Faults = kept
}

// truncate ends the safety phase at the violation, or earlier.
func (s *Shrinker) truncate(atMS int64) {
	s.cutTail(atMS)
	if atMS < s.best.SafetyMS {
		s.try(func(p *Plan) { p.SafetyMS = max(1, atMS+1) })
	}
	for s.try(func(p *Plan) { p.SafetyMS = max(1, p.SafetyMS/2) }) {
	}
}

// classes turns whole classes off.
func (s *Shrinker) classes() {
	for c := fault.None + 1; c < fault.Count; c++ {
		s.try(func(p *Plan) { p.without(c) })
	}
}

func (p *Plan) without(c fault.Class) {
	swarm := p.Swarm[:0]
	for _, k := range p.Swarm {
		if k.Class != c {
			swarm = append(swarm, k)
		}
	}
	p.Swarm = swarm
	faults := p.Faults[:0]
	for _, f := range p.Faults {
		if f.Class != c {
			faults = append(faults, f)
		}
	}
	p.Faults = faults
}

// topology tries fewer clients, shards and nodes.
func (s *Shrinker) topology() {
	for s.best.Clients > 1 && s.try(func(p *Plan) { p.Clients-- }) {
	}
	for s.best.Shards > 1 && s.try(func(p *Plan) { p.Shards--; p.fold() }) {
	}
	for s.best.Nodes > 1 && s.try(func(p *Plan) { p.Nodes--; p.fold() }) {
	}
	s.try(func(p *Plan) { p.MaxRound = 1 })
}

// fold moves faults to nodes and shards that are still there.
func (p *Plan) fold() {
	for i := range p.Faults {
		f := &p.Faults[i]
		f.Node, f.Shard = min(f.Node, p.Nodes-1), min(f.Shard, p.Shards-1)
	}
}

// faults is ddmin over the schedule: halves, quarters, … down to single faults.
func (s *Shrinker) faults() {
	for n := (len(s.best.Faults) + 1) / 2; n >= 1; n /= 2 {
		for i := 0; i < len(s.best.Faults); {
			if !s.try(func(p *Plan) {
				j := min(i+n, len(p.Faults))
				p.Faults = append(p.Faults[:i:i], p.Faults[j:]...)
			}) {
				i += n
			}
			if !s.more() {
				return
			}
		}
	}
}

func (s *Shrinker) workload() {
	if s.Workloads == nil {
		return
	}
	for again := true; again && s.more(); {
		again = false
		for _, w := range s.Workloads(s.best) {
			if s.try(func(p *Plan) { p.Workload = w }) {
				again = true
				break
			}
		}
	}
}

// durations halves how long, how strong and how late faults are.
func (s *Shrinker) durations() {
	for i := range s.best.Faults {
		at := func(change func(f *fault.Fault)) bool {
			return i < len(s.best.Faults) && s.try(func(p *Plan) { change(&p.Faults[i]) })
		}
		for i < len(s.best.Faults) && s.best.Faults[i].For > 1 && at(func(f *fault.Fault) { f.For /= 2 }) {
		}
		for i < len(s.best.Faults) && (s.best.Faults[i].A > 1 || s.best.Faults[i].A < -1) && at(func(f *fault.Fault) { f.A /= 2 }) {
		}
	}
	for i := range s.best.Swarm {
		for s.best.Swarm[i].P > 1 && s.try(func(p *Plan) { p.Swarm[i].P /= 2 }) {
		}
		for s.best.Swarm[i].A > 1 && s.try(func(p *Plan) { p.Swarm[i].A /= 2 }) {
		}
	}
}
