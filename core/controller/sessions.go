package controller

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// Options of the controller of a cluster. Times in milliseconds.
type Options struct {
	SessionMS   int64 // broker.session.timeout.ms
	GraceMS     int64 // of a broker that a new controller has not heard yet, if that is less; see Grace
	RebalanceMS int64 // leader.imbalance.check.interval.seconds; 0: auto.leader.rebalance.enable is false
	UncleanMS   int64 // unclean.leader.election.interval.ms; 0: never
}

// Limits of what the controller decides by itself.
const (
	maxElections = 1000                    // of one round of rebalancing or of unclean elections (MAX_ELECTIONS_PER_IMBALANCE)
	retryFence   = 100 * clock.Millisecond // until a broker whose session is over is tried again
)

// Grace is how long a new controller waits for a broker's first heartbeat: two intervals, and at least three seconds. A broker that lives beats
// as soon as it hears of a new controller, and again each 100 ms until it is answered; whoever does not may be what led before, and its
// partitions wait. It is not the session, since nobody knows how much of that was over.
func Grace(heartbeatIntervalMS int64) int64 { return max(3000, 2*heartbeatIntervalMS) }

// sessions is what the controller knows of brokers beyond the image. It is soft: a new controller begins with the grace for each.
type sessions struct {
	m        *Machine
	env      *env.Env
	opt      Options
	contacts []contact // of registered brokers, by id; none while this node does not lead
	leading  bool
	term     int64 // in which it leads
	quorum   link.Leadership
	expiry   timer.Timer
	balance  timer.Timer
	unclean  timer.Timer
}

// contact is the soft state of one broker.
type contact struct {
	id         int32
	epoch      int64           // the registration that this is of
	last       clock.Time      // when it last beat
	offset     int64           // metadata that it has; -1: it has not said
	shutdownAt int64           // see Seen
	lastMS     int64           // wall time of last; -1: never
	caughtUpMS int64           // wall time at which it last had all; -1: never
	fencing    bool            // asked already
	ends       map[byID]LogEnd // what its last heartbeat told of orphaned partitions; nil: nothing. Lookups only
}

// internal is what the Machine asks of itself.
type internal struct {
	kind  uint8
	node  int32
	epoch int64
}

const (
	fenceExpired uint8 = iota + 1 // node, if its session is over still
	fenceNow                      // node, if it has epoch still
	rebalance
	electUncleanly
	electLeaderless // what the controller before this one had no time for
)

// Cluster makes the machine the controller of a cluster: brokers register fenced and hold a lease by heartbeats. To be called before the
// first Submit. e is that of the shard whose step all calls come from.
func (m *Machine) Cluster(e *env.Env, o Options) {
	s := &sessions{m: m, env: e, opt: o}
	s.expiry.Owner, s.balance.Owner, s.unclean.Owner = s, s, s
	m.sessions = s
	s.leaderChanged()
}

// Leadership takes what the quorum's actor says of itself: DescribeQuorum shows it.
func (m *Machine) Leadership(l *link.Leadership) {
	if m.sessions != nil {
		m.sessions.quorum = *l
	}
}

// PeerRefused says that a broker's machine refused a connection after the one that its heartbeats came on was reset: its process is gone,
// so it is fenced at once (design.md, Metadata).
func (m *Machine) PeerRefused(node int32) {
	s := m.sessions
	if s == nil || !m.quorum.Leader() {
		return
	}
	if b := m.img.Broker(node); b != nil && !b.Fenced {
		sometimes.Hit("controller: a broker whose machine refuses connections is fenced at once")
		m.ask(internal{fenceNow, node, b.Epoch})
	}
}

// PeerReset says that the connection of a broker's heartbeats was reset. That alone says nothing of its process.
func (m *Machine) PeerReset(node int32) {
	if plant.On(plant.M2) {
		m.PeerRefused(node)
	}
}

// Tick fences whose session is over. The machine's own timer calls it.
func (m *Machine) Tick() {
	if s := m.sessions; s != nil && s.leading {
		s.expire()
	}
}

func (m *Machine) ask(i internal) {
	m.queue = append(m.queue, submission{internal: i})
	m.next()
}

// decideInternal gives the records of what the machine asked of itself.
func (m *Machine) decideInternal(c *Context, i internal) []metadata.Record {
	switch i.kind {
	case fenceExpired:
		at := m.sessions.contact(i.node)
		if at == nil {
			return nil
		}
		if at.fencing = false; !m.sessions.expired(i.node) {
			return nil
		}
		m.sessions.env.Infof("broker %d is fenced: no heartbeat for %d ms", i.node, m.sessions.patience(at))
		return FenceBroker(c, i.node)
	case fenceNow:
		if c.staleBroker(i.node, i.epoch) {
			return nil
		}
		return FenceBroker(c, i.node)
	case rebalance:
		return c.balance(maxElections)
	case electLeaderless:
		return c.leaderless()
	}
	return c.uncleanLeaders(maxElections)
}

// leaderChanged begins or ends to keep contacts.
func (s *sessions) leaderChanged() {
	lead, term := s.m.quorum.Leader(), s.m.quorum.Term()
	if !lead {
		s.leading, s.contacts = false, nil
		s.env.Timers.Cancel(&s.expiry)
		s.env.Timers.Cancel(&s.balance)
		s.env.Timers.Cancel(&s.unclean)
		return
	}
	if s.leading && s.term == term {
		return
	}
	s.leading, s.term, s.contacts = true, term, nil
	s.follow()
	s.every(&s.balance, s.opt.RebalanceMS)
	s.every(&s.unclean, s.opt.UncleanMS)
	s.m.ask(internal{kind: electLeaderless})
}

