package group

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// actor is a client that knows only what it was told.
type actor struct {
	name     string
	instance *string
	member   string
	gen      int32
	members  []string // as a leader: whom to assign to
}

// crowd drives one coordinator with clients that do what they like, over a log that may refuse, stall, and take back.
type crowd struct {
	t      *rapid.T
	w      *world
	actors []*actor
	by     map[string]*actor           // whose request it is, by the request's name
	n      int                         // requests so far
	offset int64                       // each commit commits another
	owners map[string]string           // "generation partition": the member's name that it was given to
	reads  map[string]map[string]int64 // what a parked fetch is to answer, by the request's name
	newest int32                       // the newest generation of g in which somebody has an assignment: it is in the log
	syncs  map[string]int32            // the generation that a SyncGroup names, by the request's name
	live   *twin                       // the fold of what has been looked at
	looked int                         // how many batches that is
	asked  bool                        // the deletion of offsets
	stale  map[string]bool             // transactional commits that were sent with an older one, by the request's name
}

// unstableRead is what a fetch is to find where an open transaction would commit the offset.
const unstableRead = -2

func newCrowd(t *rapid.T) *crowd {
	c := &crowd{t: t, w: newWorld(), by: map[string]*actor{}, owners: map[string]string{}, reads: map[string]map[string]int64{}, syncs: map[string]int32{}, stale: map[string]bool{}}
	for i := range 4 {
		a := &actor{name: fmt.Sprintf("c%d", i)}
		if i >= 2 {
			a.instance = &a.name
		}
		c.actors = append(c.actors, a)
	}
	c.w.onReply = c.replied
	return c
}

func (c *crowd) send(a *actor, req kmsg.Request) {
	c.n++
	name := fmt.Sprint("r", c.n)
	c.by[name] = a
	switch q := req.(type) {
	case *kmsg.OffsetFetchRequest:
		c.expect(name, q)
	case *kmsg.TxnOffsetCommitRequest:
		c.stale[name] = q.Generation >= 0 && q.Generation < c.newest
	case *kmsg.SyncGroupRequest:
		c.syncs[name] = q.Generation
	}
	c.w.send(name, ClientInfo{ID: a.name, Host: "/h"}, req)
}

// expect notes what the twin has for the partitions of a fetch.
func (c *crowd) expect(name string, q *kmsg.OffsetFetchRequest) {
	t := fold(c.w.log.batches)
	c.reads[name] = map[string]int64{}
	for _, topic := range q.Groups[0].Topics {
		for _, p := range topic.Partitions {
			o, ok := t.offsets[fmt.Sprint(q.Groups[0].Group, " ", topic.Topic, " ", p)]
			if !ok {
				o = -1
			}
			if q.RequireStable && t.unstable(fmt.Sprint(q.Groups[0].Group, " ", topic.Topic, " ", p)) {
				o = unstableRead
			}
			c.reads[name][fmt.Sprint(topic.Topic, " ", p)] = o
		}
	}
}

func (c *crowd) replied(name string, resp kmsg.Response) {
	a := c.by[name]
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		c.joined(a, r)
	case *kmsg.SyncGroupResponse:
		if r.ErrorCode == 0 {
			c.newest = max(c.newest, c.syncs[name])
			c.assigned(a, r)
		}
	case *kmsg.OffsetFetchResponse:
		for _, topic := range r.Groups[0].Topics {
			for _, p := range topic.Partitions {
				want, unstable := c.reads[name][fmt.Sprint(topic.Topic, " ", p.Partition)], p.ErrorCode == int16(kerr.UnstableOffsetCommit)
				if p.ErrorCode == 0 && p.Offset != want || unstable && want != unstableRead {
					c.t.Fatalf("%s: %s-%d: want %d, got %d %s", name, topic.Topic, p.Partition, want, p.Offset, kerr.Code(p.ErrorCode))
				}
			}
		}
	case *kmsg.TxnOffsetCommitResponse:
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if p.ErrorCode == 0 && c.stale[name] {
					c.t.Fatalf("%s: offsets of an earlier generation are taken (KIP-447)", name)
				}
			}
		}
	}
}

func (c *crowd) joined(a *actor, r *kmsg.JoinGroupResponse) {
	switch kerr.Code(r.ErrorCode) {
	case kerr.None:
		a.member, a.gen, a.members = r.MemberID, r.Generation, nil
		for _, m := range r.Members {
			a.members = append(a.members, m.MemberID)
		}
	case kerr.MemberIDRequired:
		a.member = r.MemberID
	case kerr.UnknownMemberID, kerr.FencedInstanceID:
		a.member = ""
	}
}

