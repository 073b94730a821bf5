package replica

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// cluster is three replicas of one partition, a controller that obeys the rules of the ISR and no more, and a network that delays, reorders
// and loses. The twin is what it must never forget: each record that anybody was shown or told of as committed.
type cluster struct {
	t        *rapid.T
	ack      bool // flush.policy=ack
	minISR   int16
	now      clock.Time
	nodes    []*node
	ctl      controller
	flights  []flight
	held     []flight         // that are late
	truth    map[int64]string // offset of a batch: its bytes without CRC's like; committed
	top      int64            // end of what was shown as committed
	deleted  int64            // end of what DeleteRecords answered that it is deleted
	listed   int64            // greatest offset that ListOffsets gave
	next     int              // number of the next append
	pending  int              // appends not answered
	answered int
	noFaults bool
}

// flight is a message: deliver does what it does when it arrives, lost what the sender notices if it does not.
type flight struct{ deliver, lost func() }

// controller is the state of the partition and of the brokers.
type controller struct {
	leader, leaderEpoch, partitionEpoch int32
	isr, elr                            []int32
	epoch                               []int64 // of brokers, by node; 0: never registered
	alive                               []bool  // unfenced
}

func (c *controller) copy() controller {
	d := *c
	d.isr, d.elr, d.epoch, d.alive = slices.Clone(c.isr), slices.Clone(c.elr), slices.Clone(c.epoch), slices.Clone(c.alive)
	return d
}

// node is a broker. Its disk outlives it.
type node struct {
	c       *cluster
	id      int32
	disk    *memdisk.Disk
	e       *env.Env
	p       *Partition // nil: the broker is down
	queue   []disk.Request
	image   controller
	epoch   int64
	request [3]int // by leader: number of the fetch whose answer is awaited, 0 none
	refused int64  // where it was sent what it could not take, -1 nowhere
	life    int

	point, start, hw int64 // checkpoints
}

var all = []int32{0, 1, 2}

func newCluster(t *rapid.T) *cluster {
	c := &cluster{t: t, ack: rapid.IntRange(0, 3).Draw(t, "ack") > 0, minISR: int16(rapid.IntRange(1, 2).Draw(t, "minISR")), now: 1e9, truth: map[int64]string{}}
	c.ctl = controller{leader: -1, isr: slices.Clone(all), epoch: make([]int64, 3), alive: make([]bool, 3)}
	for _, id := range all {
		c.nodes = append(c.nodes, &node{c: c, id: id, disk: memdisk.New(rapid.Uint64().Draw(t, "disk")), refused: -1})
	}
	for _, n := range c.nodes {
		n.boot()
	}
	for _, n := range c.nodes {
		c.unfence(n.id)
	}
	for range rapid.IntRange(0, 12).Draw(t, "rounds") {
		c.round(true)
	}
	return c
}

func (c *cluster) fatal(format string, args ...any) {
	panic("cluster: " + fmt.Sprintf(format, args...))
}

// --- the controller

// bump follows a change of the ISR or of who lives: leaves a leader that may lead.
func (c *cluster) elect() {
	x := &c.ctl
	x.partitionEpoch++
	if x.leader >= 0 && x.alive[x.leader] && slices.Contains(x.isr, x.leader) {
		return
	}
	x.leaderEpoch++
	x.leader = -1
	for _, list := range [][]int32{x.isr, x.elr} {
		for _, id := range list {
			if x.alive[id] && x.leader < 0 {
				x.leader = id
			}
		}
	}
	if x.leader >= 0 && !slices.Contains(x.isr, x.leader) { // from the ELR: it is the ISR now
		for _, id := range x.isr {
			x.elr = append(x.elr, id)
		}
		x.isr = []int32{x.leader}
		x.elr = slices.DeleteFunc(x.elr, func(id int32) bool { return id == x.leader })
	}
}

