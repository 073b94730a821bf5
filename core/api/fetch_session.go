package api

import (
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/clock"
)

// Incremental fetch sessions (KIP-227). A session lives on the shard that accepted its connection and its id carries that shard, so that a
// foreign id is answered with FETCH_SESSION_ID_NOT_FOUND. The cache is bounded by max.incremental.fetch.session.cache.slots.

// evictAfter is how long a session must be unused before a new one may take its slot (min.incremental.fetch.session.eviction.ms).
const evictAfter = 2 * clock.Minute

type sessions struct {
	slots int
	byID  map[int32]*session
	all   list.List[session] // by last use, the oldest first
}

// session is what the broker remembers of a client's fetches. A part is in one of its lists: a request reads those that are active, and need
// not look at those that rest.
type session struct {
	s        *State
	id       int32
	epoch    int32 // that the next request must carry
	byID     bool  // version 13 or later: topic ids
	follower bool  // another broker's
	used     clock.Time
	parts    map[sessionKey]*sessionPart
	active   list.List[sessionPart] // in the order in which they are read: whose records were sent last comes last
	in       list.Elem[session]

	resting list.List[sessionPart]
	stirred []*sessionPart // that rested when the newest request began, or since; scratch
	polls   int64          // requests so far
	replica int64          // broker epoch of the follower in its last request
	waiter  *Request       // that waits, nil: none
	dropped bool
}

type sessionKey struct {
	name   string
	id     [16]byte
	number int32
}

// sessionPart is what the broker remembers of one partition between two requests.
type sessionPart struct {
	key       sessionKey
	q         wire.FetchPart // Topic is empty: the key's name stands for it
	topic     []byte
	hw, start int64 // as last told to the client
	named     bool  // by a follower, which drops the answers to its requests before and has not been told since
	sess      *session
	in        list.Elem[sessionPart]
	rest      replica.Rest
	poll      int64 // the last request that reads it, a number of session.polls
}

// fetchContext is a request's relation to its session.
type fetchContext struct {
	code        kerr.Code
	id          int32 // session id of the response
	incremental bool
	sess        *session
}

// rests says whether partitions of the session rest.
func (c *fetchContext) rests() bool { return c.sess != nil && c.sess.resting.Len() > 0 }

func newSessions(node *config.Node) sessions {
	return sessions{slots: int(node.FetchSessionSlots), byID: map[int32]*session{}}
}

// begin finds or makes the session of r and adds the items that are to be read.
func (ss *sessions) begin(s *State, r *Request) fetchContext {
	q := &r.fetch.req
	if r.Version < 7 || q.SessionEpoch == 0 || q.SessionEpoch == -1 {
		if old := ss.byID[q.SessionID]; q.SessionID != 0 && old != nil {
			ss.drop(old)
		}
		ctx := fetchContext{}
		if r.Version >= 7 && q.SessionEpoch == 0 && len(q.Parts) > 0 {
			ctx.sess = ss.create(s, r.Version >= 13, r.fetch.reads.follows())
		}
		for i := range q.Parts {
			p := fetchPart{id: q.Parts[i].TopicID, number: q.Parts[i].Partition}
			if ctx.sess != nil {
				p.sess = ctx.sess.put(&q.Parts[i])
				p.sess.q.Refused = false
				p.sess.poll = ctx.sess.polls
			}
			r.fetchItem(p, &q.Parts[i])
		}
		if ctx.sess != nil {
			ctx.id = ctx.sess.id
		}
		return ctx
	}
	return ss.resume(s, r)
}

// resume goes on with an existing session.
func (ss *sessions) resume(s *State, r *Request) fetchContext {
	q := &r.fetch.req
	x := ss.byID[q.SessionID]
	switch {
	case x == nil:
		sometimes.Hit("fetch: a session is not there any more")
		return fetchContext{code: kerr.FetchSessionIDNotFound}
	case x.epoch != q.SessionEpoch:
		return fetchContext{code: kerr.InvalidFetchSessionEpoch}
	case x.byID != (r.Version >= 13):
		return fetchContext{code: kerr.FetchSessionTopicIDError}
	}
	for i := range q.Forgotten {
		x.forget(&q.Forgotten[i])
	}
	for i := range q.Parts {
		x.put(&q.Parts[i])
	}
	ctx := fetchContext{incremental: true, sess: x, id: x.id}
	if len(x.parts) == 0 {
		ss.drop(x)
		return fetchContext{}
	}
	x.epoch++
	if x.epoch <= 0 {
		x.epoch = 1
	}
	x.begin(q.ReplicaEpoch)
	ss.touch(s, x)
	for p := x.active.First(); p != nil; p = p.in.Next() {
		r.readPart(p)
	}
	return ctx
}

