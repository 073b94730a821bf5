package api

import (
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// Fetch (key 1). Record bytes are file extents from the log to the socket: never read here. A response is one head a partition and
// sendfile calls; a long poll costs one watch and one timer.
//
//	gather ─ enough, error or late ─▶ answer
//	   ▲ └─ not enough ─▶ watch ─ growth past min_bytes, error, deadline ─┐
//	   └──────────────────────────────────────────────────────────────────┘
const keyFetch = 1

// fetchPart says how one item is named in the response, and where the session remembers it.
type fetchPart struct {
	name   string
	id     [16]byte
	number int32
	sess   *sessionPart
}

type fetchState struct {
	req      wire.FetchRequest
	parts    []fetchPart // parallel to the request's items
	ctx      fetchContext
	deadline clock.Time
	total    int64
	waiting  bool
	reads    reader
	counted  bool // followers' offsets were counted
}

func (f *fetchState) reset() {
	clear(f.parts)
	*f = fetchState{req: f.req, parts: f.parts[:0]}
}

func fetch(r *Request) {
	s, f := r.s, &r.fetch
	if !f.req.Decode(r.Version, r.body) {
		r.Close()
		return
	}
	f.req.MaxBytes = min(f.req.MaxBytes, s.Node.FetchMaxBytes)
	f.req.MinBytes = min(f.req.MinBytes, f.req.MaxBytes) // as in Kafka: more cannot be waited for
	f.deadline = s.Env.Now.Mono.Add(clock.MS(int64(max(f.req.MaxWaitMS, 0))))
	f.reads = r.reader()
	f.ctx = s.sessions.begin(s, r)
	if f.ctx.code != kerr.None {
		r.complete()
		return
	}
	r.gather()
}

// fetchItem adds a partition to what is read.
func (r *Request) fetchItem(p fetchPart, q *wire.FetchPart) {
	s, byID := r.s, r.Version >= 13
	it := Item{Number: q.Partition, Epoch: q.CurrentLeaderEpoch, Offset: q.FetchOffset, Max: q.MaxBytes, HW: -1, Start: -1, last: q.LastFetchedEpoch, start: q.LogStartOffset, refused: q.Refused, prefer: -1}
	if t, c := s.topicOf(q.Topic, q.TopicID, byID); c != kerr.None {
		it.Code = c
		if p.name == "" && !byID {
			p.name = string(q.Topic)
		}
	} else {
		it.ID, p.name, p.id = t.ID, t.Name, t.ID
		if q.Partition < 0 || int(q.Partition) >= len(t.Partitions) {
			it.Code = kerr.UnknownTopicOrPartition
		}
		it.Owner = int32(Owner(t.Name, q.Partition, s.Shards))
	}
	r.items = append(r.items, it)
	r.fetch.parts = append(r.fetch.parts, p)
}

// gather reads what is there, on every shard that is concerned.
func (r *Request) gather() {
	r.finish = (*Request).gathered
	r.readStirred()
	f := &r.fetch
	count := !f.counted
	f.counted = true // now: r may be answered, and another request, when scatter returns
	r.scatter(opRead, func(c *call) { c.limit, c.reads, c.count = int64(f.req.MaxBytes), f.reads, count })
}

// read finds the extents of a call's items, and pins their files.
func (s *State) read(c *call) {
	s.unpinItems(c) // of a gather before, where the wait was over before this shard's watch began
	slow := false
	for _, i := range c.idx {
		it := &c.items[i]
		it.Arg, it.Ext, it.aborted = 0, disk.Extent{}, nil // what a gather before left out is in again
		p := s.partitionOf(c, it)
		if p == nil || !s.examine(c, it, p) {
			continue
		}
		sl, where := p.Log.Locate(it.Offset, c.max(it), it.end)
		if where == commitlog.NeedRead || where == commitlog.Found && c.reads.stable && !s.hides(it, sl.Next) {
			it.Arg, slow = needRead, true
			continue
		}
		c.take(it, sl, where)
		s.took(c, it, p)
	}
	if !slow {
		s.giveBack(c)
		return
	}
	task.Go(s.Env, func(t *task.Task) { s.readSlow(t, c) })
}

// Marks in Item.Arg of a Fetch.
const (
	needRead = 1 // the index or the log must be read first
	trimmed  = 2 // found, and left out since the response is full
)

// readSlow is read for positions that the index in memory does not know.
func (s *State) readSlow(t *task.Task, c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		if it.Arg != needRead {
			continue
		}
		it.Arg = 0
		p := s.partitionOf(c, it)
		if p == nil {
			continue
		}
		it.where(&c.reads, p)
		end := it.end
		if plant.On(plant.R7) {
			end = p.ReadableEnd(c.reads.follows())
		}
		sl, where, err := p.Log.LocateSlow(t, it.Offset, c.max(it), end)
		if t.Stopped() {
			return
		}
		if err != disk.OK {
			it.Code = kerr.KafkaStorageError
			continue
		}
		c.take(it, sl, where)
		if c.reads.stable && it.Ext.Len > 0 && !s.hidesSlow(t, c, it) {
			return
		}
		s.took(c, it, p)
	}
	s.giveBack(c)
}

