package cluster

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// Result is what a run came to.
type Result struct {
	Violation *engine.Violation // nil: no property was broken
	Harness   string            // not empty: the simulator itself could not go on
	Trace     string            // hash
	Virtual   clock.Time
	Events    int64
	Steps     int64
	Recovered clock.Duration   // how long after healing every client was done
	Faults    map[string]int64 // by class
	Kinds     map[string]int64 // by class and way
	Last      []string         // the last lines of the trace
	Stack     string
}

// lastLines is how many lines of the trace a result carries.
const lastLines = 40

// Run executes the plan: safety, healing, liveness, the end.
func (c *Cluster) Run() *Result {
	c.Begin()
	for c.Next() {
	}
	r := c.Conclude()
	for _, n := range c.nodes {
		n.bury()
	}
	return r
}

// Begin makes the run ready for its first event. Run is Begin, Next until it says no, and Conclude; who looks at what stands between two
// events calls them himself.
func (c *Cluster) Begin() {
	if c.opt.Begin != nil {
		c.opt.Begin(c)
	}
	if c.plan.Swarm.On(fault.C2) {
		c.eng.Permute(true)
		c.ledger.Hit(fault.C2, "")
	}
	for _, n := range c.nodes {
		n.start()
	}
	starts := c.eng.Key("client/start").Source()
	for _, h := range c.clients {
		c.eng.After(clock.Duration(starts.Int63n(200))*clock.Millisecond, h.who, h, kindClient, 0, 0)
	}
	c.schedule()
	c.eng.At(clock.Time(c.plan.SafetyMS*1e6), c.who, c, kindHeal, 0, 0)
}

// Next fires one event. It says no when the run is over: the clients are done after healing, a property is broken, or time or events are over.
func (c *Cluster) Next() bool {
	limit := c.opt.MaxEvents
	if limit == 0 {
		limit = DefaultMaxEvents
	}
	end := c.healed.Add(clock.MS(c.plan.LivenessMS))
	switch {
	case c.healed != 0 && (c.done() || c.beyond()):
		c.recovered = c.eng.Now().Sub(c.healed)
		return false
	case c.opt.Until != 0 && c.eng.Next() > c.opt.Until:
		c.given = true
		return false
	case c.eng.Events > limit:
		c.stuck = fmt.Sprintf("more than %d events", limit)
		return false
	case c.healed != 0 && c.eng.Next() > end:
		c.eng.Fail("liveness", fmt.Sprintf("every client done within %d ms of healing", c.plan.LivenessMS), c.waiting())
		return false
	}
	if c.eng.Step() {
		return true
	}
	if c.eng.Failed() == nil && c.healed == 0 {
		c.stuck = "no event left before healing"
	}
	if c.eng.Failed() == nil && c.healed != 0 {
		c.eng.Fail("liveness", "clients come to an end", "nothing happens any more; "+c.waiting())
	}
	return false
}

// Conclude has the judge's last word of a run that is over, and gives what it came to. The nodes are still there, to be looked at.
func (c *Cluster) Conclude() *Result {
	r := &Result{Harness: c.stuck}
	if c.eng.Failed() == nil && r.Harness == "" && c.opt.Judge != nil && !c.given {
		if c.opt.Ending != nil {
			c.opt.Ending()
		}
		c.verdict(c.opt.Judge.Ended())
	}
	c.ended = true
	if r.Harness == "" {
		r.Harness = c.harness
	}
	r.Violation, r.Trace, r.Virtual = c.eng.Failed(), c.eng.Hash(), c.eng.Now()
	r.Events, r.Steps, r.Faults = c.eng.Events, c.Steps, c.ledger.Counts()
	r.Kinds = c.ledger.Kinds()
	r.Last, r.Recovered, r.Stack = c.eng.Last(lastLines), c.recovered, c.Stack
	return r
}

