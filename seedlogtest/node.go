package seedlogtest

import (
	"time"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/simdisk"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Node is one broker with its machine: its disk and its addresses outlive its processes.
type Node struct {
	c     *Cluster
	index int
}

// ID is its node.id, from 1.
func (n *Node) ID() int { return n.index + 1 }

// Up says whether its process runs. A paused one does; one that ended by itself, since its disk failed, does not.
func (n *Node) Up() bool {
	n.c.w.enter()
	defer n.c.w.leave()
	return n.up()
}

// up is Up for who has entered the world.
func (n *Node) up() bool { return n.c.w.sim.Running(n.index) }

// end is its endpoint in the network.
func (n *Node) end() simnet.End { return n.c.w.sim.Endpoint(n.index) }

// disk calls f with what is wrong with the machine's disk.
func (n *Node) disk(f func(d *simdisk.Disk, wrong *simdisk.Faults)) {
	n.c.do(func() { f(n.c.w.sim.Disk(n.index), &n.c.w.sim.Disk(n.index).Faults) })
}

// Kill ends the process at once, as SIGKILL does. The machine goes on: its connections are reset, and what the process wrote stays
// written. It stays down until Restart.
func (n *Node) Kill() { n.c.do(func() { n.c.w.sim.Kill(n.index, false) }) }

// CrashLosingUnsynced takes the machine's power. What was written and not synced is gone, names of files too. Others are not told: the
// machine answers nothing until Restart.
func (n *Node) CrashLosingUnsynced() { n.c.do(func() { n.c.w.sim.Kill(n.index, true) }) }

// Stop asks the process to end in good order, as SIGTERM does, and returns when it has. It stays down until Restart.
func (n *Node) Stop() {
	n.c.t.Helper()
	n.c.do(func() { n.c.w.sim.Stop(n.index) })
	if !n.c.await(startTime, func() bool { return !n.up() }) {
		n.c.t.Fatalf("seedlogtest: broker %d has not stopped after %v", n.ID(), startTime)
	}
}

// Restart begins a process where none runs. It returns at once: AwaitServing waits until it takes part.
func (n *Node) Restart() { n.c.do(func() { n.c.w.sim.Start(n.index) }) }

// Pause stops all of the broker's threads, as SIGSTOP does: connections are accepted and kept, and nothing is answered.
func (n *Node) Pause() { n.c.do(func() { n.c.w.sim.Pause(n.index) }) }

// Resume lets a paused broker go on.
func (n *Node) Resume() { n.c.do(func() { n.c.w.sim.Resume(n.index) }) }

// FillDisk takes all room on the disk but half of what disk.reserve.bytes keeps for the broker itself: within a second producers get
// KAFKA_STORAGE_ERROR, which clients try again, and everything else goes on.
func (n *Node) FillDisk() { n.LimitDisk(n.c.reserve / 2) }

// LimitDisk leaves that many bytes of room. A broker of a cluster whose metadata log finds none for a second ends.
func (n *Node) LimitDisk(free int64) {
	n.disk(func(d *simdisk.Disk, wrong *simdisk.Faults) { wrong.Capacity = max(1, d.Used()+free) })
}

// FreeDisk gives the disk room without end.
func (n *Node) FreeDisk() {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) { wrong.Capacity = 0 })
}

// StallDisk lets none of the disk's requests end for as long as d.
func (n *Node) StallDisk(d time.Duration) {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) {
		wrong.StallUntil = max(wrong.StallUntil, n.c.w.sim.Now().Add(clock.Duration(d)))
	})
}

// SlowDisk makes every request of the disk take so many times as long, at most 3 s; 1 undoes it.
func (n *Node) SlowDisk(times int) {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) { wrong.Slow = int64(times) })
}

// LoseSyncs makes the disk lie from now on: it says that a sync has ended well, and syncs nothing. What is lost by it shows after
// CrashLosingUnsynced.
func (n *Node) LoseSyncs() {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) { wrong.Lying = true })
}

// KeepSyncs makes it an honest disk again. A sync covers all that was written to its file before.
func (n *Node) KeepSyncs() {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) { wrong.Lying = false })
}

// FailSyncs lets the next syncs fail, so many of them; what they covered is never synced. The broker takes the log directory offline: one with a
// single directory ends.
func (n *Node) FailSyncs(times int) {
	n.disk(func(_ *simdisk.Disk, wrong *simdisk.Faults) { wrong.FailSyncs = times })
}

// WipeDisk puts an empty disk in place of the one that a broker had which is down. Its copy of the metadata log stays, since a voter that
// forgets its vote is outside of what any quorum survives.
func (n *Node) WipeDisk() {
	n.c.t.Helper()
	n.disk(func(d *simdisk.Disk, _ *simdisk.Faults) {
		if n.up() {
			n.c.t.Errorf("seedlogtest: broker %d is up; its disk is wiped when it is down", n.ID())
			return
		}
		d.Restore(simdisk.Blank())
	})
}

// SkewClock moves the machine's wall clock by d, either way. Time-outs go by another clock, which nothing moves.
func (n *Node) SkewClock(d time.Duration) {
	n.c.do(func() { n.c.w.sim.Skew(n.index, clock.Duration(d)) })
}
