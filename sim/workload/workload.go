package workload

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/history"
)

// Version of the plan's form. A plan of another version is refused.
const Version = 1

// Source is where draws come from: *prng.Source, or a test's.
type Source interface {
	Intn(n int) int
	Between(lo, hi int64) int64
	Permille(n int) bool
}

// Plan is the client side of a run.
type Plan struct {
	Version  int                `json:"version"`
	Topics   []client.TopicSpec `json:"topics"`
	Programs []Program          `json:"programs"`
	Nodes    int                `json:"nodes,omitempty"` // brokers; 0 counts as 1
}

// Program is one client; exactly one field is set.
type Program struct {
	Producer   *client.ProducerConfig   `json:"producer,omitempty"`
	Consumer   *client.ConsumerConfig   `json:"consumer,omitempty"`
	Group      *client.GroupConfig      `json:"group,omitempty"`
	Admin      *client.AdminConfig      `json:"admin,omitempty"`
	Misbehaver *client.MisbehaverConfig `json:"misbehaver,omitempty"`
	Transactor *client.TransactorConfig `json:"transactor,omitempty"`
	Committed  *client.CommittedConfig  `json:"committed,omitempty"`
	Processor  *client.ProcessorConfig  `json:"processor,omitempty"`
	Mover      *client.MoverConfig      `json:"mover,omitempty"`
}

// Hints steer a draw. The zero value lets everything be.
type Hints struct {
	Nodes       int    `json:"nodes,omitempty"`     // default 1
	L1          bool   `json:"l1,omitempty"`        // tiny segments, retention, DeleteRecords
	L3          bool   `json:"l3,omitempty"`        // a misbehaver for certain
	Focus       string `json:"focus,omitempty"`     // idempotent | groups | fetch | misbehave | storage | trim | offsets: more of that
	NoGroups    bool   `json:"no_groups,omitempty"` // until the broker has them
	NoRetention bool   `json:"no_retention,omitempty"`
	Wide        bool   `json:"wide,omitempty"` // many partitions with much in each, so that any two brokers share some; two copies make a commit
}

// Ids of clients: admin first. Value and process numbers hang on them, so they never change within a plan.
const founderID = 1

type drawer struct {
	src  Source
	h    Hints
	plan Plan
	next int
}

// Draw makes a plan.
func Draw(src Source, h Hints) Plan {
	if h.Nodes == 0 {
		h.Nodes = 1
	}
	d := &drawer{src: src, h: h, next: founderID + 1, plan: Plan{Version: Version}}
	if h.Nodes > 1 {
		d.plan.Nodes = h.Nodes
	}
	d.topics()
	founder := client.AdminConfig{ID: founderID, Node: d.node(), Topics: d.plan.Topics, Watch: d.names(), EveryMS: src.Between(100, 1500), Churn: src.Permille(300),
		DeleteRecords: h.L1 && src.Permille(700)}
	if h.Focus == "trim" {
		founder.DeleteRecords, founder.Trims, founder.EveryMS = true, true, src.Between(30, 150)
	}
	if h.Focus == "offsets" {
		founder.EveryMS = src.Between(10, 50)
	}
	d.plan.Programs = append(d.plan.Programs, Program{Admin: &founder})
	d.producers()
	d.consumers()
	if !h.NoGroups {
		d.groups()
	}
	if h.L3 || h.Focus == "misbehave" || src.Permille(400) {
		d.misbehaver()
	}
	return d.plan
}

func (d *drawer) id() int {
	d.next++
	return d.next - 1
}

func (d *drawer) node() int { return d.src.Intn(d.h.Nodes) }

func (d *drawer) names() []string {
	var ns []string
	for _, t := range d.plan.Topics {
		ns = append(ns, t.Name)
	}
	return ns
}

func (d *drawer) topics() {
	n := 1 + d.src.Intn(2)
	for i := 0; i < n; i++ {
		t := client.TopicSpec{Name: fmt.Sprintf("t%d", i), Partitions: int32(d.src.Between(1, 4))}
		if d.h.L1 || d.src.Permille(400) {
			t.Configs = append(t.Configs, fmt.Sprintf("internal.segment.bytes=%d", d.src.Between(1024, 16384)))
		}
		if d.src.Permille(500) {
			t.Configs = append(t.Configs, fmt.Sprintf("index.interval.bytes=%d", d.src.Between(1, 1024)))
		}
		if d.h.L1 && (d.h.Focus == "trim" || d.src.Permille(600)) {
			t.Configs = append(t.Configs, fmt.Sprintf("file.delete.delay.ms=%d", d.src.Between(0, 1)*d.src.Between(0, 3000)))
		}
		if d.h.L1 && !d.h.NoRetention && d.src.Permille(400) {
			t.Configs = append(t.Configs, fmt.Sprintf("retention.bytes=%d", d.src.Between(16384, 262144)))
		}
		if d.src.Permille(800) { // clocks may be hours apart
			t.Configs = append(t.Configs, "message.timestamp.after.max.ms=604800000")
		}
		if d.src.Permille(200) {
			t.Configs = append(t.Configs, "message.timestamp.type=LogAppendTime")
		}
		if d.src.Permille(150) {
			t.Configs = append(t.Configs, "compression.type="+[]string{"gzip", "lz4", "snappy", "zstd"}[d.src.Intn(4)])
		}
		if d.h.Nodes > 1 {
			t.Replicas = int16(min(3, d.h.Nodes))
			if d.src.Permille(150) {
				t.Replicas = int16(d.src.Between(1, int64(t.Replicas)))
			}
			if t.Replicas > 2 && (d.src.Permille(700) || d.h.Wide) {
				t.Configs = append(t.Configs, "min.insync.replicas=2")
			}
		}
		if d.h.Wide {
			t.Partitions = 12
		}
		d.plan.Topics = append(d.plan.Topics, t)
	}
}

