package oracle

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/sim/history"
)

// Metadata is a View of a cluster: what its nodes know of topics, leaders and replicas.
type Metadata interface {
	View
	// Image is the newest image that any node ever had; ImageOf a node's own. nil: none yet.
	Image() *metadata.Image
	ImageOf(node int) *metadata.Image
}

// replicas is what the oracles of replication share: each partition's copies as last seen, and how far it was ever committed.
// It is fed once a step, by the first of them.
type replicas struct {
	parts   map[partition]*copies
	order   []partition // as first seen
	image   *metadata.Image
	prior   *metadata.Image // before the last change
	changed bool            // the image did, in this step
	touched []partition     // whose copies did
	p       Partition
}

type partition struct {
	id     [16]byte
	number int32
}

type copies struct {
	name    string
	trueHW  int64 // the highest end that a leader ever exposed
	nodes   []copyOf
	leaders map[int32]life // by leader epoch: who led in it
	// An excuse says that copies may differ from excused on, until each is in sync again; and who leads in an epoch before since proves nothing.
	isExcused bool
	excused   int64
	since     int32
	doubt     doubt
}

// doubt is what the last excuse speaks of: a leader of that time may go on showing it, until the copy that lost it leads.
type doubt struct {
	end   int64 // offsets below
	epoch int32 // of leaders until this epoch
}

// copyOf is one node's copy, as its last process showed it.
type copyOf struct {
	life int // 0: never seen
	p    Partition
}

type life struct{ node, incarnation int }

// event takes in excuses: what the ledger says may be gone counts as committed no more.
func (r *replicas) event(e *history.Event) {
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind != history.Excuse {
			continue
		}
		for _, c := range r.parts {
			if o.Key != "" && o.Key != c.name {
				continue
			}
			at := max(o.Offset, 0)
			c.doubt = doubt{max(o.HW, c.trueHW), c.newest()}
			c.trueHW = min(c.trueHW, at)
			if !c.isExcused || at < c.excused {
				c.isExcused, c.excused = true, at
			}
			c.since = max(c.since, o.Generation)
		}
	}
}

func (r *replicas) step(v View) (Metadata, bool) {
	m, ok := v.(Metadata)
	if !ok || v.Nodes() == 1 {
		return nil, false
	}
	r.changed, r.touched = m.Image() != r.image, r.touched[:0]
	if r.changed {
		r.prior, r.image = r.image, m.Image()
	}
	_ = eachTouched(v, &r.p, func(node int, p *Partition) error {
		k := partition{p.TopicID, p.Partition}
		c := r.parts[k]
		if c == nil {
			c = &copies{name: keyOf(p), nodes: make([]copyOf, v.Nodes()), leaders: map[int32]life{}}
			if r.parts == nil {
				r.parts = map[partition]*copies{}
			}
			r.parts[k] = c
			r.order = append(r.order, k)
		}
		c.nodes[node] = copyOf{v.Incarnation(node), *p}
		if p.Online && p.Leader && p.Epoch >= c.since && (p.HW > c.doubt.end || p.Epoch > c.doubt.epoch) {
			c.trueHW = max(c.trueHW, p.HW)
		}
		r.touched = append(r.touched, k)
		return nil
	})
	return m, r.image != nil
}

// newest is the newest leader epoch in which somebody led.
func (c *copies) newest() (epoch int32) {
	epoch = -1
	for e := range c.leaders {
		epoch = max(epoch, e)
	}
	return epoch
}

// state gives what the image says of a partition, or nil.
func (r *replicas) state(k partition) *metadata.Partition { return stateIn(r.image, k) }

func stateIn(img *metadata.Image, k partition) *metadata.Partition {
	if img == nil {
		return nil
	}
	if t := img.TopicByID(k.id); t != nil {
		return t.Partition(k.number)
	}
	return nil
}

// due gives the partitions to look at: those that changed, or all.
func (r *replicas) due() []partition {
	if r.changed {
		return r.order
	}
	return r.touched
}