// readPart adds a session's part to what a request reads.
func (r *Request) readPart(p *sessionPart) {
	p.poll = p.sess.polls
	q := p.q
	q.Topic = p.topic
	p.q.Refused = false // it is said once
	r.fetchItem(fetchPart{name: p.key.name, id: p.key.id, number: p.key.number, sess: p}, &q)
}

// include says whether the response names the item, and remembers what it told.
func (c *fetchContext) include(it *Item, p *sessionPart) bool {
	if c.sess == nil || p == nil {
		return true
	}
	data := it.Ext.Len > 0 && it.Arg != trimmed
	changed := it.Code != kerr.None || data || it.diverges || it.prefer >= 0 || p.hw != it.HW || p.start != it.Start || p.named
	p.hw, p.start, p.named = it.HW, it.Start, false
	if it.Code != kerr.None {
		p.hw = -1 // so that the next answer without error is told
	}
	if data && c.incremental {
		c.sess.toEnd(p) // the others come first next time
	}
	return changed || !c.incremental
}

func keyOf(q *wire.FetchPart, byID bool) sessionKey {
	if byID {
		return sessionKey{id: q.TopicID, number: q.Partition}
	}
	return sessionKey{name: string(q.Topic), number: q.Partition}
}

func (x *session) put(q *wire.FetchPart) *sessionPart {
	k := keyOf(q, x.byID)
	p := x.parts[k]
	if p == nil {
		p = &sessionPart{key: k, topic: []byte(k.name), hw: -1, start: -1, sess: x}
		p.rest.Owner = p
		x.parts[k] = p
		x.active.Push(p, &p.in)
	}
	x.wake(p)
	p.named = x.follower
	p.q = *q
	p.q.Topic = nil // it aliases the frame
	return p
}

func (x *session) forget(q *wire.FetchPart) {
	k := keyOf(q, x.byID)
	if p := x.parts[k]; p != nil {
		delete(x.parts, k)
		x.wake(p)
		x.active.Remove(&p.in)
	}
}

func (x *session) toEnd(p *sessionPart) {
	if p.in.In(&x.active) {
		x.active.Remove(&p.in)
		x.active.Push(p, &p.in)
	}
}

// create makes a session, or nil where every slot is taken by one in use: the client then goes on without.
func (ss *sessions) create(s *State, byID, follower bool) *session {
	if len(ss.byID) >= ss.slots && !ss.evict(s, follower) {
		sometimes.Hit("fetch: no slot for a session")
		return nil
	}
	id := int32(0)
	for id == 0 || ss.byID[id] != nil {
		id = int32(s.Env.Rand.Uint64()&0x7fffff00) | int32(s.Shard)
	}
	x := &session{s: s, id: id, epoch: 1, byID: byID, follower: follower, parts: map[sessionKey]*sessionPart{}}
	ss.byID[id] = x
	x.used = s.Env.Now.Mono
	ss.all.Push(x, &x.in)
	return x
}

// evict makes room: whoever was not used for long goes first, and to a follower any consumer gives way, the one that was used least lately.
// A consumer never takes the slot of a follower that is alive (KIP-227: privileged).
func (ss *sessions) evict(s *State, follower bool) bool {
	x := ss.all.First()
	if x != nil && s.Env.Now.Mono.Sub(x.used) < evictAfter {
		for follower && x != nil && x.follower {
			x = x.in.Next()
		}
		if !follower {
			x = nil
		}
	}
	if x == nil {
		return false
	}
	sometimes.Hit("fetch: a session is evicted")
	ss.drop(x)
	return true
}

func (ss *sessions) touch(s *State, x *session) {
	x.used = s.Env.Now.Mono
	ss.all.Remove(&x.in)
	ss.all.Push(x, &x.in)
}

func (ss *sessions) drop(x *session) {
	delete(ss.byID, x.id)
	ss.all.Remove(&x.in)
	x.dropped = true
	x.wakeAll()
}