func (c *cluster) fence(id int32) {
	x := &c.ctl
	x.alive[id] = false
	if slices.Contains(x.isr, id) {
		c.shrunk(slices.DeleteFunc(slices.Clone(x.isr), func(o int32) bool { return o == id }))
	}
	c.elect()
}

// shrunk makes isr the ISR: who leaves it while it is too small can still be elected (KIP-966). The last one stays.
func (c *cluster) shrunk(isr []int32) {
	x := &c.ctl
	if len(isr) == 0 {
		return
	}
	for _, id := range x.isr {
		if !slices.Contains(isr, id) && len(isr) < int(c.minISR) {
			x.elr = append(x.elr, id)
		}
	}
	x.isr = isr
	x.elr = slices.DeleteFunc(x.elr, func(id int32) bool { return slices.Contains(isr, id) })
	if len(isr) >= int(c.minISR) {
		x.elr = nil
	}
}

func (c *cluster) unfence(id int32) {
	if n := c.nodes[id]; n.p != nil && n.epoch == c.ctl.epoch[id] && !c.ctl.alive[id] {
		c.ctl.alive[id] = true
		c.elect()
	}
}

// alter is AlterPartition at the controller.
func (c *cluster) alter(from int32, x Proposal) (kerr.Code, *State) {
	s := &c.ctl
	switch {
	case x.LeaderEpoch != s.leaderEpoch || from != s.leader:
		return kerr.FencedLeaderEpoch, nil
	case x.PartitionEpoch != s.partitionEpoch:
		return kerr.InvalidUpdateVersion, nil
	}
	var isr []int32
	for _, m := range x.ISR {
		if !s.alive[m.Node] || m.Epoch != s.epoch[m.Node] {
			return kerr.IneligibleReplica, nil
		}
		isr = append(isr, m.Node)
	}
	c.shrunk(isr)
	if x.Damaged {
		s.elr = slices.DeleteFunc(s.elr, func(id int32) bool { return id == from })
		c.elect()
		return kerr.NewLeaderElected, nil
	}
	s.partitionEpoch++
	st := c.nodes[from].state(s.copy())
	return kerr.None, &st
}

// --- a broker

func (n *node) state(x controller) State {
	return State{Leader: x.leader, LeaderEpoch: x.leaderEpoch, PartitionEpoch: x.partitionEpoch, ISR: x.isr, ELR: x.elr, Replicas: all, Me: n.id, MinISR: n.c.minISR,
		BrokerEpochs: func(id int32) (int64, bool) { return n.image.epoch[id], n.image.alive[id] }}
}

// learn applies the controller's present image.
func (n *node) learn() {
	if n.p != nil {
		n.image = n.c.ctl.copy()
		n.p.Apply(n.state(n.image), n.c.now)
		n.flush()
	}
}

// boot starts the broker: it registers, and leads nothing before it knows its registration.
func (n *node) boot() {
	c := n.c
	n.life++
	n.e = n.disk.Env(uint64(n.life))
	n.e.Now = clock.Now{Mono: c.now, Wall: 1_700_000_000_000}
	n.queue, n.request = nil, [3]int{}
	if c.ctl.epoch[n.id] > 0 {
		c.fence(n.id)
	}
	c.ctl.partitionEpoch++
	n.epoch = int64(c.ctl.partitionEpoch) + 1000
	c.ctl.epoch[n.id] = n.epoch
	p := New(n.e, "t", [16]byte{1}, 0, 0, c.ack)
	p.Observer, p.LagMax, p.HWCheckpoint = n, 300*clock.Millisecond, n.hw
	n.p = p
	n.learn()
	cfg := commitlog.DefaultConfig()
	cfg.FlushAck, cfg.SegmentBytes, cfg.SnapshotBytes, cfg.IndexIntervalBytes = c.ack, 400, 300, 100
	opt := commitlog.Options{Config: cfg, Listener: p, Create: true, TopicID: [16]byte{1}, RecoveryPoint: n.point, StartOffset: n.start}
	task.Go(n.e, func(t *task.Task) {
		l, err := commitlog.Open(t, n.e, "d/t-0", opt)
		if t.Stopped() {
			return
		}
		if err != nil {
			c.fatal("node %d: %v", n.id, err)
		}
		p.Opened(l)
	})
	n.flush()
}

