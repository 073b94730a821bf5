package fetcher

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
)

// Answered is peer.Waiter.
func (f *Fetcher) Answered(body []byte, lease *buf.Lease, ok bool, why peer.Reason) {
	f.answered++
	if f.closed {
		return
	}
	r := &f.resp
	switch {
	case !ok:
		f.failed(why.String())
		return
	case !r.Decode(version, body):
		f.failed("its answer cannot be read")
		return
	case r.Code != kerr.None:
		f.refused(r.Code)
		return
	}
	f.failures = 0
	f.advanceSession()
	for i := range r.Parts {
		x := &r.Parts[i]
		if p := f.parts[Key{x.TopicID, x.Partition}]; p != nil {
			p.answered(x, lease)
		}
	}
	f.mark()
}

// advanceSession takes in what the leader made of the session. A leader without room for one gives 0: everything is named again.
func (f *Fetcher) advanceSession() {
	switch {
	case f.resp.SessionID == 0:
		f.sessions = f.sessions && !f.beginning
		f.session, f.full = 0, true
	case f.beginning:
		f.session, f.epoch, f.sessions = f.resp.SessionID, 1, true
	}
	f.beginning = false
}

// failed waits before it tries again; what the leader has of the session is not known.
func (f *Fetcher) failed(why string) {
	f.full, f.beginning = true, false
	if f.pause.IsSet() { // the other request in flight
		return
	}
	f.failures++
	if f.failures == 1 && len(f.list) > 0 {
		f.env.Warnf("fetcher: no answer from broker %d at %s: %s; %d partitions are fetched again when it answers", f.leader, f.peer.Addr(), why, len(f.list))
	}
	f.env.After(&f.pause, f.backoff(f.failures))
}

// refused handles a code that is said of the whole request.
func (f *Fetcher) refused(c kerr.Code) {
	f.beginning = false
	switch c {
	case kerr.FetchSessionIDNotFound:
		sometimes.Hit("fetcher: the leader has forgotten the session")
		f.session, f.full = 0, true
		f.mark()
	case kerr.InvalidFetchSessionEpoch, kerr.FetchSessionTopicIDError:
		f.full = true // the request closes the old one
		f.mark()
	default:
		f.failed(c.String())
		return
	}
	if f.failures++; f.failures > 2 { // a leader that forgets each session at once
		f.env.After(&f.pause, f.backoff(f.failures))
	}
}

// answered takes in what the leader says of a partition, if it is what was asked for.
func (p *part) answered(x *wire.FetchedPart, lease *buf.Lease) {
	if (p.state != fetching || !p.told || p.askedIn > p.f.answered) && !plant.On(plant.R14) {
		return // it was asked for anew since
	}
	at, ready := p.point()
	if (!ready || at.offset != p.asked.offset || at.lastSeen != p.asked.lastSeen || at.epoch != p.asked.epoch) && !plant.On(plant.R14) {
		p.look()
		return
	}
	code := x.Code
	switch {
	case code == kerr.None && !x.Diverging:
		p.take(x, lease)
		return
	case code == kerr.None:
		code = p.follower.Truncate(x.DivergingEpoch, x.DivergingEndOffset, p.epoch)
	case code == kerr.OffsetOutOfRange && x.LogStartOffset >= 0: // our leaders say with it what they have
		code = p.follower.OutOfRange(x.LogStartOffset, x.HighWatermark, p.epoch)
	}
	if x.Code != kerr.None && code == x.Code {
		p.refused(code)
		return
	}
	if code != kerr.None {
		p.declined(code)
		return
	}
	if at, ready := p.point(); ready && at == p.asked { // it would be told the same again
		p.rest()
		return
	}
	p.look()
}