// assigned checks that no partition has two owners in a generation. A static member's successor is the same owner.
func (c *crowd) assigned(a *actor, r *kmsg.SyncGroupResponse) {
	for _, p := range strings.Fields(string(r.MemberAssignment)) {
		id := fmt.Sprint(a.gen, " ", p)
		if old, ok := c.owners[id]; ok && old != a.name {
			c.t.Fatalf("generation %d: partition %s belongs to %s and to %s", a.gen, p, old, a.name)
		}
		c.owners[id] = a.name
	}
}

func (c *crowd) pick() *actor { return rapid.SampledFrom(c.actors).Draw(c.t, "actor") }

func (c *crowd) join(t *rapid.T, a *actor) {
	r := c.w.request("join", args{"protocols": rapid.SampledFrom([]string{"range:t1", "range:t1,sticky:t1", "range:t2"}).Draw(t, "protocols"), "rebalance": "8000"}).(*kmsg.JoinGroupRequest)
	r.Version = rapid.Int16Range(3, 9).Draw(t, "version")
	r.MemberID = a.member
	if r.InstanceID = a.instance; a.instance != nil {
		r.Version = max(r.Version, 5)
		if rapid.Bool().Draw(t, "restarted") {
			r.MemberID = ""
		}
	}
	c.send(a, r)
}

// sync assigns three partitions, each to one member that the leader was told of.
func (c *crowd) sync(t *rapid.T, a *actor) {
	r := c.w.request("sync", args{"v": "4"}).(*kmsg.SyncGroupRequest)
	r.MemberID, r.Generation = a.member, a.gen
	got := map[string][]string{}
	if len(a.members) > 0 {
		for p := range 3 {
			m := rapid.SampledFrom(a.members).Draw(t, "owner")
			got[m] = append(got[m], fmt.Sprint(p))
		}
	}
	for _, m := range sortedKeys(got) {
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: []byte(strings.Join(got[m], " "))})
	}
	c.send(a, r)
}

// allJoin makes a generation of several members likely.
func (c *crowd) allJoin(t *rapid.T) {
	for range 2 {
		for _, a := range c.actors {
			c.join(t, a)
		}
	}
	c.w.advance(rapid.SampledFrom([]int64{1, 3000, 8000}).Draw(t, "ms"))
}

func (c *crowd) someSync(t *rapid.T) {
	for _, a := range c.actors {
		if rapid.Bool().Draw(t, a.name+" syncs") {
			c.sync(t, a)
		}
	}
}

func (c *crowd) actions() map[string]func(*rapid.T) {
	w := c.w
	return map[string]func(*rapid.T){
		"join":      func(t *rapid.T) { c.join(t, c.pick()) },
		"sync":      func(t *rapid.T) { c.sync(t, c.pick()) },
		"all join":  c.allJoin,
		"some sync": c.someSync,
		"heartbeat": func(t *rapid.T) {
			a := c.pick()
			r := w.request("heartbeat", args{}).(*kmsg.HeartbeatRequest)
			r.MemberID, r.Generation, r.InstanceID = a.member, a.gen, a.instance
			c.send(a, r)
		},
		"leave": func(t *rapid.T) {
			a := c.pick()
			c.send(a, &kmsg.LeaveGroupRequest{Version: 5, Group: "g", Members: []kmsg.LeaveGroupRequestMember{{MemberID: a.member, InstanceID: a.instance}}})
		},
		"commit": func(t *rapid.T) {
			a := c.pick()
			c.offset++
			r := w.request("commit", args{"offsets": fmt.Sprintf("t%d-%d:%d", rapid.IntRange(1, 2).Draw(t, "topic"), rapid.IntRange(0, 1).Draw(t, "partition"), c.offset)}).(*kmsg.OffsetCommitRequest)
			r.MemberID, r.Generation = a.member, a.gen
			if rapid.Bool().Draw(t, "another group") {
				r.Group, r.MemberID, r.Generation = "simple", "", -1
			}
			c.send(a, r)
		},
		"fetch": func(t *rapid.T) {
			g := rapid.SampledFrom([]string{"g", "simple"}).Draw(t, "group")
			r := w.request("fetch", args{"group": g, "offsets": "t1-0,t1-1,t2-0,t2-1"}).(*kmsg.OffsetFetchRequest)
			r.RequireStable = rapid.Bool().Draw(t, "stable")
			c.send(c.actors[0], r)
		},
		"commit in a transaction": func(t *rapid.T) { c.commitTxn(t, c.pick()) },
		"end of a transaction": func(t *rapid.T) {
			c.send(c.actors[0], &kmsg.EndTxnRequest{Version: 5, ProducerID: rapid.Int64Range(7, 8).Draw(t, "producer"), Commit: rapid.Bool().Draw(t, "commits")})
		},
		"delete": func(t *rapid.T) {
			c.asked = true
			c.send(c.actors[0], w.request("delete", args{"group": "simple"}))
		},
		"offset-delete": func(t *rapid.T) {
			c.asked = true
			c.send(c.actors[0], w.request("offset-delete", args{"group": rapid.SampledFrom([]string{"g", "simple"}).Draw(t, "group"), "offsets": "t1-0,t2-1"}))
		},
		"high watermark": func(t *rapid.T) { w.commit(rapid.Int64Range(w.log.hw, w.log.end).Draw(t, "to")) },
		"time":           func(t *rapid.T) { w.advance(rapid.Int64Range(1, 12000).Draw(t, "ms")) },
		"refuse": func(t *rapid.T) {
			w.log.refuse = rapid.SampledFrom([]kerr.Code{kerr.None, kerr.None, kerr.NotEnoughReplicas, kerr.KafkaStorageError}).Draw(t, "code")
		},
		"reload": func(t *rapid.T) { w.reload(t) },
		"take back": func(t *rapid.T) {
			from := w.log.end
			for n := len(w.log.batches); n > 0 && w.log.batches[n-1].BaseOffset() >= w.log.hw && rapid.Bool().Draw(t, "one more"); n-- {
				from = w.log.batches[n-1].BaseOffset()
				w.log.truncate(from)
			}
			c.live, c.looked = fold(w.log.batches), len(w.log.batches)
			w.c.Failed(from)
			w.load()
		},
		"": func(t *rapid.T) { c.check() },
	}
}