// max is how many bytes an item may bring: its own limit and what is left of the response's.
func (c *call) max(it *Item) int32 { return int32(min(int64(max(it.Max, 0)), max(c.limit, 0))) }

// take notes what was found. Only the first records of a response may exceed the limits.
func (c *call) take(it *Item, sl commitlog.Slice, where commitlog.Where) {
	switch where {
	case commitlog.OutOfRange:
		it.Code = kerr.OffsetOutOfRange
	case commitlog.Damaged:
		it.Code = kerr.CorruptMessage
	case commitlog.Found:
		n := int64(sl.Ext.Len)
		if c.some && n > int64(c.max(it)) {
			return
		}
		it.Ext, it.Next = sl.Ext, sl.Next
		it.log.PinExtent(it.Ext)
		c.limit -= n
		c.some = true
	}
}

// gathered decides, once every shard has answered, between the answer and a watch.
func (r *Request) gathered() {
	f, s := &r.fetch, r.s
	total, bad := int64(0), false
	limit := int64(f.req.MaxBytes)
	for i := range r.items {
		it := &r.items[i]
		bad = bad || f.immediate(it, f.parts[i].sess)
		n := int64(it.Ext.Len)
		if total > 0 && total+n > limit {
			it.Arg = trimmed
			continue
		}
		total += n
	}
	f.total = total
	if bad || total >= int64(f.req.MinBytes) || len(r.items) == 0 && !f.ctx.rests() || f.deadline <= s.Env.Now.Mono {
		r.complete()
		return
	}
	r.watchAll()
}

// watchAll leaves one watch on each shard that is concerned.
func (r *Request) watchAll() {
	f, s := &r.fetch, r.s
	f.waiting = true
	r.finish = (*Request).gather
	r.timer.Owner = r
	s.Env.Timers.Set(&r.timer, f.deadline)
	r.remain++
	f.ctx.sess.waits(r)
	shards := int64(0)
	for _, c := range r.calls {
		if c != nil && len(c.idx) > 0 {
			shards++
		}
	}
	// If all shards together grow by what is missing, one of them grows by its share at least: then another gather counts.
	need := (int64(f.req.MinBytes) - f.total + shards - 1) / max(shards, 1)
	for i := range r.calls {
		c := r.calls[i]
		if c == nil || len(c.idx) == 0 || !f.waiting {
			continue
		}
		s.nextWatch++
		c.op, c.need, c.token = opWatch, need, s.nextWatch
		r.remain++
		if i == s.Shard {
			s.watch(c)
		} else {
			s.mail(step.Mail{Kind: MailCall, To: int32(i), Body: c})
		}
	}
	r.part()
}

// watch waits for growth of a call's items, or gives it back at once if something changed since they were read.
func (s *State) watch(c *call) {
	s.unpinItems(c)
	c.s = s
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.partitionOf(c, it)
		if p == nil || c.reads.end(p) != it.end || c.reads.commits && p.HighWatermark() != it.HW || p.Log.Start() > it.Offset ||
			c.reads.follows() && p.Log.Start() != it.Start {
			s.giveBack(c)
			return
		}
	}
	c.watch.Owner, c.watch.Need, c.watch.Replica, c.watch.Commit, c.watch.Stable = c, c.need, c.reads.follows(), c.reads.commits, c.reads.stable
	c.watch.Begin()
	for _, i := range c.idx {
		it := &c.items[i]
		if p := s.Partition(it.ID, it.Number); c.from != s.Shard || !c.r.rests(i, p) {
			c.watch.Add(p)
		}
	}
	if c.from != s.Shard {
		s.watching[watchKey{c.from, c.token}] = c
	}
}