func (d *drawer) producers() {
	n := 2 + d.src.Intn(3)
	for i := 0; i < n; i++ {
		p := client.ProducerConfig{ID: d.id(), Node: d.node(), Topic: d.plan.Topics[d.src.Intn(len(d.plan.Topics))].Name, Acks: -1,
			InFlight: 1 + d.src.Intn(5), Records: 1 + d.src.Intn(12), Pad: d.src.Intn(300), EveryMS: d.src.Between(40, 400),
			RequestMS: d.src.Between(1000, 8000), DeliverMS: d.src.Between(10000, 40000), Keyed: d.src.Permille(300), Narrow: d.src.Permille(200)}
		if d.h.Wide {
			p.EveryMS = d.src.Between(10, 60)
		}
		if d.h.Focus == "trim" {
			p.Pad = 500 + d.src.Intn(2500)
		}
		if d.src.Permille(450) {
			p.Codec = int8(1 + d.src.Intn(4))
		}
		switch {
		case d.h.Focus == "idempotent" || i == 0 || d.src.Permille(450):
			p.Idempotent = true
			if d.src.Permille(150) {
				p.FirstSeq = int32(1<<31 - 1 - d.src.Intn(60))
			}
		case d.h.Focus != "storage" && d.src.Permille(300):
			p.Acks = int16(d.src.Intn(2))
		}
		d.plan.Programs = append(d.plan.Programs, Program{Producer: &p})
	}
}

func (d *drawer) fetch() client.FetchConfig {
	f := client.FetchConfig{Sessions: d.src.Permille(600), MaxWaitMS: int32(d.src.Between(50, 2000)), MinBytes: 1, MaxBytes: 1 << 20, PartBytes: 1 << 18, PauseMS: d.src.Between(5, 200)}
	if d.h.Focus == "fetch" || d.src.Permille(250) { // long enough to tell a wake-up from the end of the wait
		f.MaxWaitMS = int32(d.src.Between(6000, 15000))
		return f
	}
	if d.src.Permille(300) {
		f.MinBytes = int32(d.src.Between(2, 4000))
	}
	if d.src.Permille(300) {
		f.MaxBytes = int32(d.src.Between(1, 8000))
	}
	if d.src.Permille(300) {
		f.PartBytes = int32(d.src.Between(1, 4000))
	}
	return f
}

// consumers: the first reads every topic, and everything once more at the end.
func (d *drawer) consumers() {
	n := 1 + d.src.Intn(2)
	for i := 0; i < n; i++ {
		c := client.ConsumerConfig{ID: d.id(), Node: d.node(), Topics: d.names(), Fetch: d.fetch(), Final: i == 0}
		if i == 0 { // the last reading must not take for ever
			c.Fetch.MaxBytes, c.Fetch.PartBytes, c.Fetch.PauseMS = 1<<20, 1<<18, min(c.Fetch.PauseMS, 50)
		}
		if d.src.Permille(500) {
			c.SeekMS = d.src.Between(2000, 10000)
		}
		if d.h.Focus == "trim" {
			c.SeekMS, c.Fetch.MaxBytes, c.Fetch.PartBytes = d.src.Between(300, 1500), 1<<20, 1<<18
		}
		d.plan.Programs = append(d.plan.Programs, Program{Consumer: &c})
	}
}

