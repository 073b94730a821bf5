package replica

import "github.com/seedlog/seedlog/core/plant"

// WatchOwner is told once that one of a watch's partitions may have enough, or that it must look again.
type WatchOwner interface{ Fired(w *Watch) }

// Watch waits on several partitions of one shard for min_bytes in sum (a long poll of Fetch). It fires once: on growth past Need, on a
// failure, or when a partition goes away; whoever set it takes it down with Cancel when its deadline passes or its connection dies.
type Watch struct {
	Owner   WatchOwner
	Need    int64 // bytes still missing in sum
	Replica bool  // it waits for growth of the written end, by anything: a replica's Fetch
	Stable  bool  // it waits for growth of the last stable offset (read_committed)
	Commit  bool  // of a Replica: and for growth of the high watermark, which consumers of that replica wait for (KIP-392)
	parts   []*Partition
	live    bool
}

// Live says whether the watch still waits.
func (w *Watch) Live() bool { return w.live }

// Begin makes the watch wait. Until then, and after it has fired, it is not live.
func (w *Watch) Begin() { w.live = true }

// Add puts the watch on p. The caller has just found that p has nothing more to read.
func (w *Watch) Add(p *Partition) {
	w.live = true
	w.parts = append(w.parts, p)
	if w.Replica {
		p.tails = append(p.tails, w)
		if !w.Commit {
			return
		}
	}
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
	if w.Replica {
		p.tails = without(p.tails, w)
	}
	if !w.Replica || w.Commit {
		p.watches = without(p.watches, w)
	}
}

func without(list []*Watch, w *Watch) []*Watch {
	for i, x := range list {
		if x == w {
			n := len(list) - 1
			list[i], list[n] = list[n], nil
			return list[:n]
		}
	}
	return list
}

// fire tells those watches that have enough now that the high watermark covers grown bytes more, and the last stable offset stable bytes more. Who is told may
// watch again at once: such a watch has seen this growth and is left alone.
func (p *Partition) fire(grown, stable int64) {
	if plant.On(plant.B1) {
		return
	}
	for _, w := range p.watches {
		more := grown
		if w.Stable {
			if more = stable; more == 0 || plant.On(plant.P7) {
				continue
			}
		}
		if w.Need -= more; w.Need <= 0 {
			p.firing = append(p.firing, w)
		}
	}
	p.tell()
}

// fireTails tells the replicas' watches that the written end has grown.
func (p *Partition) fireTails() {
	if len(p.tails) > 0 {
		p.firing = append(p.firing, p.tails...)
		p.tell()
	}
}

// fireAll tells every watch that there is now.
func (p *Partition) fireAll() {
	p.stir(true)
	p.firing = append(append(p.firing, p.watches...), p.tails...)
	p.tell()
}

// tell fires what firing holds. A watch that an earlier one's owner took down meanwhile is skipped.
func (p *Partition) tell() {
	ws := p.firing
	p.firing = nil
	for i, w := range ws {
		ws[i] = nil
		if w.live {
			w.Cancel()
			w.Owner.Fired(w)
		}
	}
	if p.firing == nil {
		p.firing = ws[:0]
	}
}