// beyond says whether the judge asks nothing more of the run than that it does not crash, which the safety phase has shown.
func (c *Cluster) beyond() bool {
	j, ok := c.opt.Judge.(interface{ Beyond() bool })
	return ok && j.Beyond()
}

// heal ends the safety phase: nothing is wrong any more, and stays so.
func (c *Cluster) heal() {
	c.healed = c.eng.Now()
	if c.opt.Judge != nil {
		c.opt.Judge.Healing()
	}
	c.net.Quiet()
	for i := range c.undo {
		c.end(i)
	}
	for _, n := range c.nodes {
		n.second = nil
		n.disk.Faults.FailSyncs, n.disk.Faults.Misdirect, n.disk.Faults.StallUntil, n.crashIn = 0, 0, 0, 0
	}
	c.mend()
	for _, n := range c.nodes {
		n.clock.Correct(c.eng.Now())
		if n.up && n.paused {
			n.resume(-1, int64(n.life))
		}
		for i := range n.shards {
			if n.up && n.shards[i].paused {
				n.resume(i, int64(n.life))
			}
		}
		if !n.up {
			n.start()
		}
	}
	for _, h := range c.clients {
		if x, ok := h.cl.(client.Healer); ok {
			x.Healed()
			c.heard()
		}
	}
	if strings.Contains(c.plan.Settings["log.dirs"], ",") {
		c.eng.After(clock.Second, c.who, c, kindRepair, repairs, 0)
	}
}

// repairs is how many looks an operator takes at directories that are offline, a second apart, once the disks are sound again: what failed before is
// known by then, and what fails later is no fault's doing.
const repairs = 5

// repair starts nodes anew that have a log directory offline: nothing else brings it back.
func (c *Cluster) repair(left int) {
	j, ok := c.opt.Judge.(interface{ Offline(node int) bool })
	for _, n := range c.nodes {
		if ok && n.up && j.Offline(n.index) {
			n.halt(fault.None, 0)
		}
	}
	if left > 1 && ok && !c.ended {
		c.eng.After(clock.Second, c.who, c, kindRepair, int64(left-1), 0)
	}
}

// done says whether every client that must settle has. Clients that do not say are done when time is over.
func (c *Cluster) done() bool {
	for _, h := range c.clients {
		if s, ok := h.cl.(client.Settler); ok && !s.Done() {
			return false
		}
	}
	for _, n := range c.nodes {
		if !n.up {
			return false
		}
	}
	return c.owed() == ""
}

// owed is what the judge says that the healed cluster still owes.
func (c *Cluster) owed() string {
	if j, ok := c.opt.Judge.(interface{ Settled() string }); ok {
		return j.Settled()
	}
	return ""
}

func (c *Cluster) waiting() string {
	var all []string
	for i, h := range c.clients {
		if s, ok := h.cl.(client.Settler); ok && !s.Done() {
			all = append(all, fmt.Sprintf("client %d waits for %s", i, s.Waiting()))
		}
	}
	if len(all) > 0 {
		return strings.Join(all, "; ")
	}
	for _, n := range c.nodes {
		if !n.up {
			return "a node is down"
		}
	}
	return "no client waits, but the cluster owes " + c.owed()
}

// fatal ends a process that says it cannot go on. Only a disk fault explains that.
func (n *Node) fatal(text string, code int) {
	c := n.c
	c.eng.Note(n.who, kindNode, fmt.Sprintf("fatal, code %d: %s", code, text))
	if c.opt.Died != nil {
		n.crash(false, fault.P1, never)
		c.opt.Died(n.index, text, code)
		return
	}
	if !c.ledger.Any(n.index, fault.D2, fault.D3, fault.D4, fault.D5, fault.D7, fault.D8) {
		c.eng.Fail("fatal", "a node goes on while its disk is sound", fmt.Sprintf("node %d: %s", n.index+1, text))
		return
	}
	n.crash(false, fault.P1, 2*clock.Second)
}
