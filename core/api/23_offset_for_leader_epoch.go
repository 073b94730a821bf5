package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
)

// OffsetForLeaderEpoch (key 23): where an epoch ends (KIP-101, KIP-279, KIP-320).
func offsetForLeaderEpoch(r *Request, req kmsg.Request) {
	q := req.(*kmsg.OffsetForLeaderEpochRequest)
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			p := &q.Topics[i].Partitions[j]
			r.addItem(q.Topics[i].Topic, p.Partition, p.CurrentLeaderEpoch, int64(p.LeaderEpoch))
			it := &r.items[len(r.items)-1]
			it.ROff, it.REpoch = -1, -1
		}
	}
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
		n := 0
		for i := range q.Topics {
			t := kmsg.NewOffsetForLeaderEpochResponseTopic()
			t.Topic = q.Topics[i].Topic
			for j := range q.Topics[i].Partitions {
				it := &r.items[n]
				n++
				p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				p.Partition, p.ErrorCode = q.Topics[i].Partitions[j].Partition, code(it.Code)
				p.LeaderEpoch, p.EndOffset = it.REpoch, it.ROff
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		r.answer(resp)
	}
	r.scatter(opEpochEnd, nil)
}

// epochEnd answers a call's items on their owner. As in Kafka the high watermark is no limit: a new leader's may lag behind what a consumer has read
// from the one before, which would take less for a loss and go back.
func (s *State) epochEnd(c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.leaderOf(it)
		if p == nil {
			continue
		}
		it.REpoch, it.ROff = p.EpochEnd(int32(it.Arg))
		if plant.On(plant.R20) && it.ROff > p.HighWatermark() {
			it.ROff = p.HighWatermark()
		}
		if it.REpoch < 0 {
			it.ROff = -1
		}
		it.Code = kerr.None
	}
	s.giveBack(c)
}
