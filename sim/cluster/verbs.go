package cluster

import (
	"encoding/binary"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simdisk"
	"github.com/seedlog/seedlog/sim/simnet"
)

// The verbs of a schedule. Node, Shard and For are as in fault.Fault; a fault whose verb is unknown does nothing.
//
//	F:P1, F:D1  ""        at once; down for For           "mid"  at the A-th effect from now on, between two effects
//	F:P2        ""        pause of node or shard          "freeze"  the node's monotonic time stands as well
//	F:P3        ""        graceful stop, down for For
//	F:P4        ""        as F:P1                         "stop"  as F:P3
//	F:N2        ""        every connection between the node and another is reset
//	F:C1        "skew"    A ms, either way                "rate"  A/1024 for For
//	F:D2        "lie"     for For                         "fail"  the next A syncs
//	F:D3        "read", "write"  EIO for A ‰, for For     "full"  A bytes of room left, for For
//	                        "second"  no write to SecondDir, for For, of nodes with log.dirs=data,data2
//	F:D4        ""        bit drawn by A in a file; Verb, if any, is the end of the file's name
//	F:D5        ""        the next A writes go elsewhere in their files
//	F:D6        "slow"    A times, for For                "stall"  for For
//	F:D7, F:D8  ""        power loss, then an empty disk, or (D8) the disk as it was when the process before this one ended; down for For.
//	            What a process wrote itself it takes for its own: a disk that forgets that has lied (F:D2)
//	F:N5, F:N6  "both", "in", "out"  bytes to and from the node, for For; B >= 0: only with client B
//	            F:N5 has the shapes of partition.go too
//	            "swizzle" every client stops at a time of its own and goes on in another order

// schedule puts the plan's faults on the heap.
func (c *Cluster) schedule() {
	c.undo = make([]func(), len(c.plan.Faults))
	for i := range c.plan.Faults {
		f := &c.plan.Faults[i]
		c.old = c.old || f.Class == fault.D8
		c.eng.At(clock.Time(f.At*1e6), c.who, c, kindPlan, int64(i), 0)
	}
}

// Fire is the engine's call: a fault begins or ends, or the safety phase is over.
func (c *Cluster) Fire(k engine.Kind, i, _ int64) {
	switch {
	case k == kindHeal:
		if until := c.stalled(); until > c.eng.Now() {
			// What a stalled disk has in hand completes only then, so only then are the faults over.
			c.eng.At(until.Add(clock.Millisecond), c.who, c, kindHeal, 0, 0)
			return
		}
		c.heal()
	case k == kindUndo:
		c.end(int(i))
	case c.healed != 0: // a fault after healing does not happen
	default:
		c.begin(int(i))
	}
}

// stalled gives the time when the last stalled disk goes on.
func (c *Cluster) stalled() (until clock.Time) {
	for _, n := range c.nodes {
		until = max(until, n.disk.Faults.StallUntil)
	}
	return until
}

// end undoes a fault that is in force.
func (c *Cluster) end(i int) {
	if u := c.undo[i]; u != nil {
		c.undo[i] = nil
		u()
		if i < len(c.plan.Faults) {
			c.observeFault(i, &c.plan.Faults[i], false)
		}
	}
}

// Acting gives the classes of the faults that are in force, a bit each.
func (c *Cluster) Acting() (classes uint64) {
	if c.plan.Swarm.On(fault.C2) { // all through the run
		classes |= 1 << fault.C2
	}
	for i, u := range c.undo {
		if u != nil && i < len(c.plan.Faults) {
			classes |= 1 << c.plan.Faults[i].Class
		}
	}
	for _, n := range c.nodes {
		if n.up && n.paused {
			classes |= 1 << fault.P2
		}
		if n.disk.Faults.StallUntil > c.eng.Now() {
			classes |= 1 << fault.D6
		}
	}
	return classes
}

