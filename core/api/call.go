package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// The kinds of mail between the shards of a node. Those from 64 on are the broker package's.
const (
	MailAppend   = 1 + iota // Token, Slot, Body *remoteAppend: append one batch
	MailAppended            // Token, Slot, Code, A base, B time, C 1: the batch's bytes may still be being written; Body *remoteAppend with its log start
	MailCall                // Body *call: do it for the items of the receiving shard
	MailReturn              // Body *call: done
	MailCancel              // Token: take down the watch that came with it
	MailUnpin               // Body *call: its extents have left
	MailCold                // Token, Slot, Body *ColdCall: a group's or the controller's request
	MailReply               // Token, Slot, Body kmsg.Response
	MailLogLevel            // Body string: what is written of the log from now on
	MailBroker   = 64
)

// Item is one partition of a request, on its way to the owner and back. The owner alone writes it while it has it.
type Item struct {
	ID     [16]byte
	Number int32
	Owner  int32
	Epoch  int32 // the leader epoch that the client knows, -1 none
	Max    int32 // bytes
	Offset int64
	Arg    int64

	// The owner's answer.
	Code   kerr.Code
	REpoch int32
	Ext    disk.Extent
	Next   int64
	HW     int64
	Start  int64
	ROff   int64
	RTime  int64

	// Of a Fetch: what the request said beside the offset, and the answers without records.
	last     int32 // epoch of the last record that the reader has, -1 not said
	start    int64 // a follower's log start
	refused  bool  // a follower could not take what it was sent from there
	end      int64 // where the reader stopped
	diverges bool  // the reader has what the leader has not: REpoch, ROff say since where (KIP-595)
	prefer   int32 // the replica to read from instead, -1 none
	sparse   int64 // gaps below are compaction's; 0: not said
	lso      int64 // last stable offset; for a follower replica.Partition.Everywhere
	aborted  []wire.AbortedTxn
	found    any // what a cold request asked for

	log     *commitlog.Log // of the owner: what Ext pins
	text    string         // why a produced batch was refused
	blamed  int32          // the record that is to blame, from 1; 0: none
	include bool           // a Fetch response names it
}

// op is what a call asks for.
type op uint8

const (
	opRead op = iota + 1
	opWatch
	opListOffsets
	opEpochEnd
	opDeleteRecords
	opSizes
	opEndTxns
	opProducers
)

// call carries the items of one shard. Its request's items array is shared between the shards of the request, each writing its own.
type call struct {
	op    op
	from  int
	owner int
	r     *Request // of shard from
	token disk.Token
	items []Item
	idx   []int32 // which of items are this shard's
	need  int64   // opWatch: bytes missing
	watch replica.Watch
	s     *State // opWatch: the shard that watches
	limit int64  // opRead: bytes that the response may still take
	some  bool   // opRead: something was found
	reads reader // opRead, opWatch: who reads
	count bool   // opRead: the first look of this request, by which a follower says how far it is
	// opDeleteRecords: how long replicas are waited for
	timeout clock.Duration
	markers []kmsg.WriteTxnMarkersRequestMarker // opEndTxns: which of them is an item's Arg
}

type watchKey struct {
	from  int
	token disk.Token
}

// scatter sends the items of r to their owners; r.finish runs when all are back. Items that carry a Code are not sent.
func (r *Request) scatter(o op, set func(*call)) {
	s := r.s
	for len(r.calls) < s.Shards {
		r.calls = append(r.calls, nil)
	}
	for i := range r.calls {
		if r.calls[i] != nil {
			r.calls[i].idx = r.calls[i].idx[:0]
		}
	}
	for i := range r.items {
		it := &r.items[i]
		if it.Code != kerr.None {
			continue
		}
		c := r.calls[it.Owner]
		if c == nil {
			c = &call{}
			r.calls[it.Owner] = c
		}
		c.idx = append(c.idx, int32(i))
	}
	r.remain++ // ourselves, so that local parts do not finish early
	for i := range r.calls {
		c := r.calls[i]
		if c == nil || len(c.idx) == 0 {
			continue
		}
		c.op, c.from, c.owner, c.r, c.items, c.some = o, s.Shard, i, r, r.items, false
		if set != nil {
			set(c)
		}
		r.remain++
		if i == s.Shard {
			s.do(c)
		} else {
			s.mail(step.Mail{Kind: MailCall, To: int32(i), Body: c})
		}
	}
	r.part()
}

// do runs a call on its owner.
func (s *State) do(c *call) {
	switch c.op {
	case opRead:
		s.read(c)
	case opWatch:
		s.watch(c)
	case opListOffsets:
		s.listOffsets(c)
	case opEpochEnd:
		s.epochEnd(c)
	case opDeleteRecords:
		s.deleteRecords(c)
	case opSizes:
		s.sizes(c)
	case opEndTxns:
		s.endTxns(c)
	case opProducers:
		s.describeProducers(c)
	default:
		assert.Never("api: unknown call")
	}
}

// giveBack returns a call to the shard that sent it.
func (s *State) giveBack(c *call) {
	if c.from != s.Shard {
		s.mail(step.Mail{Kind: MailReturn, To: int32(c.from), Body: c})
		return
	}
	c.r.returned(c)
}

