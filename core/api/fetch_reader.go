package api

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/wire"
)

// reader is who sent a Fetch, and what that allows.
//
//	follower  reads what is written, from the leader alone; its offset says what it has
//	consumer  reads what is committed; from version 11 on from a follower too (KIP-392)
type reader struct {
	replica int32 // node id of a follower, -1: a consumer
	epoch   int64 // of the follower's registration (KIP-903)
	any     bool  // a follower may answer
	stable  bool  // a consumer that reads only what its transaction has committed (isolation_level 1)
	rack    string
	commits bool // a follower is told of the high watermark at once
}

// fetchAnywhere is the first version of Fetch in which a consumer may be sent to a follower.
const fetchAnywhere = 11

func (r *Request) reader() reader {
	q := &r.fetch.req
	x := reader{replica: q.ReplicaID, epoch: q.ReplicaEpoch, any: q.ReplicaID < 0 && r.Version >= fetchAnywhere, stable: q.ReplicaID < 0 && q.Isolation == 1}
	if r.s.Node.RackAwareReads {
		x.commits = x.follows()
		if x.any && len(q.Rack) > 0 {
			x.rack = string(q.Rack)
		}
	}
	return x
}

func (x *reader) follows() bool { return x.replica >= 0 }

// end is where the reader stops.
func (x *reader) end(p *replica.Partition) int64 {
	if x.stable {
		return p.LastStable()
	}
	return p.ReadableEnd(x.follows())
}

// where notes what an answer says of the partition, and where the reader stops.
func (it *Item) where(x *reader, p *replica.Partition) {
	it.HW, it.lso, it.Start, it.end, it.log = p.HighWatermark(), p.LastStable(), p.Log.Start(), x.end(p), p.Log
	if x.follows() { // which has no use for the other
		it.lso = p.Everywhere()
	}
}

// partitionOf finds the partition of a Fetch's item, or leaves the code that says why it is not read here.
func (s *State) partitionOf(c *call, it *Item) *replica.Partition {
	p := s.replicaOf(it)
	if p == nil || p.IsLeader() {
		return p
	}
	if _, _, following := p.Following(); !following || !c.reads.any {
		it.Code = kerr.NotLeaderForPartition
		return nil
	}
	return p
}

// examine looks, before anything is read, whether the reader's log and the leader's are of one history, what the offset says of a follower,
// and whether a consumer is better served elsewhere. It says whether there is something to read.
func (s *State) examine(c *call, it *Item, p *replica.Partition) bool {
	it.where(&c.reads, p)
	if it.last >= 0 && p.IsLeader() {
		if it.REpoch, it.ROff, it.diverges = p.Diverges(it.Offset, it.last); it.diverges {
			return false
		}
	}
	if c.reads.follows() {
		if c.count {
			it.Code = p.Fetched(c.reads.replica, c.reads.epoch, it.Offset, it.start, s.Env.Now.Mono)
			it.HW = p.HighWatermark() // this fetch may have moved it
			s.outOfRange(c, it, p)
			if it.refused && it.Code == kerr.None {
				p.Refused(it.Offset)
			}
		}
		it.sparse = p.SparseTo()
		if it.Code != kerr.None || p.Withholds(it.Offset) {
			return false
		}
		slowed := p.Slows(c.reads.replica) && s.Throttle.Wait(s.Env.Now.Mono) > 0
		sometimes.If(slowed, "fetch: a throttled leader sends nothing")
		return !slowed
	}
	if c.reads.rack != "" {
		it.prefer = p.Reader(it.Offset, func(node int32) bool {
			b := s.Image.Broker(node)
			return b != nil && b.Rack != nil && *b.Rack == c.reads.rack
		})
		sometimes.If(it.prefer >= 0, "fetch: a consumer is sent to a follower")
	}
	return it.prefer < 0
}

// took follows what was found for an item: it counts for the rate of throttled leaders.
func (s *State) took(c *call, it *Item, p *replica.Partition) {
	if c.reads.follows() && p.LeaderThrottled {
		s.Throttle.Take(s.Env.Now.Mono, int64(it.Ext.Len))
	}
	s.outOfRange(c, it, p)
}

// outOfRange tells a follower, beside OFFSET_OUT_OF_RANGE, where the leader's log begins and ends. Apache Kafka's followers ask ListOffsets for
// each of the two.
func (s *State) outOfRange(c *call, it *Item, p *replica.Partition) {
	if it.Code == kerr.OffsetOutOfRange && c.reads.follows() {
		it.Start, it.HW = p.Log.Start(), p.Log.WrittenEnd()
	}
}

// immediate says whether an item is to be answered at once, records or none.
func (f *fetchState) immediate(it *Item, p *sessionPart) bool {
	if it.Code != kerr.None || it.diverges || it.prefer >= 0 {
		return true
	}
	if !f.reads.follows() || p == nil {
		return false
	}
	// Consumers of that replica wait for the high watermark, and DeleteRecords for the log start there.
	return f.reads.commits && p.hw < it.HW || p.start >= 0 && p.start < it.Start
}

// leaderHint is what an answer that says 'not here' says beside it (KIP-951): who leads, as far as this broker knows.
func (s *State) leaderHint(id [16]byte, number int32) (l wire.CurrentLeader) {
	t := s.Image.TopicByID(id)
	if t == nil {
		return l
	}
	if p := t.Partition(number); p != nil && p.Leader >= 0 {
		return wire.CurrentLeader{Known: true, ID: p.Leader, Epoch: p.LeaderEpoch}
	}
	return l
}

// endpoint adds where a hinted leader is reached on the listener that the request came in by, once.
func (s *State) endpoint(nodes []wire.NodeEndpoint, l wire.CurrentLeader, listener string) []wire.NodeEndpoint {
	if !l.Known || slices.ContainsFunc(nodes, func(n wire.NodeEndpoint) bool { return n.ID == l.ID }) {
		return nodes
	}
	b := s.Image.Broker(l.ID)
	if b == nil || b.Fenced {
		return nodes
	}
	at := b.Listener(listener)
	if at == nil {
		return nodes
	}
	n := wire.NodeEndpoint{ID: l.ID, Host: at.Host, Port: at.Port}
	if b.Rack != nil {
		n.Rack = *b.Rack
	}
	return append(nodes, n)
}
