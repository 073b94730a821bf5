package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
)

// DeleteRecords (key 21): KIP-107. An offset of -1 is the high watermark.
func deleteRecords(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DeleteRecordsRequest)
	for i := range q.Topics {
		t := r.s.Image.TopicByName(q.Topics[i].Topic)
		for j := range q.Topics[i].Partitions {
			p := &q.Topics[i].Partitions[j]
			r.addItem(q.Topics[i].Topic, p.Partition, -1, p.Offset)
			it := &r.items[len(r.items)-1]
			it.ROff = -1
			switch {
			case it.Code != kerr.None:
			case controller.IsInternal(t.Name):
				it.Code = kerr.InvalidTopicException
			case !r.s.Settings(t).Delete:
				it.Code = kerr.PolicyViolation
			}
		}
	}
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrDeleteRecordsResponse()
		n := 0
		for i := range q.Topics {
			t := kmsg.NewDeleteRecordsResponseTopic()
			t.Topic = q.Topics[i].Topic
			for j := range q.Topics[i].Partitions {
				p := kmsg.NewDeleteRecordsResponseTopicPartition()
				p.Partition, p.LowWatermark, p.ErrorCode = q.Topics[i].Partitions[j].Partition, r.items[n].ROff, code(r.items[n].Code)
				n++
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		r.answer(resp)
	}
	r.scatter(opDeleteRecords, nil)
}

// deleteRecords moves the log start on the owner.
func (s *State) deleteRecords(c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.replicaOf(it)
		if p == nil {
			continue
		}
		to := it.Arg
		if to == -1 {
			to = p.HighWatermark()
		}
		if to < 0 || to > p.HighWatermark() {
			it.Code = kerr.OffsetOutOfRange
			continue
		}
		if to > p.Log.Start() {
			p.Log.DeleteRecords(to)
		}
		it.ROff = p.Log.Start()
	}
	s.giveBack(c)
}
