package replica

import "github.com/seedlog/seedlog/core/plant"

// WatchOwner is told once that one of a watch's partitions may have enough, or that it must look again.
type WatchOwner interface{ Fired(w *Watch) }

// Watch waits on several partitions of one shard for min_bytes in sum (a long poll of Fetch). It fires once: on growth past Need, on a
// failure, or when a partition goes away; whoever set it takes it down with Cancel when its deadline passes or its connection dies.
type Watch struct {
	Owner WatchOwner
	Need  int64 // bytes still missing in sum
	parts []*Partition
	live  bool
}

// Live says whether the watch still waits.
func (w *Watch) Live() bool { return w.live }

// Add puts the watch on p. The caller has just found that p has nothing more to read.
func (w *Watch) Add(p *Partition) {
	w.live = true
	w.parts = append(w.parts, p)
	p.watches = append(p.watches, w)
}

// Cancel takes the watch off its partitions.
func (w *Watch) Cancel() {
	for i, p := range w.parts {
		p.unwatch(w)
		w.parts[i] = nil
	}
	w.parts, w.live = w.parts[:0], false
}

func (p *Partition) unwatch(w *Watch) {
	for i, x := range p.watches {
		if x == w {
			n := len(p.watches) - 1
			p.watches[i], p.watches[n] = p.watches[n], nil
			p.watches = p.watches[:n]
			return
		}
	}
}

// fire tells those watches that have enough now that the high watermark covers grown bytes more. An owner that is told may watch again at
// once: such a watch waits for what comes later.
func (p *Partition) fire(grown int64) {
	if plant.On(plant.B1) {
		return
	}
	fired := p.fired[:0]
	p.fired = nil
	for i := 0; i < len(p.watches); {
		w := p.watches[i]
		w.Need -= grown
		if w.Need > 0 {
			i++
			continue
		}
		w.Cancel() // takes it off this list: another one stands at i now
		fired = append(fired, w)
	}
	p.tell(fired)
}

func (p *Partition) fireAll() {
	fired := p.fired[:0]
	p.fired = nil
	for len(p.watches) > 0 {
		w := p.watches[0]
		w.Cancel()
		fired = append(fired, w)
	}
	p.tell(fired)
}

func (p *Partition) tell(fired []*Watch) {
	for i, w := range fired {
		fired[i] = nil
		w.Owner.Fired(w)
	}
	p.fired = fired[:0]
}