// leaderOf finds an item's partition, of which this broker is the leader, or leaves the code that says why not.
func (s *State) leaderOf(it *Item) *replica.Partition {
	p := s.replicaOf(it)
	if p != nil && !p.IsLeader() {
		it.Code = kerr.NotLeaderForPartition
		return nil
	}
	return p
}

// replicaOf finds an item's partition here, or leaves the code that says why not.
func (s *State) replicaOf(it *Item) *replica.Partition {
	p := s.Partition(it.ID, it.Number)
	switch {
	case p == nil || s.Closed || p.Closed():
		it.Code = kerr.NotLeaderForPartition
		return nil
	case p.Offline():
		it.Code = kerr.KafkaStorageError
		return nil
	case p.Log == nil:
		it.Code = kerr.NotLeaderForPartition
		return nil
	case it.Epoch != -1 && it.Epoch < p.LeaderEpoch && !plant.On(plant.R3):
		it.Code = kerr.FencedLeaderEpoch
		return nil
	case it.Epoch > p.LeaderEpoch && !plant.On(plant.R3):
		it.Code = kerr.UnknownLeaderEpoch
		return nil
	}
	return p
}

// ColdCall is a request for a coordinator or for the controller, decoded.
type ColdCall struct {
	Req      kmsg.Request
	ClientID string
	Host     string
	Group    int32 // partition of __consumer_offsets, or -1: the controller
	Txn      bool  // it is one of __transaction_state
}

// cold has the shard that owns it answer part slot of r.
func (r *Request) cold(owner int, slot int32, c *ColdCall) {
	s := r.s
	r.remain++
	for int(slot) >= len(r.resps) {
		r.resps = append(r.resps, nil)
	}
	if owner == s.Shard {
		s.handleCold(c, &coldWaiter{r: r, slot: slot})
		return
	}
	s.mail(step.Mail{Kind: MailCold, To: int32(owner), Token: s.flights.Put(r), Slot: slot, Body: c})
}

// coldWaiter answers one part of a request, of this shard or of another.
type coldWaiter struct {
	r     *Request // nil: another shard's
	s     *State
	to    int32
	token disk.Token
	slot  int32
}

// Reply is coordinator.Waiter.
func (w *coldWaiter) Reply(resp kmsg.Response) {
	if w.r != nil {
		w.r.resps[w.slot] = resp
		w.r.part()
		return
	}
	w.s.mail(step.Mail{Kind: MailReply, To: w.to, Token: w.token, Slot: w.slot, Body: resp})
}

func (s *State) handleCold(c *ColdCall, w *coldWaiter) {
	if c.Group < 0 {
		assert.That(s.Control != nil, "api: a controller request on a shard without controller")
		s.Control.Submit(c.Req, w)
		return
	}
	if c.Txn {
		s.txnCall(c, w)
		return
	}
	s.groupCall(c, w)
}

// remoteAppend is an append for another shard: the answer goes back by mail.
type remoteAppend struct {
	s     *State
	to    int32
	token disk.Token
	acks  int16
	id    [16]byte
	num   int32
	batch records.View
	txn   *producing // its transaction, nil none
	held  kerr.Code  // what it is refused with, once the owner knows of it
	start int64      // of the log, in the answer
	taken bool       // the log has the batch: an answer with a code does not say that its bytes are free
}

// Appended is replica.Waiter.
func (w *remoteAppend) Appended(slot int32, r replica.Result) {
	inUse := int64(0)
	if w.taken && r.Code != kerr.None {
		inUse = 1
	}
	w.start = -1
	if p := w.s.Partition(w.id, w.num); p != nil && p.Log != nil {
		w.start = p.Log.Start()
	}
	w.s.mail(step.Mail{Kind: MailAppended, To: w.to, Token: w.token, Slot: slot, Code: int16(r.Code), A: r.Base, B: r.Time, C: inUse, Body: w})
}

// Mail handles mail of the kinds above.
func (s *State) Mail(m *step.Mail) {
	switch m.Kind {
	case MailAppend:
		w := m.Body.(*remoteAppend)
		w.s, w.to, w.token = s, m.From, m.Token
		s.appendTo(w.id, w.num, w.batch, nil, w.acks, w, m.Slot, w.txn, w.held)
		w.taken = true
	case MailAppended:
		r := s.flights.Take(m.Token)
		r.leak = r.leak || m.C != 0
		if !r.done {
			r.items[m.Slot].Start = m.Body.(*remoteAppend).start
		}
		r.Appended(m.Slot, replica.Result{Code: kerr.Code(m.Code), Base: m.A, Time: m.B})
	case MailCall:
		s.do(m.Body.(*call))
	case MailReturn:
		c := m.Body.(*call)
		c.r.returned(c)
	case MailCancel:
		s.cancelWatch(watchKey{int(m.From), m.Token})
	case MailUnpin:
		s.unpin(m.Body.(*call))
	case MailCold:
		s.handleCold(m.Body.(*ColdCall), &coldWaiter{s: s, to: m.From, token: m.Token, slot: m.Slot})
	case MailReply:
		r := s.flights.Take(m.Token)
		r.resps[m.Slot], _ = m.Body.(kmsg.Response)
		r.part()
	case MailLogLevel:
		s.setLogLevel(m.Body.(string))
	default:
		assert.Never("api: unknown mail")
	}
}
