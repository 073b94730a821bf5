package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
)

// DescribeProducers (key 61, KIP-664): which producers a leader knows, and which transactions are open there.
func describeProducers(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeProducersRequest)
	for i := range q.Topics {
		t := &q.Topics[i]
		for _, n := range t.Partitions {
			r.addItem(t.Topic, n, -1, 0)
			if controller.ValidName(t.Topic) != "" {
				r.items[len(r.items)-1].Code = kerr.InvalidTopicException
			}
		}
	}
	r.finish = func(r *Request) { r.answer(r.describedProducers(q)) }
	r.scatter(opProducers, nil)
}

func (r *Request) describedProducers(q *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeProducersResponse()
	n := 0
	for i := range q.Topics {
		t := kmsg.NewDescribeProducersResponseTopic()
		t.Topic = q.Topics[i].Topic
		for _, number := range q.Topics[i].Partitions {
			it := &r.items[n]
			n++
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition, p.ErrorCode = number, code(it.Code)
			p.ActiveProducers, _ = it.found.([]kmsg.DescribeProducersResponseTopicPartitionActiveProducer)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// describeProducers answers a call's items on their owner.
func (s *State) describeProducers(c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.leaderOf(it)
		if p == nil {
			continue
		}
		known := p.Log.Producers().List()
		list := make([]kmsg.DescribeProducersResponseTopicPartitionActiveProducer, len(known))
		for k, e := range known {
			x := &list[k]
			x.ProducerID, x.ProducerEpoch, x.LastSequence = e.ID, int32(e.Epoch), -1
			x.LastTimestamp, x.CoordinatorEpoch, x.CurrentTxnStartOffset = e.LastTimestamp, e.CoordinatorEpoch, e.TxnFirstOffset
			if e.N > 0 {
				x.LastSequence = e.Batches[e.N-1].LastSeq
			}
		}
		it.found = list
	}
	s.giveBack(c)
}
