package main_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

const (
	sigterm = syscall.SIGTERM
	sigstop = syscall.SIGSTOP
	sigcont = syscall.SIGCONT
)

// signal sends one to the process.
func (n *node) signal(s syscall.Signal) { _ = n.cmd.Process.Signal(s) }

// nemesis is what happens to a cluster under a workload.
type nemesis struct {
	t       *testing.T
	c       *cluster
	w       *workload
	session time.Duration
}

// kill ends nodes at once and waits until the cluster goes on without them, if a majority is left; then they come back.
func (x *nemesis) kill(name string, at ...int) {
	x.t.Helper()
	for _, i := range at {
		x.c.nodes[i].signal(syscall.SIGKILL)
	}
	for _, i := range at {
		x.c.nodes[i].kill()
	}
	gap := time.Duration(0)
	if len(at) == 1 {
		gap = x.w.goesOn(30*time.Second, name+": records are acknowledged")
	}
	for _, i := range at {
		x.c.nodes[i] = x.c.begin(i)
	}
	for _, i := range at {
		x.c.nodes[i].wentReady()
	}
	x.heal(name, gap)
}

// pause stops a node for longer than its session, and lets it go on.
func (x *nemesis) pause(name string, i int) {
	x.t.Helper()
	x.c.nodes[i].signal(sigstop)
	gap := x.w.goesOn(30*time.Second, name+": records are acknowledged")
	x.c.nodes[i].signal(sigcont)
	x.heal(name, gap)
}

// restart stops a node cleanly: when it has ended it leads nothing.
func (x *nemesis) restart(i int) {
	x.t.Helper()
	name := fmt.Sprintf("restart of node %d", i+1)
	if code := x.c.nodes[i].term(); code != 0 {
		x.t.Errorf("%s: code %d", name, code)
	}
	_, _, parts := x.c.describe((i+1)%3, x.w.topic)
	for _, p := range parts {
		if int(p.Leader) == i+1 {
			x.t.Errorf("%s: it has ended and leads partition %d", name, p.Partition)
		}
	}
	gap := x.w.goesOn(30*time.Second, name+": records are acknowledged")
	x.c.nodes[i] = x.c.begin(i).wentReady()
	x.heal(name, gap)
}

// heal waits until every replica is in sync and the workload goes on.
func (x *nemesis) heal(name string, gap time.Duration) {
	x.t.Helper()
	for i := range x.c.nodes {
		x.c.inSync(i, x.w.topic, 3)
	}
	again := x.w.goesOn(30*time.Second, name+": records are acknowledged afterwards")
	x.t.Logf("%s: on every partition again after %v; healed: %v", name, gap, again)
}

// others are leaders and controller that differ, if there are any.
func (x *nemesis) leaderAndController() (leader, controller int) {
	controller = x.c.controller(0)
	for p := range x.w.partitions {
		if leader = x.c.leader(0, x.w.topic, p); leader != controller {
			return leader, controller
		}
	}
	return leader, controller
}

func TestNothingAcknowledgedIsLostWhileNodesAreKilledPausedAndRestarted(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	session := 3 * time.Second
	if scale(0, 0, 1) == 1 {
		session = 9 * time.Second // Kafka's
	}
	c := newCluster(t, 3, "min.insync.replicas=2", fmt.Sprintf("broker.session.timeout.ms=%d", session.Milliseconds()), "broker.heartbeat.interval.ms=500")
	x := &nemesis{t: t, c: c, w: newWorkload(t, c, "n", 6), session: session}
	x.w.goesOn(30*time.Second, "records are acknowledged")
	for range scale(1, 1, 5) {
		leader, controller := x.leaderAndController()
		x.kill("kill -9 of a leader", leader)
		x.kill("kill -9 of the controller", x.c.controller(0))
		leader, controller = x.leaderAndController()
		if leader == controller {
			leader = (controller + 1) % 3
		}
		x.kill("kill -9 of a leader and the controller", leader, controller)
		x.kill("kill -9 of all", 0, 1, 2)
		leader, controller = x.leaderAndController()
		x.pause("SIGSTOP of a leader", leader)
		x.pause("SIGSTOP of the controller", x.c.controller(0))
		for i := range 3 {
			x.restart(i)
		}
	}
	x.w.finish()
	for i := range 3 {
		c.inSync(i, "n", 3)
		c.inSync(i, "__consumer_offsets", 3)
	}
	c.sameLogs(6 + 4)
}