func (d *drawer) groups() {
	n := 1
	if d.h.Focus == "groups" {
		n = 1 + d.src.Intn(2)
	}
	for i := 0; i < n; i++ {
		session := int32(d.src.Between(6000, 10000))
		static := d.src.Permille(250)
		for m := 0; m < 1+d.src.Intn(3); m++ {
			g := client.GroupConfig{ID: d.id(), Node: d.node(), Group: fmt.Sprintf("g%d", i), Topics: d.names(), Fetch: d.fetch(), SessionMS: session,
				RebalanceMS: int32(d.src.Between(3000, 8000)), HeartbeatMS: d.src.Between(500, 2000), CommitMS: d.src.Between(300, 2000)}
			g.Fetch.MaxWaitMS = min(g.Fetch.MaxWaitMS, g.RebalanceMS/2) // or it would miss each rebalance: it joins once its fetch is answered
			if static {
				g.Instance = fmt.Sprintf("i%d", m)
			}
			if d.src.Permille(500) {
				g.StayMS, g.AwayMS, g.Vanish = d.src.Between(5000, 20000), d.src.Between(500, 8000), d.src.Permille(500)
			}
			d.plan.Programs = append(d.plan.Programs, Program{Group: &g})
		}
	}
}

func (d *drawer) misbehaver() {
	id := d.id()
	t := client.TopicSpec{Name: fmt.Sprintf("m%d", id), Partitions: 1, Configs: []string{fmt.Sprintf("internal.segment.bytes=%d", d.src.Between(1024, 4096))}}
	m := client.MisbehaverConfig{ID: id, Node: d.node(), Topic: t.Name, EveryMS: d.src.Between(200, 2000)}
	if d.h.Focus == "misbehave" {
		m.EveryMS = 100
	}
	d.plan.Topics = append(d.plan.Topics, t)
	founder, reader := d.plan.Programs[0].Admin, d.reader()
	founder.Topics = append(founder.Topics, t)
	reader.Topics = append(reader.Topics, t.Name)
	d.plan.Programs = append(d.plan.Programs, Program{Misbehaver: &m})
}

func (d *drawer) reader() *client.ConsumerConfig {
	for _, p := range d.plan.Programs {
		if p.Consumer != nil {
			return p.Consumer
		}
	}
	panic("workload: a plan without a reader") // consumers draws at least one, before this
}

// Set is the clients of a run.
type Set struct {
	Clients []client.Client
	Shared  *client.Shared
}

// validatePermille is how likely a reader is one that validates its positions; the others are as clients were before KIP-320.
const validatePermille = 700

// Validate draws which readers of several brokers ask each new leader whether it has what they have read.
func (p *Plan) Validate(src Source) {
	if p.Nodes <= 1 {
		return
	}
	for i := range p.Programs {
		var f *client.FetchConfig
		switch x := &p.Programs[i]; {
		case x.Consumer != nil:
			f = &x.Consumer.Fetch
		case x.Group != nil:
			f = &x.Group.Fetch
		case x.Processor != nil:
			f = &x.Processor.Group.Fetch
		default:
			continue
		}
		f.Validate = src.Permille(validatePermille)
	}
}

// Build makes the clients of a plan. Each records into rec.
func (p *Plan) Build(rec *history.Recorder) (*Set, error) {
	if p.Version != Version {
		return nil, fmt.Errorf("workload plan of version %d; this build reads %d", p.Version, Version)
	}
	s := &Set{Shared: client.NewShared(rec)}
	s.Shared.Nodes = p.Nodes
	for i, pr := range p.Programs {
		var c client.Client
		switch {
		case pr.Producer != nil:
			c = client.NewProducer(*pr.Producer, s.Shared)
		case pr.Consumer != nil:
			c = client.NewConsumer(*pr.Consumer, s.Shared)
		case pr.Group != nil:
			c = client.NewGroup(*pr.Group, s.Shared)
		case pr.Admin != nil:
			c = client.NewAdmin(*pr.Admin, s.Shared)
		case pr.Misbehaver != nil:
			c = client.NewMisbehaver(*pr.Misbehaver, s.Shared)
		case pr.Transactor != nil:
			c = client.NewTransactor(*pr.Transactor, s.Shared)
		case pr.Committed != nil:
			c = client.NewCommitted(*pr.Committed, s.Shared)
		case pr.Processor != nil:
			c = client.NewProcessor(*pr.Processor, s.Shared)
		case pr.Mover != nil:
			c = client.NewMover(*pr.Mover, s.Shared)
		default:
			return nil, fmt.Errorf("workload program %d names no client", i)
		}
		s.Clients = append(s.Clients, c)
	}
	return s, nil
}

// Healed tells all clients that the safety phase is over.
func (s *Set) Healed() {
	for _, c := range s.Clients {
		if h, ok := c.(client.Healer); ok {
			h.Healed()
		}
	}
}

// Done says whether every client has done what it wanted.
func (s *Set) Done() bool {
	for _, c := range s.Clients {
		if d, ok := c.(client.Settler); ok && !d.Done() {
			return false
		}
	}
	return true
}

// Waiting names what is missing, one line a client.
func (s *Set) Waiting() []string {
	var w []string
	for _, c := range s.Clients {
		if d, ok := c.(client.Settler); ok && !d.Done() {
			w = append(w, d.Waiting())
		}
	}
	return w
}