// commitTxn commits offsets in the transaction of one of two producers: as a member, as an older client that names none, or of a group without members.
func (c *crowd) commitTxn(t *rapid.T, a *actor) {
	c.offset++
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.Version, q.TransactionalID, q.Group, q.ProducerID = 5, "x", "g", rapid.Int64Range(7, 8).Draw(t, "producer")
	q.Generation, q.MemberID, q.InstanceID = a.gen, a.member, a.instance
	switch rapid.IntRange(0, 3).Draw(t, "as whom") {
	case 0:
		q.Generation, q.MemberID, q.InstanceID = -1, "", nil
	case 1:
		q.Group, q.Generation, q.MemberID, q.InstanceID = "simple", -1, "", nil
	}
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = rapid.Int32Range(0, 1).Draw(t, "partition"), c.offset
	q.Topics = append(q.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: fmt.Sprintf("t%d", rapid.IntRange(1, 2).Draw(t, "topic")), Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}})
	c.send(a, q)
}

// expires looks at what was deleted since the last look, and not asked for: nothing that an open transaction would commit anew, and nothing that the members of a live group
// read (KIP-211).
func (c *crowd) expires() {
	if c.live == nil || c.looked > len(c.w.log.batches) {
		c.live, c.looked = fold(nil), 0
	}
	for ; c.looked < len(c.w.log.batches); c.looked++ {
		b := c.w.log.batches[c.looked]
		for id := range fold([]records.View{b}).deleted {
			if id == "g" { // it begins again from the first generation
				c.newest = 0
				continue
			}
			words := strings.Fields(id)
			if len(words) < 3 {
				continue
			}
			g, topic := c.w.c.groups["g"], words[1]
			switch {
			case c.asked:
			case c.live.unstable(id):
				c.t.Fatalf("%s expires at @%d, though an open transaction commits it", id, b.BaseOffset())
			case strings.HasPrefix(id, "g ") && g != nil && g.State != classic.Empty && c.live.reads("g", topic):
				c.t.Fatalf("%s expires at @%d, though the group is %s", id, b.BaseOffset(), g.State)
			}
		}
		c.live.batch(b)
	}
	c.asked = false
}

func (c *crowd) check() {
	c.expires()
	if len(c.w.early) > 0 {
		c.t.Fatalf("answered too early: %s", strings.Join(c.w.early, "\n"))
	}
	if r := fold(c.w.log.batches).regressed; r != "" {
		c.t.Fatal(r)
	}
	c.w.lines = nil
}

// calm lets everything come to its end: no request may be left.
func (c *crowd) calm() {
	c.w.log.refuse = kerr.None
	c.w.commit(c.w.log.end)
	for range 100 {
		c.w.advance(10000)
		c.w.commit(c.w.log.end)
	}
	c.check()
	if len(c.w.open) > 0 {
		c.t.Fatalf("never answered: %v", sortedKeys(c.w.open))
	}
}

func TestOffsetsOfACrowdExpireOnlyWhereNobodyNeedsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		c.w.cfg.OffsetsRetentionMS, c.w.cfg.RetentionCheckIntervalMS = 15_000, 1000
		c.w.reload(t)
		t.Repeat(c.actions())
		c.calm()
	})
}

func TestACrowdOfClientsAndAFaultyLogKeepThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		t.Repeat(c.actions())
		c.calm()
		c.w.reload(t)
	})
}