// crash ends the broker; power takes what is not synced with it. Under flush.policy=os that is survived only if others are in the ISR, and the
// controller learns of it before it elects this one (KIP-966).
func (n *node) crash(power bool) {
	if n.p == nil {
		return
	}
	if x := &n.c.ctl; power && !n.c.ack {
		power = !slices.Contains(x.isr, n.id) || len(x.isr) > 1
		if power {
			n.c.fence(n.id)
			x.elr = slices.DeleteFunc(x.elr, func(id int32) bool { return id == n.id })
			n.point, n.hw = 0, 0
		}
	}
	n.e.StopTasks()
	if power {
		n.disk.Crash()
	} else {
		n.disk.Kill()
	}
	n.p, n.queue = nil, nil
}

// flush ends a round.
func (n *node) flush() {
	if n.p == nil {
		return
	}
	n.e.FlushDirty()
	n.queue = append(n.queue, n.e.Out.Disk...)
	n.e.Out.Reset()
	if n.p.Log != nil {
		n.p.CheckInvariants()
	}
}

// work completes one request of the disk, or lets its timers run.
func (n *node) work(i int) {
	if n.p == nil {
		return
	}
	n.e.Now.Mono = n.c.now
	if len(n.queue) > 0 {
		i %= len(n.queue)
		r := n.queue[i]
		n.queue = slices.Delete(n.queue, i, i+1)
		done := n.disk.Do(&r)
		n.e.Done(&done)
	}
	for t := n.e.Timers.Expired(n.c.now); t != nil; t = n.e.Timers.Expired(n.c.now) {
		t.Owner.TimerFired(t)
	}
	n.flush()
}

// batches reads the log from the disk's files.
func (n *node) batches() (out []records.View) {
	end := n.p.Log.WrittenEnd()
	for _, name := range n.disk.Names("d/t-0") {
		base, isLog := strings.CutSuffix(name, ".log")
		if from, _ := strconv.ParseInt(base, 10, 64); !isLog || from > end {
			continue
		}
		rest := n.disk.Bytes("d/t-0/" + name)
		for len(rest) > 0 {
			v, more, ok := records.Split(rest)
			if !ok {
				break
			}
			if v.NextOffset() <= end {
				out = append(out, v)
			}
			rest = more
		}
	}
	slices.SortStableFunc(out, func(a, b records.View) int { return int(a.BaseOffset() - b.BaseOffset()) })
	return out
}

// HighWatermarkMoved and what follows is Observer.
func (n *node) HighWatermarkMoved(*Partition)                  {}
func (n *node) Failed(_ *Partition, err disk.Err, what string) { n.c.fatal("%s: %v", what, err) }
func (n *node) TakenBack(*Partition, int64)                    { n.c.fatal("taken back") }
func (n *node) LeaderChanged(*Partition)                       {}
func (n *node) FollowerReady(*Partition)                       {}
func (n *node) StartUnsaved(*Partition)                        {} // save looks
func (n *node) AlterPartition(p *Partition, x Proposal) {
	c := n.c
	answer := func(code kerr.Code, s *State) func() {
		return func() {
			if n.p == p {
				p.Altered(code, s)
				n.flush()
			}
		}
	}
	c.flights = append(c.flights, flight{
		deliver: func() {
			code, s := c.alter(n.id, x)
			c.flights = append(c.flights, flight{answer(code, s), answer(kerr.RequestTimedOut, nil)})
		},
		lost: answer(kerr.RequestTimedOut, nil),
	})
}

