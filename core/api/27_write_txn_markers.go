package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// WriteTxnMarkers (key 27): a transaction's coordinator, or an operator, ends transactions in the partitions that are led here (KIP-98, KIP-664). Each is answered once its marker
// is below the high watermark.
func writeTxnMarkers(r *Request, req kmsg.Request) {
	q := req.(*kmsg.WriteTxnMarkersRequest)
	for i := range q.Markers {
		for j := range q.Markers[i].Topics {
			t := &q.Markers[i].Topics[j]
			for _, n := range t.Partitions {
				r.addItem(t.Topic, n, -1, int64(i))
			}
		}
	}
	r.finish = func(r *Request) { r.answer(r.wroteTxnMarkers(q)) }
	r.scatter(opEndTxns, func(c *call) { c.markers = q.Markers })
}

func (r *Request) wroteTxnMarkers(q *kmsg.WriteTxnMarkersRequest) kmsg.Response {
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	n := 0
	for i := range q.Markers {
		m := kmsg.NewWriteTxnMarkersResponseMarker()
		m.ProducerID = q.Markers[i].ProducerID
		for j := range q.Markers[i].Topics {
			t := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			t.Topic = q.Markers[i].Topics[j].Topic
			for _, number := range q.Markers[i].Topics[j].Partitions {
				p := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				p.Partition, p.ErrorCode = number, code(r.items[n].Code)
				n++
				t.Partitions = append(t.Partitions, p)
			}
			m.Topics = append(m.Topics, t)
		}
		resp.Markers = append(resp.Markers, m)
	}
	return resp
}

// markerWait gathers what becomes of a call's markers, for as long as a request of brokers to each other lasts.
type markerWait struct {
	s     *State
	c     *call
	left  int
	done  bool
	timer timer.Timer
}

// endTxns ends the transactions of a call's items on their owner.
func (s *State) endTxns(c *call) {
	x := &markerWait{s: s, c: c, left: len(c.idx) + 1}
	for _, i := range c.idx {
		it := &c.items[i]
		it.Code = kerr.RequestTimedOut // unless it is answered
		m := &c.markers[it.Arg]
		end := replica.EndTxn{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch, Commit: m.Committed, Version: m.TransactionVersion}
		s.endTxn(it, end, x, i)
	}
	if x.left > 1 {
		x.timer.Owner = x
		s.Env.After(&x.timer, clock.MS(int64(s.Node.RequestTimeoutMS)))
	}
	x.part()
}

func (s *State) endTxn(it *Item, end replica.EndTxn, x *markerWait, slot int32) {
	look := Item{ID: it.ID, Number: it.Number, Epoch: -1}
	p := s.leaderOf(&look)
	if p == nil {
		x.Appended(slot, replica.Result{Code: look.Code})
		return
	}
	if p.Topic != offsetsTopic {
		p.AppendMarker(end, x, slot)
		return
	}
	g := s.Groups[p.Number]
	if g == nil {
		x.Appended(slot, replica.Result{Code: kerr.NotLeaderForPartition})
		return
	}
	g.EndTransaction(end.ProducerID, end.ProducerEpoch, end.CoordinatorEpoch, end.Version, end.Commit, groupMarker{x, slot})
}

// groupMarker is the marker of a partition of __consumer_offsets.
type groupMarker struct {
	x    *markerWait
	slot int32
}

// Reply is coordinator.Waiter. A coordinator that is not ready looks to whoever sends markers as a partition that is led elsewhere.
func (g groupMarker) Reply(resp kmsg.Response) {
	c := kerr.NotLeaderForPartition
	if r, ok := resp.(*kmsg.EndTxnResponse); ok {
		c = kerr.Code(r.ErrorCode)
	}
	switch c {
	case kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator:
		c = kerr.NotLeaderForPartition
	}
	g.x.Appended(g.slot, replica.Result{Code: c})
}

// Appended is replica.Waiter.
func (x *markerWait) Appended(slot int32, r replica.Result) {
	if x.done {
		return
	}
	x.c.items[slot].Code = r.Code
	x.part()
}

func (x *markerWait) part() {
	if x.left--; x.left == 0 {
		x.end()
	}
}

func (x *markerWait) end() {
	x.done = true
	x.s.Env.Timers.Cancel(&x.timer)
	x.s.giveBack(x.c)
}

// TimerFired answers what still waits with REQUEST_TIMED_OUT.
func (x *markerWait) TimerFired(*timer.Timer) { x.end() }
