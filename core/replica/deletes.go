package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
)

// deletion is one DeleteRecords that is not answered: it waits for the low watermark to reach an offset.
type deletion struct {
	to   int64
	w    Waiter
	slot int32
}

// DeleteRecords moves the log start up to an offset, -1 for the high watermark, and tells w once nothing below can come back: Base is the low
// watermark then. Codes: OFFSET_OUT_OF_RANGE above the high watermark, or that with which the role ends. The answer may come before it
// returns.
func (p *Partition) DeleteRecords(to int64, w Waiter, slot int32) {
	if to == -1 {
		to = p.hw
	}
	if to < 0 || to > p.hw {
		w.Appended(slot, Result{Code: kerr.OffsetOutOfRange, Base: -1, Time: -1})
		return
	}
	p.deletions = append(p.deletions, deletion{to, w, slot})
	p.promised = max(p.promised, to)
	if to > p.Log.Start() {
		p.Log.DeleteRecords(to) // LogStartMoved has it saved
	} else if p.StartUnsaved() {
		p.Observer.StartUnsaved(p)
	}
	p.releaseDeletions()
}

// CancelDeletions forgets those of a waiter, which is not told any more.
func (p *Partition) CancelDeletions(w Waiter) {
	p.deletions = slices.DeleteFunc(p.deletions, func(d deletion) bool { return d.w == w })
}

// LowWatermark is the smallest log start of the replicas that are alive, or may be in the ISR. A log start counts once the checkpoint of log
// starts has it: as long as the ISR is not below min.insync.replicas, nobody else can be elected, and what stands below it never comes back.
func (p *Partition) LowWatermark() int64 {
	low := p.durableStart()
	for i := range p.followers {
		f := &p.followers[i]
		if _, alive := p.state.BrokerEpochs(f.node); alive || p.inMaximalISR(f.node) {
			low = min(low, f.start)
		}
	}
	return low
}

// durableStart is the log start that a restart finds.
func (p *Partition) durableStart() int64 { return min(p.savedStart, p.Log.Start()) }

// StartUnsaved says that the checkpoint of log starts must be written soon: somebody waits for it to have this log's start. A leader waits for
// its followers' as for its own.
func (p *Partition) StartUnsaved() bool {
	return p.Log != nil && p.savedStart < p.Log.Start() && !p.failed && !p.closed && (p.role == following || len(p.deletions) > 0)
}

// releaseDeletions answers those that the low watermark has reached.
func (p *Partition) releaseDeletions() {
	if len(p.deletions) == 0 || !p.IsLeader() || p.underMinISR() {
		return
	}
	low := p.LowWatermark()
	var done []deletion // first all are taken out: whoever is told may ask again
	p.deletions = slices.DeleteFunc(p.deletions, func(d deletion) bool {
		if d.to <= low {
			done = append(done, d)
		}
		return d.to <= low
	})
	for _, d := range done {
		d.w.Appended(d.slot, Result{Base: low, Time: -1})
	}
}

// refuseDeletions answers all of them with code.
func (p *Partition) refuseDeletions(code kerr.Code) {
	lost := p.deletions
	p.deletions = nil
	for _, d := range lost {
		d.w.Appended(d.slot, Result{Code: code, Base: -1, Time: -1})
	}
}

// BrokersChanged says that others are alive than before: the low watermark may be higher.
func (p *Partition) BrokersChanged() { p.releaseDeletions() }
