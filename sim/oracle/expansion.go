package oracle

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
)

// expansion: who comes into the ISR fetches in the leader's epoch, and has all that stands below the high watermark and below the begin of
// that epoch (I:I12): below the begin, the high watermark may lag behind what an earlier leader has committed. Source: Kip320.tla.
type expansion struct {
	quiet
	r *replicas
}

func (x *expansion) Name() string { return "I:I12" }

func (x *expansion) Step(v View) error {
	if v.Nodes() == 1 || !x.r.changed || x.r.prior == nil {
		return nil
	}
	for _, k := range x.r.order {
		was, is := stateIn(x.r.prior, k), x.r.state(k)
		if was == nil || is == nil || was == is || was.LeaderEpoch != is.LeaderEpoch || is.Leader < 1 {
			continue
		}
		if err := x.grown(v, x.r.parts[k], was, is); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) grown(v View, c *copies, was, is *metadata.Partition) error {
	leader := c.shown(v, int(is.Leader)-1)
	if leader == nil || !leader.Leader || leader.Epoch != is.LeaderEpoch {
		return nil
	}
	for _, id := range is.ISR {
		p := c.shown(v, int(id)-1)
		if p == nil || slices.Contains(was.ISR, id) {
			continue
		}
		x.checks++
		what := fmt.Sprintf("node %d comes into the ISR of %s, led by %d in epoch %d", id, c.name, is.Leader, is.LeaderEpoch)
		switch e := end(v, p); {
		case p.Epoch < is.LeaderEpoch:
			return fail(x.Name(), what, -1, "it fetches in that epoch", "in epoch "+itoa(int64(p.Epoch)))
		case e < leader.EpochStart:
			return fail(x.Name(), what, -1, "it has reached the epoch's begin at "+itoa(leader.EpochStart), "its log ends at "+itoa(e))
		case e < leader.HW:
			return fail(x.Name(), what, -1, "it has reached the high watermark "+itoa(leader.HW), "its log ends at "+itoa(e))
		}
	}
	return nil
}