// fetch sends a request to whom n follows, and takes the answer only if it still stands where it asked, as core/fetcher does.
func (n *node) fetch(again bool) {
	if n.p == nil {
		return
	}
	leader, epoch, ok := n.p.Following()
	if !ok || n.request[leader] > 0 && !again {
		return
	}
	at, last, start, ready := n.p.FetchPoint()
	if !ready {
		return
	}
	c, p, q := n.c, n.p, n.epoch
	refused := n.refused == at
	n.refused = -1 // it is said once
	c.next++
	id := c.next
	n.request[leader] = id
	answer := func(f func()) func() {
		return func() {
			if n.p != p || n.request[leader] != id {
				return
			}
			n.request[leader] = 0
			o, l, _, ready := p.FetchPoint()
			if ready && o == at && l == last && p.LeaderEpoch == epoch || plant.On(plant.R14) {
				f()
			}
			n.flush()
		}
	}
	lost := answer(func() {})
	end := func(f func()) flight { return flight{answer(f), lost} }
	c.flights = append(c.flights, flight{func() {
		if l := c.nodes[leader].p; refused && l != nil && l.Log != nil && l.IsLeader() && l.LeaderEpoch == epoch {
			l.Refused(at)
		}
		c.nodes[leader].serve(n, epoch, q, at, last, start, end)
	}, lost})
}

// serve is Fetch at the leader.
func (n *node) serve(from *node, epoch int32, brokerEpoch, at int64, last int32, start int64, end func(func()) flight) {
	p, c := n.p, n.c
	reply := func(f func()) { c.flights = append(c.flights, end(f)) }
	if p == nil || p.Log == nil || !p.IsLeader() || p.LeaderEpoch != epoch && !plant.On(plant.R3) {
		reply(func() {})
		return
	}
	n.e.Now.Mono = c.now
	if e, o, yes := p.Diverges(at, last); yes {
		reply(func() { from.p.Truncate(e, o, epoch) })
		return
	}
	switch code := p.Fetched(from.id, brokerEpoch, at, start, c.now); code {
	case kerr.None:
		if p.Withholds(at) {
			reply(func() {})
			n.flush()
			return
		}
	case kerr.OffsetOutOfRange:
		first, last := p.Log.Start(), p.Log.End()
		reply(func() { from.p.OutOfRange(first, last, epoch) })
		return
	default:
		reply(func() {})
		return
	}
	task.Go(n.e, func(t *task.Task) {
		b, err := p.Log.ReadBatches(t, at, p.ReadableEnd(true), 300)
		if t.Stopped() || err != disk.OK {
			return
		}
		hw, first := p.HighWatermark(), p.Log.Start()
		reply(func() {
			b, whole := good(b, at)
			if !whole && len(b) == 0 {
				from.refused = at
				return
			}
			lease := from.e.Pool.Get(len(b) + 1)
			from.p.Received(lease.Bytes[:copy(lease.Bytes, b)], lease, hw, first, epoch)
			lease.Release()
		})
	})
	n.flush()
}

// good gives the batches of an answer before the first that is not whole, or does not follow.
func good(b []byte, at int64) ([]byte, bool) {
	n := 0
	for rest := b; len(rest) > 0; {
		v, more, ok := records.Split(rest)
		if !ok || v.ComputeCRC() != v.CRC() || v.BaseOffset() > at {
			return b[:n], false
		}
		n, at, rest = n+len(v), v.NextOffset(), more
	}
	return b[:n], true
}

// save writes the checkpoints.
func (n *node) save() {
	if n.p == nil || n.p.Log == nil || n.p.truncating {
		return
	}
	n.p.SaveBegun()
	n.point, n.start, n.hw = n.p.Log.RecoveryPoint(), n.p.Log.Start(), n.p.HighWatermark()
	n.p.SaveDone()
	n.flush()
}

// --- clients

