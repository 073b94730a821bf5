package oracle

import (
	"fmt"
	"slices"
)

// strong: what stands below the high watermark of any node that takes itself for a leader is in the logs of all members of the quorum's ISR
// (I:I6). Ends are compared in each step, bytes at the end and now and then: up to the leader's high watermark, however low a follower's is.
// Source: kip_966_properties.tla, StrongIsr.
type strong struct {
	quiet
	r     *replicas
	steps int64
	bytes matching // its comparison
}

func newStrong(r *replicas) *strong { return &strong{r: r, bytes: matching{name: "I:I6", r: r}} }

func (s *strong) Name() string  { return "I:I6" }
func (s *strong) Due() bool     { return s.bytes.due }
func (s *strong) Checks() int64 { return s.checks + s.bytes.checks }

func (s *strong) Step(v View) error {
	if v.Nodes() == 1 {
		return nil
	}
	s.steps++
	if err := s.each(v, s.r.due(), s.end); err != nil || s.steps%matchEvery != 0 {
		return err
	}
	return s.each(v, s.r.order, s.equal)
}

func (s *strong) End(v View) error {
	if v.Nodes() == 1 {
		return nil
	}
	return s.each(v, s.r.order, s.equal)
}

// each calls f for each pair of a presumed leader and another member of the quorum's ISR.
func (s *strong) each(v View, of []partition, f func(v View, x *copies, leader, member int) error) error {
	for _, k := range of {
		state, x := s.r.state(k), s.r.parts[k]
		if state == nil || state.Recovering {
			continue
		}
		for n := range x.nodes {
			if p := x.shown(v, n); p == nil || !p.Leader || p.Epoch < x.since || p.HW <= p.Start || !holds(v, n, k) {
				continue
			}
			for _, id := range state.ISR {
				m := int(id) - 1
				if m == n || x.shown(v, m) == nil {
					continue
				}
				s.bytes.due = true
				if err := f(v, x, n, m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// holds says whether a node goes by an image in which it has a replica: one that has been moved away is closed, and shown no more.
func holds(v View, node int, k partition) bool {
	m, ok := v.(Metadata)
	if !ok {
		return true
	}
	state := stateIn(m.ImageOf(node), k)
	return state != nil && slices.Contains(state.Replicas, int32(node+1))
}

func (s *strong) end(v View, x *copies, leader, member int) error {
	s.checks++
	if hw, e := x.nodes[leader].p.HW, end(v, &x.nodes[member].p); e < hw {
		return fail(s.Name(), fmt.Sprintf("%s of node %d, which is in sync while node %d leads in epoch %d", x.name, member+1, leader+1, x.nodes[leader].p.Epoch), -1,
			"a log up to the high watermark "+itoa(hw), "its log ends at "+itoa(e))
	}
	return nil
}

func (s *strong) equal(v View, x *copies, leader, member int) error {
	l, m := &x.nodes[leader].p, &x.nodes[member].p
	ll, ok := s.bytes.read(v, leader, l, l.HW)
	ml, too := s.bytes.read(v, member, m, l.HW)
	if !ok || !too {
		return nil
	}
	return s.bytes.equal(x, leader, member, ll, ml, l.HW)
}
