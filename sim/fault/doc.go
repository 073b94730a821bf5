// Package fault is the menu of what can go wrong, as data: classes with magnitudes, single faults at virtual times, and the ledger of what was done.
//
// A Swarm says which classes a run has on, and how strongly; a Fault is one entry of a plan's schedule. Packages simnet, simdisk and
// cluster know how to do each; this package only names them, so that a plan can be drawn, stored, shrunk and replayed.
//
//	plan ──Swarm, []Fault──▶ cluster ──▶ simnet / simdisk / simclock ──Hit──▶ Ledger ──▶ oracles (what may be excused), summary
//
// Source of the ids: the project's fault menu; N is the network, D the disk, P processes, C clocks, L and B the broker's own limits.
package fault