// shown gives a node's copy, if the node is up and the copy is of its present process.
func (c *copies) shown(v View, node int) *Partition {
	x := &c.nodes[node]
	if !v.Up(node) || x.life != v.Incarnation(node) || !x.p.Online {
		return nil
	}
	return &x.p
}

// end is a copy's log end where the protocol counts it.
func end(v View, p *Partition) int64 {
	if v.Policy() == "ack" {
		return p.Synced
	}
	return p.End
}

// candidates: each running member of ISR and ELR has all that was ever committed (I:I1), and so has the leader (I:I2).
// One whose records have rotted, as its start has found, may stand in the ELR until it has told that; it does before it is unfenced, and leads nothing
// before. Source: kip_966_properties.tla, LeaderCandidateCompleteness and LeaderCompleteness.
type candidates struct {
	quiet
	r      *replicas
	rotten map[string]bool // nodes whose copies have rotted
}

func (c *candidates) Name() string { return "I:I1" }
func (c *candidates) Due() bool    { return c.r.image != nil && len(c.r.order) > 0 }

// Event implements Oracle, for all that share the copies.
func (c *candidates) Event(e *history.Event) error {
	c.r.event(e)
	for i := range e.Ops {
		if o := &e.Ops[i]; o.Kind == history.Copy && o.Meta == history.Rotten {
			if c.rotten == nil {
				c.rotten = map[string]bool{}
			}
			c.rotten[o.Member] = true
		}
	}
	return nil
}

// awaited says whether a node with rotten records is fenced.
func (c *candidates) awaited(id int32) bool {
	b := c.r.image.Broker(id)
	return c.rotten[history.NodeName(int(id)-1)] && b != nil && b.Fenced
}

func (c *candidates) Step(v View) error {
	if _, ok := c.r.step(v); !ok {
		return nil
	}
	for _, k := range c.r.due() {
		s := c.r.state(k)
		if s == nil || s.Recovering {
			continue
		}
		x := c.r.parts[k]
		for _, list := range [...][]int32{s.ISR, s.ELR} {
			for _, id := range list {
				p := x.shown(v, int(id)-1)
				if p == nil {
					continue
				}
				c.checks++
				if e := end(v, p); e < x.trueHW && !c.awaited(id) {
					what := fmt.Sprintf("node %d may lead %s (ISR %v, ELR %v, leader %d, epoch %d)", id, x.name, s.ISR, s.ELR, s.Leader, s.LeaderEpoch)
					if s.Leader == id {
						return fail("I:I2", what, -1, "committed up to "+itoa(x.trueHW), "its log ends at "+itoa(e))
					}
					return fail(c.Name(), what, -1, "committed up to "+itoa(x.trueHW), "its log ends at "+itoa(e))
				}
			}
		}
	}
	return nil
}

// epochs: a replica's leader epoch only grows, and an epoch has one leader, in one life of it (I:I14).
type epochs struct {
	quiet
	r    *replicas
	seen map[partition][]epochSeen
}

type epochSeen struct {
	life  int
	epoch int32
}

func (e *epochs) Name() string { return "I:I14" }
func (e *epochs) Due() bool    { return len(e.r.order) > 0 }

func (e *epochs) Step(v View) error {
	if v.Nodes() == 1 {
		return nil
	}
	if e.seen == nil {
		e.seen = map[partition][]epochSeen{}
	}
	for _, k := range e.r.touched {
		x := e.r.parts[k]
		if e.seen[k] == nil {
			e.seen[k] = make([]epochSeen, v.Nodes())
		}
		for n := range x.nodes {
			p := x.shown(v, n)
			if p == nil {
				continue
			}
			e.checks++
			was := &e.seen[k][n]
			now := life{n, v.Incarnation(n)}
			if was.life == now.incarnation && p.Epoch < was.epoch {
				return fail(e.Name(), fmt.Sprintf("leader epoch of %s on node %d", x.name, n+1), -1, was.epoch, p.Epoch)
			}
			*was = epochSeen{now.incarnation, p.Epoch}
			if !p.Leader {
				continue
			}
			if l, ok := x.leaders[p.Epoch]; ok && l != now {
				return fail(e.Name(), fmt.Sprintf("leader of %s in epoch %d", x.name, p.Epoch), -1, fmt.Sprintf("node %d, start %d", l.node+1, l.incarnation),
					fmt.Sprintf("node %d, start %d", n+1, now.incarnation))
			}
			x.leaders[p.Epoch] = now
		}
	}
	return nil
}

