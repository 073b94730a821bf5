package workload

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/client"
)

// Transact adds transactional producers and readers of what they commit to a plan, with a stream of draws of its own: the other programs stay as they are.
func (p *Plan) Transact(src Source) {
	next := founderID
	for i := range p.Programs {
		next = max(next, p.Programs[i].id())
	}
	id := func() int {
		next++
		return next
	}
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
	}
	return 0
}
