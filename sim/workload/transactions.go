package workload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/client"
)

// newIDs gives ids of clients that the plan does not have yet.
func (p *Plan) newIDs() func() int {
	next := founderID
	for i := range p.Programs {
		next = max(next, p.Programs[i].id())
	}
	return func() int {
		next++
		return next
	}
}

// Transact adds transactional producers and readers of what they commit to a plan, with a stream of draws of its own: the other programs stay as they are.
func (p *Plan) Transact(src Source) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	t := client.TopicSpec{Name: "txn", Partitions: int32(src.Between(1, 3))}
	if src.Permille(700) {
		t.Configs = append(t.Configs, fmt.Sprintf("internal.segment.bytes=%d", src.Between(500, 8192)))
	}
	t.Configs = append(t.Configs, "message.timestamp.after.max.ms=604800000")
	if nodes > 1 {
		if t.Replicas = int16(min(3, nodes)); t.Replicas > 2 && src.Permille(700) {
			t.Configs = append(t.Configs, "min.insync.replicas=2")
		}
	}
	for n := src.Between(1, 3); n > 0; n-- {
		x := client.TransactorConfig{ID: id(), Node: src.Intn(nodes), Topic: t, TxnID: fmt.Sprintf("id%d", src.Between(0, 2)), Batches: 1 + src.Intn(5), Records: 1 + src.Intn(4),
			EveryMS: src.Between(5, 400), RequestMS: src.Between(1000, 8000), TimeoutMS: src.Between(2000, 20000), AbortPermille: int(src.Between(50, 500))}
		if src.Permille(400) {
			x.StallPermille = int(src.Between(10, 100))
		}
		p.Programs = append(p.Programs, Program{Transactor: &x})
	}
	for n := src.Between(1, 2); n > 0; n-- {
		c := client.CommittedConfig{ID: id(), Node: src.Intn(nodes), Topic: t.Name, MaxWaitMS: int32(src.Between(50, 2000)), PartBytes: 1 << 18, PauseMS: src.Between(5, 200)}
		if src.Permille(500) {
			c.PartBytes = int32(src.Between(1, 2000))
		}
		if src.Permille(500) {
			c.SeekMS = src.Between(1000, 8000)
		}
		p.Programs = append(p.Programs, Program{Committed: &c})
	}
}

// Compact has the topic of transactors compacted, as soon as a segment is full or old: a table, in which later values of a key take the place of earlier
// ones, or a topic in which each value has its own key, so that compaction may take nothing but what was aborted.
func (p *Plan) Compact(src Source) {
	name := "txn"
	if src.Permille(600) {
		name = "table"
	}
	configs := []string{"cleanup.policy=compact", fmt.Sprintf("internal.segment.bytes=%d", src.Between(300, 6000)), fmt.Sprintf("delete.retention.ms=%d", src.Between(0, 8000)),
		"min.cleanable.dirty.ratio=" + []string{"0", "0.1", "0.5"}[src.Intn(3)]}
	if src.Permille(700) {
		configs = append(configs, fmt.Sprintf("max.compaction.lag.ms=%d", src.Between(200, 8000)))
	}
	for i := range p.Programs {
		pr := &p.Programs[i]
		if x := pr.Transactor; x != nil && x.Topic.Name == "txn" {
			var kept []string
			for _, c := range x.Topic.Configs {
				if !strings.HasPrefix(c, "internal.segment.bytes=") {
					kept = append(kept, c)
				}
			}
			x.Topic.Name, x.Topic.Configs, x.Keyed = name, append(kept, configs...), true
		}
		if c := pr.Committed; c != nil && c.Topic == "txn" {
			c.Topic, c.Compacted = name, true
		}
	}
}

// Linger adds a group that is hardly ever there, with a stream of draws of its own: its one member reads a topic that nobody writes to, has nothing to
// commit, and leaves after a moment. Then the group is forgotten, and for a while that is the last thing in its partition.
func (p *Plan) Linger(src Source) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	t := client.TopicSpec{Name: "silent", Partitions: 1}
	if nodes > 1 {
		t.Replicas = int16(min(3, nodes))
	}
	p.addTopic(t)
	p.Programs = append(p.Programs, Program{Group: &client.GroupConfig{ID: id(), Node: src.Intn(nodes), Group: "seldom", Topics: []string{t.Name}, SessionMS: 6000, RebalanceMS: 3000,
		HeartbeatMS: 500, StayMS: src.Between(200, 1000), AwayMS: src.Between(8000, 16000),
		Fetch: client.FetchConfig{MaxWaitMS: 200, MinBytes: 1, MaxBytes: 1 << 20, PartBytes: 1 << 18, PauseMS: 50}}})
}