// refused handles a partition's error.
func (p *part) refused(c kerr.Code) {
	switch c {
	case kerr.FencedLeaderEpoch:
		sometimes.Hit("fetcher: a follower is fenced by its leader")
		p.leave()
		p.set(stale) // a newer image is on its way; the timer is for one that was lost on it
		p.f.env.After(&p.timer, 10*p.f.backoff(maxFailures))
	case kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition, kerr.InconsistentTopicID:
		p.rest() // the leader may not have our image yet
	default:
		p.declined(c)
	}
}

// declined tries again later what this follower did not take, or what the leader cannot read.
func (p *part) declined(c kerr.Code) {
	if p.failures == 0 {
		p.f.env.Warnf("fetcher: %s-%d from broker %d: %s; it is fetched again", p.topic, p.key.Number, p.f.leader, c)
	}
	p.rest()
}

// take hands over the records.
func (p *part) take(x *wire.FetchedPart, lease *buf.Lease) {
	b, fault := p.check(x.Records, x.Sparse)
	if fault != "" {
		p.refuse(fault)
		return
	}
	if len(b) == 0 {
		b, lease = nil, nil
	}
	if c := p.follower.Received(b, lease, x.HighWatermark, x.LogStartOffset, p.epoch); c != kerr.None {
		p.declined(c)
		return
	}
	p.follower.LeaderKnows(x.LastStableOffset)
	if len(b) > 0 || !p.asked.refused {
		p.failures = 0
	}
	if counts, _ := p.follower.Throttled(); counts {
		p.f.Rate.Take(p.f.env.Now.Mono, int64(len(b)))
	}
	if len(b) == 0 && len(x.Records) > 0 { // only what is not ours yet
		p.rest()
		return
	}
	p.look()
}

// refuse tells the leader, with the next request, that what it sent cannot be taken, so that it looks at its own disk. What it sends after that,
// if it is no better, is fetched again after a while.
//
//	taken ──a bad batch──▶ refused, asked at once ──once more──▶ rests, asked again ──▶ …    until the leader sends what is good, or is another
func (p *part) refuse(fault string) {
	sometimes.Hit("fetcher: a follower cannot take what its leader sent")
	if p.refusedAt != p.asked.offset {
		p.refusedAt = p.asked.offset
		p.look()
		return
	}
	if p.failures == 0 {
		p.f.env.Errorf("fetcher: broker %d sent a batch of %s-%d at offset %d that %s; it is fetched again", p.f.leader, p.topic, p.key.Number, p.asked.offset, fault)
	}
	p.rest()
}

// check gives the whole batches of b that this follower may append in its present epoch, or what is wrong with the first of them. What is
// good before a bad one is taken, so that the next fetch begins at that. A batch at the end may be cut off, and the first may begin below
// what was asked for: the follower says whether it can. Batches of a later epoch come from a leader whose election this broker has not heard of (KAFKA-18723). A gap below
// sparse is compaction's; any other is what the leader's disk has lost, or what the leader has not looked at yet.
func (p *part) check(b []byte, sparse int64) (good []byte, fault string) {
	next, n := p.asked.offset, 0
	for rest := b; len(rest) > 0; {
		v, more, ok := records.Split(rest)
		switch {
		case !ok && len(rest) >= records.HeaderSize && records.View(rest).Magic() != 2:
			fault = "is not of format 2"
		case !ok && n == 0:
			fault = "is cut off"
		case !ok:
			return b[:n], ""
		case v.ComputeCRC() != v.CRC():
			fault = "does not match its checksum"
		case v.LastOffsetDelta() < 0 || v.LastOffset() < max(next, v.BaseOffset()) || v.BaseOffset() < next && n > 0:
			fault = "is out of order"
		case v.BaseOffset() > next && v.BaseOffset() > sparse:
			fault = "leaves a gap"
		case v.LeaderEpoch() > p.epoch:
			sometimes.Hit("fetcher: a batch is of an epoch that this broker has not heard of")
			return b[:n], ""
		}
		if fault != "" && n > 0 {
			return b[:n], ""
		}
		if fault != "" {
			return nil, fault
		}
		next = v.NextOffset()
		n += len(v)
		rest = more
	}
	return b[:n], ""
}
