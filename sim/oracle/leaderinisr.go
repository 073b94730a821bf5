package oracle

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
)

// leaderInISR: who leads is in sync; and where nobody is, there is a way back: ELR, the last known ELR, or whoever led last (I:I7).
// Source: kip_966_properties.tla, which lets the ISR be empty only so.
type leaderInISR struct {
	quiet
	r    *replicas
	last *metadata.Image
}

func (l *leaderInISR) Name() string { return "I:I7" }
func (l *leaderInISR) Due() bool    { return l.r.image != nil && len(l.r.order) > 0 }

func (l *leaderInISR) Step(v View) error {
	if v.Nodes() == 1 || l.r.image == nil || l.r.image == l.last {
		return nil
	}
	l.last = l.r.image
	for _, t := range l.last.Topics() {
		for i := range t.Partitions {
			l.checks++
			if want, is := outOfSync(&t.Partitions[i]); want != "" {
				return fail(l.Name(), fmt.Sprintf("%s/%d at metadata index %d", t.Name, i, l.last.Index()), -1, want, is)
			}
		}
	}
	return nil
}

func outOfSync(p *metadata.Partition) (want, is string) {
	switch {
	case p.Leader != metadata.NoLeader && !slices.Contains(p.ISR, p.Leader):
		return "a leader in the ISR", fmt.Sprintf("leader %d, ISR %v", p.Leader, p.ISR)
	case len(p.ISR)+len(p.ELR)+len(p.LastKnownELR) == 0 && p.LastLeader <= 0:
		return "an ISR, an ELR, a last known ELR, or a last leader", "none"
	}
	return "", ""
}
