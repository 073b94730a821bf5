package group

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// owner is a client that believes what it was told: what it owns it reads. It speaks one of the two protocols, as Kafka's clients do: the
// classic one eagerly, which is to let go of everything before it joins.
type owner struct {
	name     string
	instance *string
	classic  bool
	id       string // of the member; "": none yet
	epoch    int32  // 0: it has to join
	owns     map[string]bool
	target   map[string]bool // what it was told last, of the consumer protocol; nil: it owns that
	dead     bool            // it has stopped without a word, and still owns what it owned
	missed   bool            // an answer: the next heartbeat says all, and is told all
	waits    bool            // a request of it is not answered
	sync     bool            // a classic member that has joined and is to fetch its assignment
	members  []string
	topics   string
}

type sent struct {
	o    *owner
	id   string
	lost bool // the answer does not arrive
}

// town is clients of both protocols in one group, over a log that may refuse, stall, and take back.
type town struct {
	t      *rapid.T
	w      *world
	owners []*owner
	by     map[string]sent
	n      int
	epochs map[string]int32 // the highest that each member was told
}

func newTown(t *rapid.T) *town {
	c := &town{t: t, w: newWorld(), by: map[string]sent{}, epochs: map[string]int32{}}
	c.w.cfg.InitialRebalanceDelayMS, c.w.cfg.Consumer.RegexIntervalMS = 500, 100
	c.w.cfg.Consumer.Default.AssignmentIntervalMS = rapid.SampledFrom([]int32{0, 1000}).Draw(t, "interval")
	for i := range 5 {
		c.add(i)
	}
	c.w.onReply = c.replied
	return c
}

func (c *town) add(i int) {
	o := &owner{name: fmt.Sprint("o", i), classic: i%3 == 2, owns: map[string]bool{}, topics: "t1"}
	if i == 3 {
		o.instance = &o.name
	}
	if i == 4 {
		o.topics = "t1+t2"
	}
	c.owners = append(c.owners, o)
}

// crash replaces a client by a new one that knows nothing. What the old one owned it goes on reading.
func (c *town) crash(o *owner) {
	for i := range c.owners {
		if c.owners[i] == o && o.instance == nil && len(c.owners) < 20 {
			n := *o
			n.id, n.epoch, n.owns, n.target, n.waits, n.sync = "", 0, map[string]bool{}, nil, false, false
			o.dead = true
			c.owners = append(c.owners, &n)
			return
		}
	}
}

func (c *town) post(o *owner, lost bool, req kmsg.Request) {
	c.n++
	name := fmt.Sprint("r", c.n)
	o.waits, o.missed = !lost, lost
	c.by[name] = sent{o, o.id, lost}
	c.w.send(name, ClientInfo{ID: o.name, Host: "/h"}, req)
}

// act sends what a client sends next.
func (c *town) act(o *owner, lost, full bool) {
	if o.dead || o.waits {
		return
	}
	if o.classic {
		c.actClassic(o, lost)
		return
	}
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberEpoch, r.InstanceID = 1, "g", o.epoch, o.instance
	if o.id == "" {
		c.n++
		o.id = fmt.Sprint("member-", c.n)
	}
	r.MemberID = o.id
	r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for i, t := range []string{"t1", "t2"} {
		one := kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: [16]byte{15: byte(i + 1)}}
		for p := range int32(4) {
			if o.owns[fmt.Sprintf("%s-%d", t, p)] {
				one.Partitions = append(one.Partitions, p)
			}
		}
		if len(one.Partitions) > 0 {
			r.Topics = append(r.Topics, one)
		}
	}
	if full = full || o.missed; full || o.epoch == 0 {
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 20000, strings.Split(o.topics, "+")
	}
	c.post(o, lost, r)
}

func (c *town) actClassic(o *owner, lost bool) {
	switch {
	case o.sync:
		r := kmsg.NewPtrSyncGroupRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = 4, "g", o.id, o.epoch, o.instance
		for i, m := range o.members {
			s := ""
			for p := i; p < 4; p += len(o.members) {
				s += fmt.Sprintf("+t1-%d", p)
			}
			if s == "" {
				s = "+"
			}
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: c.w.embedded(s[1:])})
		}
		c.post(o, lost, r)
	case o.epoch == 0:
		o.owns = map[string]bool{}
		r := c.w.request("join", args{"protocols": "range:t1", "rebalance": "20000", "owned": ""}).(*kmsg.JoinGroupRequest)
		r.MemberID, r.InstanceID = o.id, o.instance
		c.post(o, lost, r)
	default:
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = 4, "g", o.id, o.epoch, o.instance
		c.post(o, lost, r)
	}
}

