package oracle

import (
	"fmt"
	"slices"
)

// superset: a leader's high watermark waits for all whom the quorum takes for in sync (I:I8). As long as nobody has deposed it, its maximal
// ISR holds the quorum's, in whatever state it stands; where it has no change under way and knows the newest state, the two are equal. (Where
// the ISR is large enough there is no ELR beside it.) Source: kip_966_properties.tla, ReplicationQuorumSuperset.
type superset struct {
	quiet
	r *replicas
}

func (s *superset) Name() string { return "I:I8" }

// Due says that some copy was seen leading.
func (s *superset) Due() bool {
	for _, k := range s.r.order {
		if len(s.r.parts[k].leaders) > 0 {
			return true
		}
	}
	return false
}

func (s *superset) Step(v View) error {
	if v.Nodes() == 1 || s.r.image == nil {
		return nil
	}
	for _, k := range s.r.due() {
		state, x := s.r.state(k), s.r.parts[k]
		if state == nil || state.Leader < 1 {
			continue
		}
		p := x.shown(v, int(state.Leader)-1)
		if p == nil || !p.Leader || p.Epoch != state.LeaderEpoch || p.PartitionEpoch > state.PartitionEpoch {
			continue
		}
		s.checks++
		what := fmt.Sprintf("%s, led by node %d in epoch %d, partition epoch %d of %d, change under way: %v", x.name, state.Leader, p.Epoch, p.PartitionEpoch, state.PartitionEpoch, p.Pending)
		for _, id := range state.ISR {
			if !slices.Contains(p.Maximal, id) {
				return fail(s.Name(), what, -1, fmt.Sprintf("a maximal ISR that holds the quorum's, %v", state.ISR), fmt.Sprint(p.Maximal))
			}
		}
		if p.PartitionEpoch == state.PartitionEpoch && !p.Pending && len(p.Maximal) != len(state.ISR) {
			return fail(s.Name(), what, -1, fmt.Sprintf("the quorum's ISR, %v", state.ISR), fmt.Sprint(p.Maximal))
		}
	}
	return nil
}