// images: what nodes know of the cluster are states of one log (I:I10), each of them valid (I:I9).
type images struct {
	quiet
	r      *replicas
	last   []*metadata.Image
	digest map[int64]uint64
}

func (i *images) Name() string { return "I:I9" }
func (i *images) Due() bool    { return i.r.image != nil }

func (i *images) Step(v View) error {
	m, ok := v.(Metadata)
	if !ok || v.Nodes() == 1 {
		return nil
	}
	if i.last == nil {
		i.last, i.digest = make([]*metadata.Image, v.Nodes()), map[int64]uint64{}
	}
	for n := range i.last {
		img := m.ImageOf(n)
		if img == nil || img == i.last[n] {
			continue
		}
		i.last[n] = img
		i.checks++
		if d, ok := i.digest[img.Index()]; ok && d != img.Digest() {
			return fail("I:I10", fmt.Sprintf("the metadata image of node %d at index %d", n+1, img.Index()), -1, d, img.Digest())
		} else if !ok {
			if text := img.Wrong(); text != "" {
				return fail(i.Name(), "the metadata image at index "+itoa(img.Index()), -1, "a valid state", text)
			}
		}
		i.digest[img.Index()] = img.Digest()
	}
	return nil
}

// matching: below the lower of their high watermarks, two copies of a partition are equal byte for byte (I:I4). It reads logs back at the end,
// and now and then. What a log believes of an offset's epoch is what the batch there says (leader-epochs).
type matching struct {
	quiet
	name   string
	r      *replicas
	steps  int64
	due    bool
	epochs int64 // checks of leader-epochs
}

// LeaderEpochs is a View that knows what a node's log believes of the epoch at an offset; -1: nothing. It gives false for a node whose disk
// has lied or rotted: the file of epochs has no checksum.
type LeaderEpochs interface {
	EpochAt(node int, topic string, partition int32, offset int64) (epoch int32, ok bool)
}

// matchEvery is how many steps pass between two readings of the logs.
const matchEvery = 20_000

func (m *matching) Name() string { return m.name }
func (m *matching) Due() bool    { return m.due }

// add counts the checks of the other property.
func (m *matching) add(checks map[string]int64) { checks["leader-epochs"] += m.epochs }

func (m *matching) Step(v View) error {
	if m.steps++; m.steps%matchEvery != 0 || v.Nodes() == 1 {
		return nil
	}
	return m.compare(v)
}

func (m *matching) End(v View) error {
	if v.Nodes() == 1 {
		return nil
	}
	return m.compare(v)
}

// copied is one batch of a log.
type copied struct {
	base int64
	b    []byte
}

func (c *copied) last() int64 { return c.base + int64(lastDeltaOf(c.b)) }

func (m *matching) compare(v View) error {
	for _, k := range m.r.order {
		x := m.r.parts[k]
		if m.r.image == nil || m.r.state(k) == nil {
			continue
		}
		var first []copied
		at, from, low := -1, int64(0), int64(0)
		for n := range x.nodes {
			p := x.shown(v, n)
			if p == nil || p.HW <= p.Start {
				continue
			}
			log, ok := m.read(v, n, p, p.HW)
			if !ok { // the others are compared all the same
				continue
			}
			hw := x.sure(n, p.HW, m.r.state(k))
			if err := m.believed(v, n, p, log); err != nil {
				return err
			}
			if at >= 0 {
				m.due = m.due || min(low, hw) > max(from, p.Start)
				if err := m.equal(x, at, n, first, log, min(low, hw)); err != nil {
					return err
				}
			}
			if at < 0 || hw > low {
				first, at, from, low = log, n, p.Start, hw
			}
		}
	}
	return nil
}

