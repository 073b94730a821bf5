package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
)

// alters are the changes of ISRs that this broker's partitions propose: those of all shards gather on shard 0 and go to the controller in
// one AlterPartition at a time (KIP-497).
//
//	shard: AlterPartition ─ mailAlter ─▶ shard 0: queue ─▶ one request ─▶ answers ─ mailAltered ─▶ shard: Altered
type alters struct {
	m *member
	gather[*alter]
}

// alter is one partition's proposal, and its answer.
type alter struct {
	key   api.PartKey
	shard int32
	x     replica.Proposal
	code  kerr.Code
	state *replica.State
}

// maxAlters bounds the partitions of one request.
const maxAlters = 10_000

// AlterPartition is replica.Observer.
func (s *Shard) AlterPartition(p *replica.Partition, x replica.Proposal) {
	s.toZero(step.Mail{Kind: mailAlter, Body: &alter{key: partKey(p), shard: int32(s.env.Shard), x: x}})
}

// altered hands an answer to its partition.
func (s *Shard) altered(a *alter) {
	if p := s.state.Partition(a.key.ID, a.key.Number); p != nil {
		p.Altered(a.code, a.state)
	}
}

// request asks the controller for what is in flight.
func (x *alters) request(batch []*alter) {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.BrokerID, req.BrokerEpoch = x.m.s.static.NodeID, x.m.lease.epoch
	at := make(map[[16]byte]int) // of topics in the request
	for _, a := range batch {
		i, ok := at[a.key.ID]
		if !ok {
			i = len(req.Topics)
			at[a.key.ID] = i
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = a.key.ID
			req.Topics = append(req.Topics, t)
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, a.asked())
	}
	x.m.toController(req, 3, x.answered)
}

// asked is the proposal as the request has it.
func (a *alter) asked() kmsg.AlterPartitionRequestTopicPartition {
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.Partition, p.LeaderEpoch, p.PartitionEpoch = a.key.Number, a.x.LeaderEpoch, a.x.PartitionEpoch
	if !a.x.Recovered {
		p.LeaderRecoveryState = 1
	}
	if a.x.Damaged {
		controller.SetDamaged(&p)
	}
	for _, m := range a.x.ISR {
		e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		e.BrokerID, e.BrokerEpoch = m.Node, m.Epoch
		p.NewEpochISR = append(p.NewEpochISR, e)
	}
	return p
}

// answered takes the controller's answer. Without one, or without a controller, the same is asked again.
func (x *alters) answered(resp kmsg.Response) {
	r, _ := resp.(*kmsg.AlterPartitionResponse)
	if r == nil || r.ErrorCode == int16(kerr.NotController) || r.ErrorCode == int16(kerr.RequestTimedOut) {
		x.later()
		return
	}
	answers := make(map[api.PartKey]*kmsg.AlterPartitionResponseTopicPartition, len(x.inFlight))
	for i := range r.Topics {
		ps := r.Topics[i].Partitions
		for j := range ps {
			answers[api.PartKey{ID: r.Topics[i].TopidID, Number: ps[j].Partition}] = &ps[j]
		}
	}
	for _, a := range x.done() {
		a.code = kerr.UnknownServerError
		if r.ErrorCode != 0 {
			a.code = kerr.Code(r.ErrorCode)
		}
		if p := answers[a.key]; p != nil {
			a.take(p)
		}
		if a.shard == 0 {
			x.m.s.altered(a)
		} else {
			x.m.s.send(step.Mail{Kind: mailAltered, To: a.shard, Body: a})
		}
	}
}

func (a *alter) take(p *kmsg.AlterPartitionResponseTopicPartition) {
	a.code = kerr.Code(p.ErrorCode)
	if a.code == kerr.None {
		a.state = &replica.State{Leader: p.LeaderID, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: p.ISR, Recovering: p.LeaderRecoveryState != 0}
	}
}
