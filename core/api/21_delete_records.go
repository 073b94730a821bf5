package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// DeleteRecords (key 21): KIP-107. An offset of -1 is the high watermark. REQUEST_TIMED_OUT: some replica has not followed yet.
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
	timeout := clock.MS(int64(max(q.TimeoutMillis, 0)))
	r.scatter(opDeleteRecords, func(c *call) { c.timeout = timeout })
}

// deletion is a shard's part of a DeleteRecords: it goes back once each item is answered, or its time is over.
type deletion struct {
	s     *State
	c     *call
	left  int
	timer timer.Timer
}

// deleteRecords moves log starts on their owner. An item is answered once every replica that may lead has the new start on its disk: what a
// client was told is deleted comes back neither with a restart nor with another leader. (Apache Kafka waits for the replicas that are alive,
// and writes its checkpoint of log starts each minute, after the answer.)
func (s *State) deleteRecords(c *call) {
	d := &deletion{s: s, c: c, left: 1} // one is ours, so that answers at once do not finish early
	d.timer.Owner = d
	for _, i := range c.idx {
		if p := s.leaderOf(&c.items[i]); p != nil {
			d.left++
			p.DeleteRecords(c.items[i].Arg, d, i)
		}
	}
	if d.left > 1 {
		s.Env.After(&d.timer, c.timeout)
	}
	d.done()
}

// Appended is replica.Waiter: one item is answered.
func (d *deletion) Appended(slot int32, r replica.Result) {
	it := &d.c.items[slot]
	it.Code, it.ROff = r.Code, r.Base
	d.done()
}

func (d *deletion) done() {
	if d.left--; d.left == 0 {
		d.s.Env.Timers.Cancel(&d.timer)
		d.s.giveBack(d.c)
	}
}

// TimerFired is the heap's call. The log starts have moved; which replicas have followed is not known.
func (d *deletion) TimerFired(*timer.Timer) {
	for _, i := range d.c.idx {
		it := &d.c.items[i]
		if it.Code == kerr.None && it.ROff < 0 {
			it.Code = kerr.RequestTimedOut
			if p := d.s.Partition(it.ID, it.Number); p != nil {
				p.CancelDeletions(d)
			}
		}
	}
	d.s.giveBack(d.c)
}