// Chorus adds producers of small transactions into one partition, with a stream of draws of its own: they begin and end theirs all the time, and all come to
// their end at about the same moment.
func (p *Plan) Chorus(src Source) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	t := client.TopicSpec{Name: "chorus", Partitions: 1}
	if nodes > 1 {
		t.Replicas = int16(min(3, nodes))
	}
	for n := range src.Between(5, 9) {
		p.Programs = append(p.Programs, Program{Transactor: &client.TransactorConfig{ID: id(), Node: src.Intn(nodes), Topic: t, TxnID: fmt.Sprintf("voice%d", n), Batches: 1, Records: 1,
			EveryMS: 1, RequestMS: src.Between(1000, 8000), TimeoutMS: src.Between(5000, 20000)}})
	}
	p.Programs = append(p.Programs, Program{Committed: &client.CommittedConfig{ID: id(), Node: src.Intn(nodes), Topic: t.Name, MaxWaitMS: int32(src.Between(50, 2000)), PartBytes: 1 << 18, PauseMS: src.Between(5, 200)}})
}

// addTopic has the founder make a topic, and the last reader read it.
func (p *Plan) addTopic(t client.TopicSpec) {
	p.Topics = append(p.Topics, t)
	for i := range p.Programs {
		switch pr := &p.Programs[i]; {
		case pr.Admin != nil:
			pr.Admin.Topics = append(pr.Admin.Topics, t)
		case pr.Consumer != nil && pr.Consumer.Final:
			pr.Consumer.Topics = append(pr.Consumer.Topics, t.Name)
		}
	}
}

func (p *Program) id() int {
	switch {
	case p.Producer != nil:
		return p.Producer.ID
	case p.Consumer != nil:
		return p.Consumer.ID
	case p.Group != nil:
		return p.Group.ID
	case p.Admin != nil:
		return p.Admin.ID
	case p.Misbehaver != nil:
		return p.Misbehaver.ID
	case p.Transactor != nil:
		return p.Transactor.ID
	case p.Committed != nil:
		return p.Committed.ID
	case p.Processor != nil:
		return p.Processor.Group.ID
	case p.Mover != nil:
		return p.Mover.Writer.ID
	}
	return 0
}

// Consume adds members of a group of the consumer protocol (KIP-848) that reads the plan's topics, with a stream of draws of its own.
func (p *Plan) Consume(src Source, topics []string) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	static, regex := src.Permille(250), src.Permille(300)
	for m := range src.Between(1, 4) {
		g := client.GroupConfig{ID: id(), Node: src.Intn(nodes), Group: "next", Topics: topics, SessionMS: 6000, RebalanceMS: int32(src.Between(3000, 8000)),
			HeartbeatMS: src.Between(200, 1500), CommitMS: src.Between(300, 2000), Next: &client.NextConfig{},
			Fetch: client.FetchConfig{Sessions: src.Permille(600), MaxWaitMS: int32(src.Between(50, 2000)), MinBytes: 1, MaxBytes: 1 << 20, PartBytes: int32(src.Between(1, 1<<18)), PauseMS: src.Between(5, 200)}}
		if static {
			g.Instance = fmt.Sprintf("i%d", m)
		}
		if regex {
			g.Next.Regex = "t[0-9]+"
		}
		if src.Permille(300) {
			g.Next.Assignor = []string{"range", "uniform"}[src.Intn(2)]
		}
		if src.Permille(500) {
			g.StayMS, g.AwayMS, g.Vanish = src.Between(5000, 20000), src.Between(500, 8000), src.Permille(500)
		}
		p.Programs = append(p.Programs, Program{Group: &g})
	}
}

// Mix adds members of both protocols to one group, which reads the plan's topics, with a stream of draws of its own. refused: the policy of migration
// may keep some out.
func (p *Plan) Mix(src Source, topics []string, refused bool) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	session, static, turning := int32(src.Between(6000, 10000)), src.Permille(250), int(src.Between(0, 1000))
	for m := range src.Between(2, 4) {
		g := client.GroupConfig{ID: id(), Node: src.Intn(nodes), Group: "both", Topics: topics, SessionMS: session, RebalanceMS: int32(src.Between(3000, 8000)),
			HeartbeatMS: src.Between(200, 1500), CommitMS: src.Between(300, 2000), Both: &client.BothConfig{Begins: src.Permille(500), Turns: src.Permille(turning), Refused: refused},
			Fetch: client.FetchConfig{Sessions: src.Permille(600), MinBytes: 1, MaxBytes: 1 << 20, PartBytes: int32(src.Between(1, 1<<18)), PauseMS: src.Between(5, 200)}}
		g.Fetch.MaxWaitMS = int32(src.Between(50, int64(min(2000, g.RebalanceMS/2))))
		if static {
			g.Instance = fmt.Sprintf("i%d", m)
		}
		if src.Permille(200) {
			g.Both.Next.Regex = "t[0-9]+"
		}
		if src.Permille(300) {
			g.Both.Next.Assignor = []string{"range", "uniform"}[src.Intn(2)]
		}
		if src.Permille(800) {
			g.StayMS, g.AwayMS, g.Vanish = src.Between(2000, 15000), src.Between(100, 8000), src.Permille(300)
		}
		p.Programs = append(p.Programs, Program{Group: &g})
	}
}