type append3 struct {
	c    *cluster
	acks int16
	p    *Partition
	v    records.View
	done bool
}

func (a *append3) Appended(_ int32, r Result) {
	if a.done {
		a.c.fatal("answered twice")
	}
	a.done = true
	a.c.answered++
	if r.Code == kerr.None && a.acks == AcksAll {
		a.v.SetBaseOffset(r.Base)
		a.c.commit(r.Base, string(a.v[records.HeaderSize:]), "acknowledged")
	}
}

// commit notes that a record was shown or acknowledged as committed.
func (c *cluster) commit(base int64, value, how string) {
	if was, ok := c.truth[base]; ok && was != value {
		c.fatal("offset %d is %q, %s, and was %q", base, value, how, was)
	}
	c.truth[base] = value
	c.top = max(c.top, base+1)
}

func (n *node) append(acks int16) {
	if n.p == nil || n.p.Log == nil {
		return
	}
	n.e.Now.Mono = n.c.now
	n.c.next++
	b := records.NewBuilder(records.Options{})
	b.Add(nil, []byte("v"+strconv.Itoa(n.c.next)), 1_700_000_000_000)
	a := &append3{c: n.c, acks: acks, p: n.p}
	lease := n.e.Pool.Get(b.Size() + 100)
	v := records.View(lease.Bytes[:copy(lease.Bytes, b.Build())])
	a.v = append(records.View(nil), v...)
	n.p.Append(v, lease, acks, a, 0)
	lease.Release()
	n.flush()
}

// look is a consumer and ListOffsets at n, if it thinks that it leads, and the oracle's look at its log.
func (n *node) look() {
	c, p := n.c, n.p
	if p == nil || p.Log == nil || p.truncating || p.role == idle {
		return
	}
	n.stable()
	end := p.HighWatermark()
	if p.IsLeader() {
		if c.ctl.leader == n.id && c.ctl.leaderEpoch == p.LeaderEpoch && p.Log.Start() < c.deleted {
			c.fatal("node %d leads and begins at %d, deleted until %d", n.id, p.Log.Start(), c.deleted)
		}
		end = p.ReadableEnd(false)
		if p.OffsetsKnown() {
			if current := c.ctl.leader == n.id && c.ctl.leaderEpoch == p.LeaderEpoch; current && p.HighWatermark() < c.listed {
				c.fatal("node %d lists %d, %d was listed", n.id, p.HighWatermark(), c.listed)
			}
			c.listed = max(c.listed, p.HighWatermark())
		}
	}
	for _, v := range n.batches() {
		if v.NextOffset() <= end && v.BaseOffset() >= p.Log.Start() && v.ComputeCRC() == v.CRC() { // what leaders have deleted may be another's below
			c.commit(v.BaseOffset(), string(v[records.HeaderSize:]), "at node "+strconv.Itoa(int(n.id)))
		}
	}
}

// candidates checks that whoever may be elected has all that is committed.
func (c *cluster) candidates() {
	for _, id := range append(slices.Clone(c.ctl.isr), c.ctl.elr...) {
		n := c.nodes[id]
		if n.p == nil || n.p.Log == nil || n.epoch != c.ctl.epoch[id] {
			continue
		}
		end := n.p.Log.WrittenEnd()
		if c.ack {
			end = n.p.Log.SyncedEnd()
		}
		if end < c.top {
			c.fatal("node %d may be elected and ends at %d, committed until %d", id, end, c.top)
		}
	}
}

func (c *cluster) check() {
	for _, n := range c.nodes {
		n.look()
	}
	c.candidates()
}

// pass delivers or loses a message.
func (c *cluster) pass(i int, lost bool) {
	if len(c.flights) == 0 {
		return
	}
	i %= len(c.flights)
	f := c.flights[i]
	c.flights = slices.Delete(c.flights, i, i+1)
	if lost {
		f.lost()
		return
	}
	f.deliver()
}