func (c *town) replied(name string, resp kmsg.Response) {
	s := c.by[name]
	o := s.o
	if o == nil || s.lost || o.dead || s.id != o.id {
		return
	}
	o.waits = false
	switch r := resp.(type) {
	case *kmsg.ConsumerGroupHeartbeatResponse:
		c.told(o, r)
	case *kmsg.JoinGroupResponse:
		switch kerr.Code(r.ErrorCode) {
		case kerr.None:
			o.id, o.epoch, o.sync, o.members = r.MemberID, r.Generation, true, nil
			for _, m := range r.Members {
				o.members = append(o.members, m.MemberID)
			}
		case kerr.MemberIDRequired:
			o.id = r.MemberID
		default:
			o.fenced(kerr.Code(r.ErrorCode))
		}
	case *kmsg.SyncGroupResponse:
		o.sync = false
		if r.ErrorCode != 0 {
			o.fenced(kerr.Code(r.ErrorCode))
			return
		}
		tps, _, ok := consumer.ReadAssignment(r.MemberAssignment)
		if len(r.MemberAssignment) > 0 && !ok {
			c.t.Fatalf("%s got an assignment that cannot be read: %q", o.name, r.MemberAssignment)
		}
		o.owns = map[string]bool{}
		for _, tp := range tps {
			for _, p := range tp.Partitions {
				c.gets(o, fmt.Sprintf("%s-%d", tp.Topic, p))
			}
		}
	case *kmsg.HeartbeatResponse:
		o.fenced(kerr.Code(r.ErrorCode))
	}
}

// fenced follows what a classic client is told.
func (o *owner) fenced(code kerr.Code) {
	switch code {
	case kerr.UnknownMemberID, kerr.FencedInstanceID:
		o.id, o.epoch, o.owns, o.sync = "", 0, map[string]bool{}, false
	case kerr.IllegalGeneration, kerr.RebalanceInProgress:
		o.epoch, o.owns, o.sync = 0, map[string]bool{}, false
	}
}

// told follows what a client of the consumer protocol is told.
func (c *town) told(o *owner, r *kmsg.ConsumerGroupHeartbeatResponse) {
	switch kerr.Code(r.ErrorCode) {
	case kerr.None:
	case kerr.UnknownMemberID, kerr.FencedMemberEpoch, kerr.FencedInstanceID, kerr.GroupIDNotFound:
		o.epoch, o.owns, o.target = 0, map[string]bool{}, nil
		return
	default:
		o.missed = true
		return
	}
	if r.MemberEpoch < 0 || o.epoch > 0 && r.MemberEpoch < o.epoch {
		c.t.Fatalf("%s went from epoch %d to %d", o.name, o.epoch, r.MemberEpoch)
	}
	o.epoch = r.MemberEpoch
	if r.Assignment == nil {
		return
	}
	o.target = map[string]bool{}
	for _, t := range r.Assignment.Topics {
		for _, p := range t.Partitions {
			name := fmt.Sprintf("%s-%d", c.w.topic(t.TopicID), p)
			if o.target[name] = true; !o.owns[name] {
				c.gets(o, name)
			}
		}
	}
}

// reconcile lets a client let go of what it is no longer to have, which may take its time. What it gets it reads at once: if it said first
// that it owned nothing, and took it later, it might be another's by then.
func (c *town) reconcile(o *owner) {
	for _, p := range sortedKeys(o.owns) {
		if !o.dead && o.target != nil && !o.target[p] {
			delete(o.owns, p)
		}
	}
}

// gets checks that no other member of the group still reads a partition that a client gets.
func (c *town) gets(o *owner, p string) {
	o.owns[p] = true
	for _, other := range c.owners {
		if other != o && other.owns[p] && c.isMember(other) {
			c.t.Fatalf("%s (%s, epoch %d) gets %s, which %s (%s, epoch %d) reads", o.name, o.id, o.epoch, p, other.name, other.id, other.epoch)
		}
	}
}

