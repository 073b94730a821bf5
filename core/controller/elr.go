package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
)

// eligible brings ELR and LastKnownELR in step with the ISR that is wanted.
//
// The high watermark stands still while the ISR is below its required size. So whoever leaves the ISR then holds all that is below the high
// watermark, until the ISR has that size again: it goes to the ELR (KIP-966). After an unclean end that is no longer sure, and it leaves
// the ELR too. What it had *synced* is sure as long as its disk is the one that synced it, and with flush.policy=ack the high watermark
// covers nothing else: then it goes to LastKnownELR, from which it can be elected cleanly when ISR and ELR are empty (design.md, Replication).
func (ch *partitionChange) eligible() {
	ch.isr = minus(ch.isr, []int32{ch.without, ch.lost})
	if plant.On(plant.R10) && ch.lost != nobody && len(ch.isr) == 0 && len(minus(ch.elr, []int32{ch.lost})) == 0 && slices.Contains(union(ch.elr, ch.p.ISR), ch.lost) {
		ch.isr, ch.elr = nil, []int32{ch.lost} // the last one standing stays eligible
		return
	}
	was := union(ch.elr, ch.p.ISR)
	ch.elr = minus(was, ch.isr, []int32{ch.lost})
	if ch.lost != nobody {
		switch {
		case !ch.intact:
			ch.lastKnown = minus(ch.lastKnown, []int32{ch.lost})
		case slices.Contains(was, ch.lost):
			sometimes.Hit("controller: a replica goes into LastKnownELR")
			ch.lastKnown = union(ch.lastKnown, []int32{ch.lost})
		}
	}
	ch.settle()
}

// settle takes out of ELR and LastKnownELR what has no place there.
func (ch *partitionChange) settle() {
	if len(ch.isr) >= ch.required() {
		ch.elr, ch.lastKnown = nil, nil
		return
	}
	ch.elr = minus(common(ch.elr, ch.replicas), ch.isr)
	ch.lastKnown = minus(common(ch.lastKnown, ch.replicas), ch.isr, ch.elr)
	sometimes.If(sometimes.On && len(ch.elr) > 0 && len(ch.p.ELR) == 0, "controller: a replica goes into the ELR")
}