func (c *Cluster) begin(i int) {
	f := c.played(&c.plan.Faults[i])
	if f.Node < 0 && c.beginOrder(i, f) {
		return
	}
	if f.Node < 0 || f.Node >= len(c.nodes) {
		return
	}
	n := c.nodes[f.Node]
	span := clock.Duration(f.For) * clock.Millisecond
	switch f.Class {
	case fault.P1, fault.D1, fault.D7, fault.D8:
		c.beginCrash(f, n, span)
	case fault.P2:
		if n.up {
			c.ledger.Note(c.eng.Now(), fault.P2, n.index, "pause")
			n.pause(f.Shard, span, f.Verb == "freeze")
		}
	case fault.P3:
		n.halt(fault.P3, span)
	case fault.P4:
		if f.Verb == "stop" {
			n.halt(fault.P4, span)
		} else {
			n.crash(false, fault.P4, span)
		}
	case fault.C1:
		c.beginClock(i, f, n)
	case fault.D2, fault.D3, fault.D4, fault.D5, fault.D6:
		c.beginDisk(i, f, n)
	case fault.N2:
		c.ledger.Note(c.eng.Now(), fault.N2, n.index, "resets its links")
		for _, o := range c.nodes {
			if o != n {
				c.net.Sever(n.end, o.end)
			}
		}
	case fault.N5, fault.N6:
		if f.Class == fault.N6 || !c.beginPartition(i, f, n) {
			c.beginClog(i, f, n)
		}
	}
	if c.undo[i] != nil {
		c.observeFault(i, f, true)
		c.eng.After(span, c.who, c, kindUndo, int64(i), 0)
	}
}

func (c *Cluster) beginCrash(f *fault.Fault, n *Node, down clock.Duration) {
	if !n.up {
		return
	}
	switch f.Class {
	case fault.P1, fault.D1:
		power := f.Class == fault.D1
		if f.Verb == "mid" {
			n.crashIn, n.power, n.downFor = 1+int(f.A), power, down
			return
		}
		n.crash(power, f.Class, down)
	case fault.D7:
		n.replace(nil, down)
	case fault.D8:
		if n.snap != nil {
			n.replace(n.snap, down)
		}
	}
}

// replace ends the process with the machine's power, and puts another disk in: an empty one, or the image s. It does not if the judge says
// that the run would leave the model.
func (n *Node) replace(s *simdisk.Snapshot, down clock.Duration) {
	if j, ok := n.c.opt.Judge.(interface {
		Replacing(node int, wiped bool) bool
	}); ok && !j.Replacing(n.index, s == nil) {
		return
	}
	n.crash(true, fault.D1, down)
	n.disk.Restore(s)
}

func (c *Cluster) beginClock(i int, f *fault.Fault, n *Node) {
	now := c.eng.Now()
	c.ledger.Note(now, fault.C1, n.index, f.Verb)
	if f.Verb == "skew" {
		n.clock.Skew(now, clock.Duration(f.A)*clock.Millisecond)
		return
	}
	set := func(rate int64) {
		n.clock.SetRate(c.eng.Now(), rate)
		for _, s := range n.shards {
			s.armed = 0
			s.arm()
		}
	}
	set(min(2048, max(512, f.A)))
	c.undo[i] = func() { set(1024) }
}

func (c *Cluster) beginDisk(i int, f *fault.Fault, n *Node) {
	d := &n.disk.Faults
	now := c.eng.Now()
	switch f.Class.String() + " " + f.Verb {
	case "F:D2 lie":
		d.Lying = true
		c.undo[i] = func() { d.Lying = false }
	case "F:D2 fail":
		d.FailSyncs += int(f.A)
	case "F:D3 read":
		d.ReadEIO = int(f.A)
		c.undo[i] = func() { d.ReadEIO = 0 }
	case "F:D3 write":
		d.WriteEIO = int(f.A)
		c.undo[i] = func() { d.WriteEIO = 0 }
	case "F:D3 second":
		d.Broken = SecondDir
		c.undo[i] = func() { d.Broken = "" }
	case "F:D3 full":
		d.Capacity = n.disk.Used() + f.A
		c.undo[i] = func() { d.Capacity = 0 }
	case "F:D6 slow":
		d.Slow = f.A
		c.undo[i] = func() { d.Slow = 0 }
	case "F:D6 stall":
		d.StallUntil = now.Add(clock.Duration(f.For) * clock.Millisecond)
		c.ledger.Note(now, fault.D6, n.index, "stall")
	default:
		if f.Class == fault.D5 && c.mayRot(n) {
			d.Misdirect += int(f.A)
		}
		if f.Class == fault.D4 {
			c.rot(f, n)
		}
	}
}