// Fired is replica.WatchOwner.
func (c *call) Fired(*replica.Watch) {
	delete(c.s.watching, watchKey{c.from, c.token})
	c.s.giveBack(c)
}

func (s *State) cancelWatch(k watchKey) {
	if c := s.watching[k]; c != nil {
		delete(s.watching, k)
		c.watch.Cancel()
		s.giveBack(c)
	}
}

// returned takes a call back; the first watch to return ends the wait on the other shards.
func (r *Request) returned(c *call) {
	if c.op == opWatch && r.fetch.waiting {
		r.endWait(c)
	}
	r.part()
}

// endWait takes down all watches but except's.
func (r *Request) endWait(except *call) {
	s := r.s
	r.fetch.waiting = false
	r.fetch.ctx.sess.waitsNot(r)
	s.Env.Timers.Cancel(&r.timer)
	for i, c := range r.calls {
		switch {
		case c == nil || c == except || len(c.idx) == 0 || c.op != opWatch:
		case i == s.Shard && c.watch.Live():
			c.watch.Cancel()
			r.remain--
		case i != s.Shard:
			s.mail(step.Mail{Kind: MailCancel, To: int32(i), Token: c.token})
		}
	}
}

func (r *Request) fetchTimedOut() {
	if !r.fetch.waiting {
		return
	}
	r.fetch.deadline = r.s.Env.Now.Mono
	r.remain++
	r.endWait(nil)
	r.part()
}

// Abandon ends what a request waits for without a reason to go on waiting: its connection is gone.
func (s *State) Abandon(r *Request) {
	if r.Key == keyFetch && !r.done {
		r.fetch.deadline = s.Env.Now.Mono // what is being read now is the last look
		r.fetchTimedOut()
	}
}

// Overtake ends the wait of a follower that has sent its next Fetch: it asks for more partitions than the one that waits.
func (s *State) Overtake(r *Request) {
	if r != nil && r.fetch.reads.follows() {
		s.Abandon(r)
	}
}

func (s *State) unpinItems(c *call) {
	for _, i := range c.idx {
		if it := &c.items[i]; it.Ext.Len > 0 {
			it.log.Unpin(it.Ext.File)
			it.Ext = disk.Extent{}
		}
	}
}

// unpin releases the extents of a response that has left, or that nobody wants.
func (s *State) unpin(c *call) {
	for _, i := range c.idx {
		if it := &c.items[i]; it.Ext.Len > 0 && it.Arg != trimmed {
			if p := s.Partition(it.ID, it.Number); p != nil {
				p.Stats.BytesOut += int64(it.Ext.Len)
				p.Stats.RecordsOut += max(0, it.Next-it.Offset)
			}
		}
	}
	s.unpinItems(c)
}

func (r *Request) unpinAll() {
	s, gave := r.s, false
	for i, c := range r.calls {
		switch {
		case c == nil || len(c.idx) == 0:
		case i == s.Shard:
			s.unpin(c)
		default: // the other shard keeps the call and the items, so both are given away
			s.mail(step.Mail{Kind: MailUnpin, To: int32(i), Body: c})
			r.calls[i], gave = nil, true
		}
	}
	if gave {
		r.items = nil
	}
}

// SendDone is env.SendOwner: the response has left or its connection is gone.
func (r *Request) SendDone(env.Op) {
	r.unpinAll()
	r.remain--
	r.maybeRelease()
}

// Discard is called instead of Encode when the connection is gone.
func (s *State) Discard(r *Request) {
	if r.Key == keyFetch && r.fetch.ctx.code == kerr.None {
		r.unpinAll()
	}
}

