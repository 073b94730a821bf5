package oracle

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
)

// Returns is a View that knows how processes have ended.
type Returns interface {
	Metadata
	// Unclean says that the process of a node before the present one ended before anybody told it to stop, on a disk that keeps what it synced.
	Unclean(node int) bool
	// Registered gives the registration of a node's present process in ImageOf, or nil. A log that is replayed shows those of others first.
	Registered(node int) *metadata.Broker
}

// returns: a broker that comes back after an unclean end stands in no ELR (KIP-966, unclean-return): what it lacks nobody knows yet. It is looked at
// when it first has an image with its new registration, while it is fenced; I:I9 keeps the fenced out of the ISR.
type returns struct {
	quiet
	lives []int // by node: the last process that saw its own registration
}

func (r *returns) Name() string { return "unclean-return" }

func (r *returns) Step(view View) error {
	v, ok := view.(Returns)
	if !ok || v.Nodes() == 1 {
		return nil
	}
	if r.lives == nil {
		r.lives = make([]int, v.Nodes())
	}
	for n, was := range r.lives {
		life := v.Incarnation(n)
		if was == life || !v.Up(n) {
			continue
		}
		b := v.Registered(n)
		if b == nil {
			continue
		}
		r.lives[n] = life
		// A process that never registered may have left the mark of a clean end where it was.
		if b.Fenced && was == life-1 && v.Unclean(n) {
			if err := r.look(n, v.ImageOf(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *returns) look(node int, img *metadata.Image) error {
	id := int32(node + 1)
	r.checks++
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			if p := &t.Partitions[i]; slices.Contains(p.ELR, id) {
				return fail(r.Name(), fmt.Sprintf("broker %d, back after an unclean end, at metadata index %d", id, img.Index()), -1,
					"in no ELR", fmt.Sprintf("%s/%d: ISR %v, ELR %v", t.Name, i, p.ISR, p.ELR))
			}
		}
	}
	return nil
}
