package seedlogtest

import (
	"time"

	"github.com/seedlog/seedlog/io/clock"
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

// do calls f in the world, unless that has ended.
func (n *Node) do(f func()) {
	n.c.w.enter()
	defer n.c.w.leave()
	if !n.c.w.over {
		f()
	}
}

// Kill ends the process at once, as SIGKILL does. The machine goes on: its connections are reset, and what the process wrote stays
// written. It stays down until Restart.
func (n *Node) Kill() { n.do(func() { n.c.w.sim.Kill(n.index, false) }) }

// CrashLosingUnsynced takes the machine's power. What was written and not synced is gone, names of files too. Others are not told: the
// machine answers nothing until Restart.
func (n *Node) CrashLosingUnsynced() { n.do(func() { n.c.w.sim.Kill(n.index, true) }) }

// Stop asks the process to end in good order, as SIGTERM does, and returns when it has. It stays down until Restart.
func (n *Node) Stop() {
	n.c.t.Helper()
	n.do(func() { n.c.w.sim.Stop(n.index) })
	if !n.c.await(startTime, func() bool { return !n.up() }) {
		n.c.t.Fatalf("seedlogtest: broker %d has not stopped after %v", n.ID(), startTime)
	}
}

// Restart begins a process where none runs. It returns at once: AwaitServing waits until it takes part.
func (n *Node) Restart() { n.do(func() { n.c.w.sim.Start(n.index) }) }

// Pause stops all of the broker's threads, as SIGSTOP does: connections are accepted and kept, and nothing is answered.
func (n *Node) Pause() { n.do(func() { n.c.w.sim.Pause(n.index) }) }

// Resume lets a paused broker go on.
func (n *Node) Resume() { n.do(func() { n.c.w.sim.Resume(n.index) }) }

// StallDisk lets none of the disk's requests end for as long as d.
func (n *Node) StallDisk(d time.Duration) {
	n.do(func() {
		f := &n.c.w.sim.Disk(n.index).Faults
		f.StallUntil = max(f.StallUntil, n.c.w.sim.Now().Add(clock.Duration(d)))
	})
}

// LoseSyncs makes the disk lie from now on: it says that a sync has ended well, and syncs nothing. What is lost by it shows after
// CrashLosingUnsynced.
func (n *Node) LoseSyncs() { n.do(func() { n.c.w.sim.Disk(n.index).Faults.Lying = true }) }

// KeepSyncs makes it an honest disk again. A sync covers all that was written to its file before.
func (n *Node) KeepSyncs() { n.do(func() { n.c.w.sim.Disk(n.index).Faults.Lying = false }) }