// Rest has those that write transactions rest now and then for about so long, with a stream of draws of its own.
func (p *Plan) Rest(src Source, ms int64) {
	for i := range p.Programs {
		pr := &p.Programs[i]
		x := pr.Transactor
		if pr.Mover != nil {
			x = &pr.Mover.Writer
		}
		if x != nil {
			x.RestPermille, x.RestMS = int(src.Between(10, 200)), src.Between(ms/2, 3*ms)
		}
	}
}

// Renew has some producers go on under the ids that they have, with a stream of draws of its own (KIP-360).
func (p *Plan) Renew(src Source) {
	for i := range p.Programs {
		pr, renews := &p.Programs[i], src.Permille(400)
		switch {
		case pr.Producer != nil:
			pr.Producer.Renews = renews && pr.Producer.Idempotent
		case pr.Transactor != nil:
			pr.Transactor.Renews = renews
		case pr.Mover != nil:
			pr.Mover.Writer.Renews = renews
		case pr.Processor != nil:
			pr.Processor.Renews = renews
		}
	}
}

// TxnIDs names the transactional ids.
func (p *Plan) TxnIDs() (ids []string) {
	for i := range p.Programs {
		id := ""
		switch pr := &p.Programs[i]; {
		case pr.Transactor != nil:
			id = pr.Transactor.TxnID
		case pr.Mover != nil:
			id = pr.Mover.Writer.TxnID
		case pr.Processor != nil:
			id = pr.Processor.TxnID
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Mixed names the groups with members of both protocols.
func (p *Plan) Mixed() (groups []string) {
	for i := range p.Programs {
		if g := p.Programs[i].Group; g != nil && g.Both != nil && !slices.Contains(groups, g.Group) {
			groups = append(groups, g.Group)
		}
	}
	return groups
}

// Copy adds a topic, who writes to it, and members of a group that copy it exactly once, with a stream of draws of its own.
func (p *Plan) Copy(src Source) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	in := client.TopicSpec{Name: "copy-in", Partitions: int32(src.Between(1, 3)), Configs: []string{"message.timestamp.after.max.ms=604800000"}}
	out := client.TopicSpec{Name: "copy", Partitions: int32(src.Between(1, 3)), Configs: in.Configs}
	if nodes > 1 {
		in.Replicas = int16(min(3, nodes))
		if in.Replicas > 2 && src.Permille(700) {
			in.Configs = append(in.Configs, "min.insync.replicas=2")
		}
		out.Replicas, out.Configs = in.Replicas, in.Configs
	}
	p.addTopic(in)
	p.Programs = append(p.Programs, Program{Producer: &client.ProducerConfig{ID: id(), Node: src.Intn(nodes), Topic: in.Name, Acks: -1, Idempotent: true, InFlight: 1 + src.Intn(5),
		Records: 1 + src.Intn(6), EveryMS: src.Between(50, 500), RequestMS: src.Between(1000, 8000), DeliverMS: src.Between(10000, 40000)}})
	session, old := int32(src.Between(6000, 10000)), src.Permille(300)
	for m := range src.Between(1, 3) {
		x := client.ProcessorConfig{Out: out, TxnID: fmt.Sprintf("copier%d", m), Old: old, RequestMS: src.Between(1000, 8000), TimeoutMS: src.Between(3000, 20000),
			AbortPermille: int(src.Between(0, 300)), SleepPermille: int(src.Between(0, 1) * src.Between(1, 30)), SleepMS: src.Between(1000, 30000), Loyal: src.Permille(500)}
		if src.Permille(200) {
			x.TxnID = "copier0"
		}
		x.Group = client.GroupConfig{ID: id(), Node: src.Intn(nodes), Group: "copiers", Topics: []string{in.Name}, SessionMS: session, RebalanceMS: int32(src.Between(3000, 8000)),
			HeartbeatMS: src.Between(500, 2000), CommitMS: 1000,
			Fetch: client.FetchConfig{MaxWaitMS: int32(src.Between(50, 1500)), MinBytes: 1, MaxBytes: 1 << 20, PartBytes: int32(src.Between(1, 2000)), PauseMS: src.Between(5, 300)}}
		if src.Permille(300) {
			x.Group.StayMS, x.Group.AwayMS, x.Group.Vanish = src.Between(5000, 20000), src.Between(500, 8000), src.Permille(500)
		}
		p.Programs = append(p.Programs, Program{Processor: &x})
	}
	p.Programs = append(p.Programs, Program{Committed: &client.CommittedConfig{ID: id(), Node: src.Intn(nodes), Topic: out.Name, MaxWaitMS: int32(src.Between(50, 2000)), PartBytes: 1 << 18, PauseMS: src.Between(5, 200)}})
}