// round lets everybody who is up go on a little; what one of them is not told in it, it learns later.
func (c *cluster) round(learn bool) {
	c.now += 2e6
	for _, n := range c.nodes {
		if learn {
			n.learn()
		}
		n.fetch(false)
		for range 12 {
			n.work(0)
		}
		if n.p != nil && n.p.StartUnsaved() && c.next%3 > 0 {
			n.save()
		}
	}
	for k := len(c.flights); k > 0; k-- {
		c.pass(0, false)
	}
}

// heal brings everybody up, lets all be done and compares.
func (c *cluster) heal() {
	c.flights, c.held = append(c.flights, c.held...), nil
	for _, n := range c.nodes {
		if n.p == nil {
			n.boot()
		}
	}
	for round := 0; round < 400; round++ {
		c.now += 10e6
		for _, n := range c.nodes {
			for k := 0; k < 30 && (len(n.queue) > 0 || k == 0); k++ {
				n.work(0)
			}
			if n.p.Log != nil {
				c.unfence(n.id)
			}
			n.learn()
			n.e.Now.Mono = c.now
			n.fetch(round%20 == 0) // a leader that died has left its fetches unanswered
			n.p.CheckLag(c.now)
			n.flush()
			if n.p.StartUnsaved() {
				n.save()
			}
		}
		for k := len(c.flights); k > 0; k-- {
			c.pass(0, false)
		}
		c.check()
	}
	l := c.nodes[max(c.ctl.leader, 0)]
	want := l.batches()
	for _, n := range c.nodes {
		p := n.p
		if p.Log.End() != l.p.Log.End() || p.HighWatermark() != p.Log.End() || p.Waiting() > 0 || len(p.deletions) > 0 || p.truncating {
			c.fatal("node %d is not whole: ends at %d of %d, high watermark %d, %d wait; ISR %v, leader %d", n.id, p.Log.End(), l.p.Log.End(), p.HighWatermark(), p.Waiting(), c.ctl.isr, c.ctl.leader)
		}
		got := n.batches()
		from := max(p.Log.Start(), l.p.Log.Start())
		drop := func(v records.View) bool { return v.BaseOffset() < from }
		if a, b := slices.DeleteFunc(got, drop), slices.DeleteFunc(slices.Clone(want), drop); !slices.EqualFunc(a, b, func(x, y records.View) bool { return string(x) == string(y) }) {
			c.fatal("node %d has other batches than the leader", n.id)
		}
	}
	for base := range c.truth {
		if base >= l.p.Log.Start() && !slices.ContainsFunc(want, func(v records.View) bool { return v.BaseOffset() == base }) {
			c.fatal("offset %d is gone", base)
		}
	}
	if len(c.ctl.isr) != 3 {
		c.fatal("ISR %v after healing", c.ctl.isr)
	}
}