// rot flips a bit. The judge may spare the records of a log: too many copies would be gone. What it lets rot is found by whoever reads it; a
// disk where nobody has read it is replaced when the faults are over.
func (c *Cluster) rot(f *fault.Fault, n *Node) {
	if f.Verb != ".log" {
		n.disk.Rot(uint64(f.A), func(path string) bool { return strings.HasSuffix(path, f.Verb) }, anywhere)
		return
	}
	records := func(path string) bool {
		return strings.HasSuffix(path, f.Verb) && !strings.Contains(path, "__cluster_metadata")
	}
	if c.mayRot(n) {
		n.disk.Rot(uint64(f.A), records, checked)
	}
}

// mayRot asks the judge whether the records of a node may rot.
func (c *Cluster) mayRot(n *Node) bool {
	j, ok := c.opt.Judge.(Rots)
	return ok && j.Rotting(n.index)
}

// Rots is a judge that knows which disks hold rotten records.
type Rots interface {
	// Rotting says whether the records of one more node may rot, and that they may do so from now on.
	Rotting(node int) bool
	// Rotten says whether they are; Replaced, that they are not any more.
	Rotten(node int) bool
	Replaced(node int)
}

func anywhere(_ func([]byte, int64) int, pos int64) int64 { return pos }

// checked moves a position in a log to where a batch's checksum covers it: what it does not cover nobody can see.
func checked(read func(p []byte, off int64) int, pos int64) int64 {
	var head [12]byte
	for at := int64(0); read(head[:], at) == len(head); {
		size := int64(len(head)) + int64(int32(binary.BigEndian.Uint32(head[8:])))
		if size <= crcPosition {
			return pos
		}
		if pos < at+size {
			return max(pos, at+crcPosition)
		}
		at += size
	}
	return pos
}

// crcPosition is where a batch has its checksum; all that follows is covered by it.
const crcPosition = 17

// mend replaces the disks whose records have rotted, and were not mended by their brokers.
func (c *Cluster) mend() {
	j, ok := c.opt.Judge.(Rots)
	for _, n := range c.nodes {
		if ok && j.Rotten(n.index) {
			n.replace(simdisk.Blank(), 0)
			j.Replaced(n.index)
		}
	}
}

func (c *Cluster) beginClog(i int, f *fault.Fault, n *Node) {
	c.ledger.Note(c.eng.Now(), f.Class, n.index, f.Verb)
	if f.Verb == "swizzle" {
		c.swizzle(f, n)
		return
	}
	var ends []simnet.End
	for k, h := range c.clients {
		if f.B < 0 || f.B == int64(k) {
			ends = append(ends, h.end)
		}
	}
	for _, o := range c.nodes {
		if o != n && f.B < 0 {
			ends = append(ends, o.end)
		}
	}
	in, out := f.Verb != "out", f.Verb != "in"
	each := func(do func(from, to simnet.End)) {
		for _, e := range ends {
			if in {
				do(e, n.end)
			}
			if out {
				do(n.end, e)
			}
		}
	}
	each(c.net.Block)
	between := f.B < 0
	if between {
		n.cut++
	}
	c.undo[i] = func() {
		each(c.net.Unblock)
		if between {
			n.cut--
		}
	}
}

// swizzle clogs the clients one after another and lets them go in another order.
func (c *Cluster) swizzle(f *fault.Fault, n *Node) {
	src := c.eng.Key("F:N6/swizzle").Sub(f.At).Source()
	half := max(1, f.For*1e6/2)
	for _, h := range c.clients {
		from, to := h.end, n.end
		if src.Permille(500) {
			from, to = to, from
		}
		s := &swizzled{c: c, from: from, to: to}
		c.undo = append(c.undo, nil)
		s.i = len(c.undo) - 1
		c.eng.After(clock.Duration(src.Int63n(half)), c.who, s, kindPlan, int64(s.i), 0)
		c.eng.After(clock.Duration(half+src.Int63n(half)), c.who, s, kindUndo, int64(s.i), 0)
	}
}

// swizzled is one link of a swizzle.
type swizzled struct {
	c        *Cluster
	from, to simnet.End
	i        int
}

// Fire begins or ends it.
func (s *swizzled) Fire(k engine.Kind, _, _ int64) {
	switch {
	case k == kindUndo:
		s.c.end(s.i)
	case s.c.healed == 0:
		s.c.net.Block(s.from, s.to)
		s.c.undo[s.i] = func() { s.c.net.Unblock(s.from, s.to) }
	}
}
