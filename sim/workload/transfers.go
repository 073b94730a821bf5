package workload

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/client"
)

// Transfer adds clients that move amounts between accounts in transactions, and a reader of them, with a stream of draws of its own.
func (p *Plan) Transfer(src Source) {
	id := p.newIDs()
	nodes := max(1, p.Nodes)
	t := client.TopicSpec{Name: "transfers", Partitions: int32(src.Between(2, 4)), Configs: []string{"message.timestamp.after.max.ms=604800000"}}
	if src.Permille(500) {
		t.Configs = append(t.Configs, fmt.Sprintf("internal.segment.bytes=%d", src.Between(500, 8192)))
	}
	if nodes > 1 {
		if t.Replicas = int16(min(3, nodes)); t.Replicas > 2 && src.Permille(700) {
			t.Configs = append(t.Configs, "min.insync.replicas=2")
		}
	}
	reader := func() client.CommittedConfig {
		c := client.CommittedConfig{Node: src.Intn(nodes), MaxWaitMS: int32(src.Between(50, 1000)), PartBytes: 1 << 18, PauseMS: src.Between(5, 200)}
		if src.Permille(300) { // long enough to tell a wake-up from the end of the wait
			c.MaxWaitMS = int32(src.Between(6000, 12000))
		}
		if src.Permille(300) {
			c.PartBytes = int32(src.Between(1, 1000))
		}
		return c
	}
	old := src.Permille(250)
	for n := src.Between(2, 3); n > 0; n-- {
		x := client.MoverConfig{Accounts: int(src.Between(2, 12)), Reader: reader()}
		x.Writer = client.TransactorConfig{ID: id(), Topic: t, TxnID: fmt.Sprintf("mover%d", src.Between(0, 2)), Batches: 1 + src.Intn(3), EveryMS: src.Between(20, 500),
			RequestMS: src.Between(1000, 8000), TimeoutMS: src.Between(1000, 10000), AbortPermille: int(src.Between(0, 300)), Old: old}
		if src.Permille(400) {
			x.Writer.StallPermille = int(src.Between(10, 60))
		}
		if src.Permille(400) {
			x.Writer.InFlight = int(src.Between(2, 5))
		}
		if src.Permille(500) { // long enough to have timed out, or to be fenced, when it goes on
			x.Writer.SleepPermille, x.Writer.SleepMS = int(src.Between(2, 20)), src.Between(500, 2*x.Writer.TimeoutMS)
		}
		p.Programs = append(p.Programs, Program{Mover: &x})
	}
	c := reader()
	c.ID, c.Topic = id(), t.Name
	if src.Permille(500) {
		c.SeekMS = src.Between(1000, 8000)
	}
	p.Programs = append(p.Programs, Program{Committed: &c})
}