func (r *Request) encodeFetch() {
	s, f, out := r.s, &r.fetch, r.s.Env.Out
	v := r.Version
	dst, start := wire.StartFrame(out.Arena)
	mark, extra, topics := start, int64(0), r.selectParts()
	nodes := s.nodes[:0]
	dst = wire.AppendResponseHeader(dst, keyFetch, v, r.Corr)
	dst = wire.AppendFetchHead(dst, v, wire.FetchHead{Code: f.ctx.code, SessionID: f.ctx.id}, topics)
	first := len(out.Send)
	for i := 0; i < len(r.items); {
		j := i + 1
		n := 0
		for j = i; j < len(r.items) && f.sameTopic(i, j); j++ {
			if r.items[j].include {
				n++
			}
		}
		if n > 0 {
			dst = wire.AppendFetchTopic(dst, v, f.parts[i].name, f.parts[i].id, n)
			for ; i < j; i++ {
				it := &r.items[i]
				if !it.include {
					continue
				}
				size := it.Ext.Len
				if it.Arg == trimmed {
					size = 0
				}
				res := wire.FetchPartResult{Partition: it.Number, Code: it.Code, HighWatermark: it.HW, LastStableOffset: it.lso, LogStartOffset: it.Start, PreferredReadReplica: -1, RecordsLen: size, Sparse: it.sparse}
				nodes = r.describeFetched(i, &res, nodes)
				dst = wire.AppendFetchPartition(dst, v, &res)
				if size > 0 {
					out.Send = append(out.Send, network.Send{Conn: r.Conn, A: int32(mark), B: int32(len(dst)), Ext: it.Ext})
					mark = len(dst)
					extra += int64(size)
				}
				dst = wire.AppendFetchPartitionEnd(dst, v, &res)
			}
			dst = wire.AppendFetchTopicEnd(dst, v)
		}
		i = j
	}
	dst = wire.AppendFetchEnd(dst, v, nodes)
	s.nodes = nodes
	dst = wire.FinishFrame(dst, start, extra)
	out.Arena = dst
	if mark < len(dst) || first == len(out.Send) {
		out.Send = append(out.Send, network.Send{Conn: r.Conn, A: int32(mark), B: int32(len(dst))})
	}
	if f.ctx.code == kerr.None && r.pinned() {
		r.remain++
		out.Send[len(out.Send)-1].Token = s.Env.SendToken(env.Op{Send: r})
	}
}

// describeFetched fills in what an item's answer says beside its records.
func (r *Request) describeFetched(i int, res *wire.FetchPartResult, nodes []wire.NodeEndpoint) []wire.NodeEndpoint {
	f, it := &r.fetch, &r.items[i]
	switch {
	case it.Code == kerr.None:
		if f.req.Isolation != 0 {
			if res.Aborted = it.aborted; it.aborted == nil {
				res.Aborted = noneAborted
			}
		}
		res.PreferredReadReplica = it.prefer
		if it.diverges {
			res.Diverging, res.DivergingEpoch, res.DivergingEndOffset = true, it.REpoch, it.ROff
		}
		return nodes
	}
	res.LastStableOffset = -1
	if it.Code != kerr.OffsetOutOfRange || !f.reads.follows() { // as Kafka: nothing is said of a log beside an error
		res.HighWatermark, res.LogStartOffset = -1, -1
	}
	if r.Version >= fetchLeaderHints && (it.Code == kerr.NotLeaderForPartition || it.Code == kerr.FencedLeaderEpoch) {
		res.CurrentLeader = r.s.leaderHint(f.parts[i].id, it.Number)
		nodes = r.s.endpoint(nodes, res.CurrentLeader, r.Client.Listener)
	}
	return nodes
}

// fetchLeaderHints is the version from which on an answer names the leader (KIP-951).
const fetchLeaderHints = 16

// noneAborted is an empty list; null would mean that nobody looked.
var noneAborted = []wire.AbortedTxn{}

func (r *Request) pinned() bool {
	for i := range r.items {
		if r.items[i].Ext.Len > 0 {
			return true
		}
	}
	return false
}

func (f *fetchState) sameTopic(i, j int) bool {
	return f.parts[i].name == f.parts[j].name && f.parts[i].id == f.parts[j].id
}

// selectParts says which items the response names, and counts its topics: runs of items of one topic of which any is named. An incremental
// response (KIP-227) names only what changed.
func (r *Request) selectParts() (topics int) {
	f := &r.fetch
	counted := false
	for i := range r.items {
		it := &r.items[i]
		if i > 0 && !f.sameTopic(i-1, i) {
			counted = false
		}
		it.include = f.ctx.include(it, f.parts[i].sess)
		if it.include && !counted {
			counted = true
			topics++
		}
	}
	return topics
}