func (s *sessions) every(t *timer.Timer, ms int64) {
	if ms > 0 {
		s.env.After(t, clock.MS(ms))
	}
}

// follow brings the contacts in step with the image's brokers. Another registration begins another contact.
func (s *sessions) follow() {
	if !s.leading {
		return
	}
	brokers := s.m.img.Brokers()
	s.contacts = slices.DeleteFunc(s.contacts, func(c contact) bool { return s.m.img.Broker(c.id) == nil })
	for _, b := range brokers {
		i, ok := s.find(b.ID)
		if !ok {
			s.contacts = slices.Insert(s.contacts, i, contact{id: b.ID, epoch: -1})
		}
		c := &s.contacts[i]
		if c.epoch != b.Epoch {
			*c = contact{id: b.ID, epoch: b.Epoch, last: s.env.Now.Mono, offset: -1, shutdownAt: -1, lastMS: -1, caughtUpMS: -1}
		}
		switch {
		case !b.InShutdown:
			c.shutdownAt = -1
		case c.shutdownAt < 0:
			c.shutdownAt = s.m.img.Index()
		}
	}
	s.schedule()
}

func (s *sessions) find(id int32) (int, bool) {
	return slices.BinarySearchFunc(s.contacts, id, func(c contact, id int32) int { return cmp.Compare(c.id, id) })
}

func (s *sessions) contact(id int32) *contact {
	if i, ok := s.find(id); ok {
		return &s.contacts[i]
	}
	return nil
}

// beat notes a heartbeat.
func (s *sessions) beat(req *kmsg.BrokerHeartbeatRequest) {
	c := s.contact(req.BrokerID)
	if c == nil || c.epoch != req.BrokerEpoch {
		return
	}
	c.last, c.lastMS = s.env.Now.Mono, int64(s.env.Now.Wall)
	c.offset, c.ends = max(c.offset, req.CurrentMetadataOffset), nil
	for _, e := range logEnds(req) {
		if c.ends == nil {
			c.ends = make(map[byID]LogEnd)
		}
		c.ends[byID{e.Topic, e.Partition}] = e
	}
	if c.offset >= s.m.img.Index() {
		c.caughtUpMS = c.lastMS
	}
}

// logEnd is Context.Ends. What an earlier life of a broker told is forgotten with its contact.
func (s *sessions) logEnd(broker int32, topic [16]byte, partition int32) (LogEnd, bool) {
	c := s.contact(broker)
	if c == nil {
		return LogEnd{}, false
	}
	e, ok := c.ends[byID{topic, partition}]
	return e, ok
}

// seen gives what a heartbeat's decision needs.
func (s *sessions) seen(id int32) Seen {
	out := Seen{ShutdownAt: -1, LowestActive: 1<<63 - 1}
	for i := range s.contacts {
		c := &s.contacts[i]
		switch b := s.m.img.Broker(c.id); {
		case c.id == id:
			out.ShutdownAt = c.shutdownAt
		case b.Active():
			out.LowestActive = min(out.LowestActive, c.offset)
		}
	}
	return out
}

// alive says whether the broker whose id a registration claims is unfenced and its session runs. Who comes with the same directories while
// nobody was heard since this node leads is the same broker, started again: it need not wait for a session that was only granted to it.
func (s *sessions) alive(req *kmsg.BrokerRegistrationRequest) bool {
	b, c := s.m.img.Broker(req.BrokerID), s.contact(req.BrokerID)
	if b == nil || c == nil || b.Fenced || s.expired(req.BrokerID) {
		return false
	}
	return c.lastMS >= 0 || !slices.Equal(b.LogDirs, req.LogDirs)
}

func (s *sessions) expired(id int32) bool {
	c := s.contact(id)
	return c != nil && s.env.Now.Mono >= s.ends(c)
}

func (s *sessions) ends(c *contact) clock.Time { return c.last.Add(clock.MS(s.patience(c))) }

// patience is how long a broker may be silent, in milliseconds.
func (s *sessions) patience(c *contact) int64 {
	if c.lastMS < 0 {
		return min(s.opt.GraceMS, s.opt.SessionMS)
	}
	return s.opt.SessionMS
}

// expire asks to fence whose session is over.
func (s *sessions) expire() {
	for i := 0; i < len(s.contacts); i++ { // asking may change the contacts
		c := &s.contacts[i]
		if b := s.m.img.Broker(c.id); b == nil || b.Fenced || c.fencing || s.env.Now.Mono < s.ends(c) {
			continue
		}
		c.fencing = true
		s.m.ask(internal{fenceExpired, c.id, c.epoch})
	}
	s.schedule()
}

// schedule sets the timer for the first session that ends.
func (s *sessions) schedule() {
	var at clock.Time
	for i := range s.contacts {
		c := &s.contacts[i]
		if b := s.m.img.Broker(c.id); b == nil || b.Fenced {
			continue
		}
		end := s.ends(c)
		if end <= s.env.Now.Mono {
			end = s.env.Now.Mono.Add(retryFence)
		}
		if at == 0 || end < at {
			at = end
		}
	}
	if at == 0 {
		s.env.Timers.Cancel(&s.expiry)
		return
	}
	s.env.Timers.Set(&s.expiry, at)
}

// TimerFired is timer.Owner.
func (s *sessions) TimerFired(t *timer.Timer) {
	switch t {
	case &s.expiry:
		s.expire()
	case &s.balance:
		s.every(t, s.opt.RebalanceMS)
		s.m.ask(internal{kind: rebalance})
	case &s.unclean:
		s.every(t, s.opt.UncleanMS)
		s.m.ask(internal{kind: electUncleanly})
	}
}