func TestThreeReplicasNeverForgetWhatWasCommitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t)
		node := func() *node { return c.nodes[rapid.IntRange(0, 2).Draw(t, "node")] }
		busy := func(t *rapid.T) {
			if c.ctl.leader >= 0 {
				c.nodes[c.ctl.leader].append(AcksAll)
			}
			for range rapid.IntRange(1, 4).Draw(t, "rounds") {
				c.round(true)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"busy": busy, "busier": busy, "busiest": busy,
			"recover": func(*rapid.T) { // most of what is down comes up
				for _, n := range c.nodes {
					if n.p == nil && rapid.IntRange(0, 3).Draw(t, "up") > 0 {
						n.boot()
					}
					c.unfence(n.id)
				}
				busy(t)
			},
			"append": func(*rapid.T) { node().append(AcksAll) },
			"transact": func(*rapid.T) {
				if c.ctl.leader >= 0 {
					c.nodes[c.ctl.leader].transact(rapid.IntRange(0, 2).Draw(t, "end") == 0)
				}
			},
			"stray": func(*rapid.T) { node().transact(rapid.Bool().Draw(t, "end")) },
			"leaderAppends": func(t *rapid.T) {
				if c.ctl.leader >= 0 {
					c.nodes[c.ctl.leader].append(rapid.SampledFrom([]int16{AcksAll, AcksAll, AcksLeader}).Draw(t, "acks"))
				}
			},
			"work": func(t *rapid.T) {
				n := node()
				for range rapid.IntRange(1, 20).Draw(t, "requests") {
					n.work(rapid.IntRange(0, 5).Draw(t, "which"))
				}
			},
			"allWork": func(t *rapid.T) {
				c.now += 1e6
				for _, n := range c.nodes {
					for range 15 {
						n.work(0)
					}
				}
			},
			"fetch":   func(*rapid.T) { node().fetch(rapid.IntRange(0, 5).Draw(t, "again") == 0) },
			"deliver": func(*rapid.T) { c.pass(rapid.IntRange(0, 5).Draw(t, "which"), false) },
			"replicate": func(*rapid.T) { // some rounds without faults, so that there is something to lose
				for range rapid.IntRange(1, 6).Draw(t, "rounds") {
					c.round(rapid.IntRange(0, 3).Draw(t, "learn") == 0)
				}
			},
			"hold": func(*rapid.T) {
				if len(c.flights) > 0 {
					c.held = append(c.held, c.flights[0])
					c.flights = c.flights[1:]
				}
			},
			"release": func(*rapid.T) {
				if len(c.held) > 0 {
					c.held[0].deliver()
					c.held = c.held[1:]
				}
			},
			"reboot": func(t *rapid.T) {
				n := node()
				n.crash(true)
				if n.p == nil {
					n.boot()
				}
				for k := 0; k < 100 && n.p.Log == nil; k++ {
					n.work(0)
				}
				c.unfence(n.id)
			},
			"lose":  func(*rapid.T) { c.pass(rapid.IntRange(0, 5).Draw(t, "which"), true) },
			"learn": func(*rapid.T) { node().learn() },
			"allLearn": func(*rapid.T) {
				for _, n := range c.nodes {
					n.learn()
				}
			},
			"time": func(*rapid.T) {
				c.now += clock.Time(rapid.IntRange(1, 400).Draw(t, "ms")) * 1e6
				n := node()
				if n.p != nil && n.p.Log != nil {
					n.e.Now.Mono = c.now
					n.p.CheckLag(c.now)
					n.flush()
				}
			},
			"elect": func(*rapid.T) {
				n := node()
				if c.ctl.alive[n.id] && slices.Contains(c.ctl.isr, n.id) && c.ctl.leader != n.id {
					c.ctl.leader = n.id
					c.ctl.leaderEpoch++
					c.ctl.partitionEpoch++
				}
			},
			"fence":   func(*rapid.T) { c.fence(node().id) },
			"unfence": func(*rapid.T) { c.unfence(node().id) },
			"crash":   func(*rapid.T) { node().crash(c.ack || rapid.Bool().Draw(t, "power")) },
			"boot": func(*rapid.T) {
				if n := node(); n.p == nil {
					n.boot()
				}
			},
			"checkpoint": func(*rapid.T) {
				node().save()
			},
			"delete": func(*rapid.T) {
				if n := node(); n.p != nil && n.p.Log != nil && n.p.IsLeader() && rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					n.delete(max(0, n.p.HighWatermark()-int64(rapid.IntRange(0, 2).Draw(t, "less"))))
				}
			},
			"retention": func(*rapid.T) {
				if n := node(); n.p != nil && n.p.Log != nil && n.p.IsLeader() && rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					n.p.Log.DeleteRecords(max(n.p.Log.Start(), n.p.HighWatermark()))
					n.flush()
				}
			},
			"": func(*rapid.T) { c.check() },
		})
		c.heal()
	})
}
