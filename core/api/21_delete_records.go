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

// deleteRecords moves the log start on the owner. The answer waits until the checkpoint of log starts has it: what a client was told is
// deleted does not come back with a restart. (Apache Kafka writes that checkpoint each minute, and answers before.)
func (s *State) deleteRecords(c *call) {
	moved := false
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.leaderOf(it)
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
			moved = true
		}
		it.ROff = p.Log.Start()
	}
	if !moved {
		s.giveBack(c)
		return
	}
	s.unsaved = append(s.unsaved, c)
	s.Saver.SaveStarts()
}

// Saver writes the checkpoint of log starts. It calls SaveBegun when it has gathered the starts, and SaveDone when they are on the disk.
type Saver interface{ SaveStarts() }

// Unsaved says whether an answer waits for a save that has not begun.
func (s *State) Unsaved() bool { return len(s.unsaved) > 0 }

// SaveBegun notes which answers the save covers.
func (s *State) SaveBegun() { s.saving, s.unsaved = append(s.saving, s.unsaved...), nil }

// SaveDone lets them go.
func (s *State) SaveDone() {
	done := s.saving
	s.saving = nil
	for _, c := range done {
		s.giveBack(c)
	}
}
