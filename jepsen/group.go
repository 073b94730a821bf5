package jepsen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// groupWorkload has groups of each protocol read one topic, all of it each. Members come, leave and die. What they own, commit and are told is
// read along on their connections.
type groupWorkload struct{ ids map[[16]byte]string }

const (
	groupTopic     = "feed"
	groupParts     = 4
	groupProducers = 2
	groupSlots     = 2
	sessionBound   = 6 * time.Second
)

// groupKinds are the groups: their members, and how those agree on who owns what.
var groupKinds = []struct {
	name    string
	members int
	opts    []kgo.Opt
}{
	{"eager", 3, []kgo.Opt{kgo.Balancers(kgo.RangeBalancer())}},
	{"cooperative", 2, []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}},
	{"next", 3, []kgo.Opt{kgo.ServerSideBalancer()}},
}

func (g *groupWorkload) topics() map[string]int { return map[string]int{groupTopic: groupParts} }

func (g *groupWorkload) must() []string {
	return []string{"M1", "M3", "double-owner", "commit-regression", "group:unread", "lost-write", "phantom-value"}
}

func (g *groupWorkload) begin(w *world) (err error) {
	for range groupProducers {
		if err := newProducer(w, groupTopic, groupParts, groupSlots, 40*time.Millisecond); err != nil {
			return err
		}
	}
	if g.ids, err = w.topicIDs(groupTopic); err != nil {
		return err
	}
	for kind := range groupKinds {
		for range groupKinds[kind].members {
			m := g.member(w, kind, "member")
			rnd := w.random(m.id, 0)
			w.loop(rnd, 20*time.Millisecond, func(ctx context.Context) { m.turn(ctx, rnd) })
			w.atEnd(m.leave)
		}
	}
	return nil
}

// finish has one more member of each group read to the end, and then somebody who is in none.
func (g *groupWorkload) finish(ctx context.Context, w *world) error {
	ends, err := w.endsOf(ctx, groupTopic, groupParts)
	if err != nil {
		return err
	}
	for kind := range groupKinds {
		m := g.member(w, kind, "last member")
		err := m.toEnds(ctx, ends)
		if m.leave(); err != nil {
			return err
		}
	}
	return w.readAll(ctx, groupTopic, ends)
}

// topicIDs gives the names of topics by their ids.
func (w *world) topicIDs(topics ...string) (map[[16]byte]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.c.cfg.patience())
	defer cancel()
	cl, err := w.c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ids := map[[16]byte]string{}
	for _, t := range topics {
		for {
			id, err := topicID(ctx, cl, t)
			if err == nil {
				ids[id] = t
				break
			}
			if pause(ctx, 100*time.Millisecond) != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

// member is one of a group, in as many lives as it has.
type member struct {
	w       *world
	id      int
	kind    int
	seen    *membership
	wire    *wire
	cl      *kgo.Client
	commits int64
}

func (g *groupWorkload) member(w *world, kind int, role string) *member {
	name := groupKinds[kind].name
	m := &member{w: w, id: w.client(role + " of " + name), kind: kind}
	m.seen = w.newMembership(m.id, name, g.ids)
	return m
}

// open joins.
func (m *member) open() (err error) {
	m.wire = newWire(m.w.c.dialer(), m.seen.hearers(true))
	k := groupKinds[m.kind]
	m.cl, err = m.w.c.client(append([]kgo.Opt{kgo.Dialer(m.wire.Dial), kgo.ConsumerGroup(k.name), kgo.ConsumeTopics(groupTopic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxWait(200 * time.Millisecond), kgo.SessionTimeout(sessionBound), kgo.HeartbeatInterval(sessionBound / 12), kgo.RebalanceTimeout(sessionBound)}, k.opts...)...)
	return err
}

// leave goes in good order, if there is anybody to tell.
func (m *member) leave() {
	if m.cl == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestBound)
	defer cancel()
	_ = m.cl.LeaveGroupContext(ctx)
	m.die()
}

// die ends all at once.
func (m *member) die() {
	if m.cl != nil {
		m.wire.Cut()
		m.cl.CloseAllowingRebalance()
		m.cl = nil
	}
}

// turn is a poll and the commit of what it brought; then it may be time to go.
func (m *member) turn(ctx context.Context, rnd *rand.Rand) {
	if m.cl == nil && m.open() != nil {
		return
	}
	m.poll(ctx)
	if n := rnd.IntN(400); n < 2 {
		m.leave()
	} else if n < 4 {
		m.die()
	} else if n < 370 {
		_ = m.commit(ctx) // what was refused is in the history
	}
	if m.cl != nil {
		m.cl.AllowRebalance()
	}
}

func (m *member) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	process := history.ProcessOf(m.id, 0)
	m.w.rec.Event(process, history.Invoke, "poll", "")
	m.w.rec.Event(process, history.OK, "poll", "", m.w.polled(m.id, m.cl.PollFetches(ctx))...)
}

// polled gives what a poll of a group's member brought.
func (w *world) polled(client int, fs kgo.Fetches) (ops []history.Op) {
	fs.EachPartition(func(p kgo.FetchTopicPartition) {
		key := history.Key(p.Topic, p.Partition)
		w.failed(client, key, p.Err)
		if len(p.Records) == 0 {
			return
		}
		op := history.Op{Kind: history.Poll, Key: key, PID: -1, Offset: history.NoOffset, From: p.Records[0].Offset, HW: p.HighWatermark, Start: p.LogStartOffset, Batches: 1}
		op.Records = w.values(client, key, p.Records)
		ops = append(ops, op)
	})
	return ops
}

// commit commits what was polled. Each commit has metadata of its own, so that who is told of it tells which it was.
func (m *member) commit(ctx context.Context) error {
	m.commits++
	meta := fmt.Sprintf("c%d.%d", m.id, m.commits)
	ctx, cancel := context.WithTimeout(ctx, requestBound)
	defer cancel()
	return m.cl.CommitUncommittedOffsets(kgo.PreCommitFnContext(ctx, func(q *kmsg.OffsetCommitRequest) error {
		for i := range q.Topics {
			for j := range q.Topics[i].Partitions {
				q.Topics[i].Partitions[j].Metadata = &meta
			}
		}
		return nil
	}))
}

// toEnds reads until the group has committed all there is.
func (m *member) toEnds(ctx context.Context, ends []int64) error {
	if err := m.open(); err != nil {
		return err
	}
	var err error
	for {
		behind := ""
		for p, end := range ends {
			if at := m.cl.CommittedOffsets()[groupTopic][int32(p)].Offset; at < end {
				behind = fmt.Sprintf("partition %d to %d of %d", p, at, end)
			}
		}
		if behind == "" {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("the last member of %s came in %s", groupKinds[m.kind].name, behind), err)
		}
		m.poll(ctx)
		err = m.commit(ctx)
		m.cl.AllowRebalance()
	}
}