// sure gives the offset below which a node's copy must be that of all others.
func (c *copies) sure(node int, hw int64, s *metadata.Partition) int64 {
	if c.isExcused && !slices.Contains(s.ISR, int32(node+1)) {
		return min(hw, c.excused)
	}
	return hw
}

// read gives a node's copy up to an offset; false if that cannot be read.
func (m *matching) read(v View, node int, p *Partition, to int64) (log []copied, ok bool) {
	topic, number := p.Topic, p.Partition
	ok = v.ReadBack(node, topic, number, p.Start, func(b []byte) bool {
		base := baseOffset(b)
		log = append(log, copied{base, slices.Clone(b)})
		return base < to
	})
	return log, ok
}

// believed compares a log's epochs with those of its batches. One that is being cut knows what it will be already.
func (m *matching) believed(v View, node int, p *Partition, log []copied) error {
	e, ok := v.(LeaderEpochs)
	if !ok || p.Cutting {
		return nil
	}
	for i := range log {
		if log[i].base < p.Start || log[i].base >= p.HW {
			continue
		}
		is, ok := e.EpochAt(node, p.Topic, p.Partition, log[i].base)
		if !ok {
			return nil
		}
		m.epochs++
		if want := epochOf(log[i].b); is != want {
			return fail("leader-epochs", fmt.Sprintf("node %d %s at %d", node+1, keyOf(p), log[i].base), -1, fmt.Sprintf("a batch of epoch %d", want), fmt.Sprintf("epoch %d", is))
		}
	}
	return nil
}

// equal compares what both have below hw. One may have deleted more from its front than the other. Each replica compacts its log by itself: of a batch that
// one has cleaned the leader epochs are compared, and that its offsets are there, since compaction leaves no gaps.
func (m *matching) equal(x *copies, a, b int, la, lb []copied, hw int64) error {
	i, j := 0, 0
	for i < len(la) && j < len(lb) && la[i].base < hw && lb[j].base < hw {
		p, q := &la[i], &lb[j]
		switch {
		case p.last() < q.base && j == 0:
			i++
			continue
		case q.last() < p.base && i == 0:
			j++
			continue
		case p.last() < q.base:
			return m.missing(x, p.base, b, hw)
		case q.last() < p.base:
			return m.missing(x, q.base, a, hw)
		}
		m.checks++
		uncleaned := !cleaned(p.b) && !cleaned(q.b)
		if uncleaned && !slices.Equal(p.b, q.b) || epochOf(p.b) != epochOf(q.b) {
			return fail(m.Name(), fmt.Sprintf("%s below %d on nodes %d and %d", x.name, hw, a+1, b+1), -1,
				fmt.Sprintf("batch at %d, %d bytes, epoch %d", p.base, len(p.b), epochOf(p.b)), fmt.Sprintf("batch at %d, %d bytes, epoch %d", q.base, len(q.b), epochOf(q.b)))
		}
		pl, ql := p.last(), q.last()
		if pl <= ql {
			i++
		}
		if ql <= pl {
			j++
		}
	}
	if i > 0 && i < len(la) && la[i].base < hw && j > 0 && la[i].base > lb[j-1].last() {
		return m.missing(x, la[i].base, b, hw)
	}
	if j > 0 && j < len(lb) && lb[j].base < hw && i > 0 && lb[j].base > la[i-1].last() {
		return m.missing(x, lb[j].base, a, hw)
	}
	return nil
}

func (m *matching) missing(x *copies, base int64, node int, hw int64) error {
	return fail(m.Name(), fmt.Sprintf("%s below %d on node %d", x.name, hw, node+1), -1, "a batch at "+itoa(base), "none")
}