func (c *town) isMember(o *owner) bool {
	if g := c.w.c.consumers["g"]; g != nil {
		return g.Member(o.id) != nil
	}
	g := c.w.c.groups["g"]
	return g != nil && g.Member(o.id) != nil
}

func (c *town) leave(o *owner) {
	if o.dead || o.waits || o.id == "" || o.epoch <= 0 {
		return
	}
	if o.classic {
		id := o.id
		o.id, o.epoch, o.owns, o.sync = "", 0, map[string]bool{}, false
		c.n++
		c.w.send(fmt.Sprint("leave", c.n), ClientInfo{}, &kmsg.LeaveGroupRequest{Version: 5, Group: "g", Members: []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: o.instance}}})
		return
	}
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.InstanceID = 1, "g", o.id, -1, o.instance
	if o.instance != nil {
		r.MemberEpoch = -2
	}
	o.id, o.epoch, o.owns, o.target = "", 0, map[string]bool{}, nil
	c.n++
	c.w.send(fmt.Sprint("leave", c.n), ClientInfo{}, r)
}

func (c *town) pick() *owner { return rapid.SampledFrom(c.owners).Draw(c.t, "owner") }

func (c *town) actions() map[string]func(*rapid.T) {
	w := c.w
	return map[string]func(*rapid.T){
		"act": func(t *rapid.T) {
			c.act(c.pick(), rapid.IntRange(0, 9).Draw(t, "lost") == 0, rapid.Bool().Draw(t, "full"))
		},
		"all act": func(t *rapid.T) {
			for _, o := range c.owners {
				c.act(o, rapid.IntRange(0, 9).Draw(t, "lost") == 0, false)
				if rapid.Bool().Draw(t, "reconciles") {
					c.reconcile(o)
				}
			}
			w.commit(w.log.end)
		},
		"reconcile":      func(t *rapid.T) { c.reconcile(c.pick()) },
		"leave":          func(t *rapid.T) { c.leave(c.pick()) },
		"crash":          func(t *rapid.T) { c.crash(c.pick()) },
		"high watermark": func(t *rapid.T) { w.commit(rapid.Int64Range(w.log.hw, w.log.end).Draw(t, "to")) },
		"time":           func(t *rapid.T) { w.advance(rapid.SampledFrom([]int64{10, 1000, 6000, 30000}).Draw(t, "ms")) },
		"topics": func(t *rapid.T) {
			w.topics.set(rapid.SampledFrom([]string{"t2", "t3"}).Draw(t, "topic"), rapid.Int32Range(1, 4).Draw(t, "partitions"))
		},
		"refuse": func(t *rapid.T) {
			w.log.refuse = rapid.SampledFrom([]kerr.Code{kerr.None, kerr.None, kerr.NotEnoughReplicas}).Draw(t, "code")
		},
		"reload": func(t *rapid.T) { w.reload(t) },
		"take back": func(t *rapid.T) {
			from := w.log.end
			for n := len(w.log.batches); n > 0 && w.log.batches[n-1].BaseOffset() >= w.log.hw && rapid.Bool().Draw(t, "one more"); n-- {
				from = w.log.batches[n-1].BaseOffset()
				w.log.truncate(from)
			}
			w.c.Failed(from)
			w.load()
		},
		"": func(t *rapid.T) { c.w.lines = nil },
	}
}

// calm lets the group settle: then each partition of t1 is read by one client, and by no other.
func (c *town) calm() {
	c.w.log.refuse = kerr.None
	for range 150 {
		c.w.commit(c.w.log.end)
		for _, o := range c.owners {
			c.act(o, false, false)
			c.w.commit(c.w.log.end)
			c.reconcile(o)
		}
		c.w.advance(1100)
		c.w.lines = nil
	}
	for p := range 4 {
		name := fmt.Sprintf("t1-%d", p)
		var by []string
		for _, o := range c.owners {
			if o.owns[name] && c.isMember(o) {
				by = append(by, o.name)
			}
		}
		if len(by) != 1 {
			c.w.lines = nil
			c.w.state()
			c.t.Fatalf("%s is read by %v; %s", name, by, strings.Join(c.w.lines, "\n"))
		}
	}
}

func TestClientsOfBothProtocolsShareAGroupAndNoPartitionHasTwoReaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newTown(t)
		t.Repeat(c.actions())
		c.calm()
		c.w.reload(t)
	})
}
