package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	groupMembers    = 100
	groupPartitions = 1000
	groupBeat       = 200 * time.Millisecond // how often each member sends a heartbeat
	groupQuiet      = 1200 * time.Millisecond
	groupWait       = 60 * time.Second
	groupRounds     = 5               // at scale 1
	groupSpan       = 5 * time.Second // of commits, at scale 1
)

// groups has one hundred members share a thousand partitions of a topic. One more joins, and leaves again: the time runs until every member has been told
// its part of an even assignment. Members are connections that speak the protocol and fetch nothing. They send heartbeats every 200 ms, whatever the
// broker would have them wait, so up to twice that is theirs; of a consumer group up to a second more is group.consumer.assignment.interval.ms
// where changes follow closely, which is why each waits until that has passed. Afterwards all commit the offsets of their partitions, one request after
// another.
func groups(consumer bool) func(context.Context, *system, float64) (*sample, error) {
	return func(ctx context.Context, s *system, scale float64) (_ *sample, err error) {
		topic, err := s.newTopic(ctx, groupPartitions)
		if err != nil {
			return nil, err
		}
		if _, err := s.leaders(ctx, topic, groupPartitions); err != nil {
			return nil, err
		}
		g := &group{s: s, topic: topic, name: "group-of-" + topic, consumer: consumer, parts: map[*member]part{}, changed: make(chan struct{}, 1), commit: make(chan struct{})}
		if err := g.found(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, g.disband()) }()
		x := &sample{more: map[string]float64{}}
		if err := g.changes(ctx, x, max(1, int(groupRounds*scale))); err != nil {
			return nil, err
		}
		if err := g.commits(ctx, x, scaled(groupSpan, scale)); err != nil {
			return nil, err
		}
		return x, s.dropTopic(ctx, topic)
	}
}

// group is what its members know of each other's parts.
type group struct {
	s           *system
	topic, name string
	consumer    bool // the protocol of KIP-848, else the classic one
	mu          sync.Mutex
	parts       map[*member]part
	err         error         // the first one
	changed     chan struct{} // has something if parts or err may have changed
	commit      chan struct{} // closed when all are to commit,
	until       time.Time     // until then
	members     []*member     // those that were not told to quit
}

// part is what a member was told last.
type part struct {
	epoch int32 // or generation; -1: none yet
	n     int   // partitions
}

// tell notes a member's part.
func (g *group) tell(m *member, p part) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts[m] = p
	g.wake()
}

// forget takes a member out that leaves.
func (g *group) forget(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.parts, m)
	g.wake()
}

func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	g.wake()
}

func (g *group) wake() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// even says whether n members have all partitions among them, in one epoch, and as evenly as can be.
func (g *group) even(n int) (bool, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	epochs, sum, most, least := map[int32]int{}, 0, 0, groupPartitions
	for _, p := range g.parts {
		epochs[p.epoch]++
		sum, most, least = sum+p.n, max(most, p.n), min(least, p.n)
	}
	ok := len(g.parts) == n && len(epochs) == 1 && epochs[-1] == 0 && sum == groupPartitions && most-least <= 1
	return ok, fmt.Sprintf("%d of %d members, by epoch %v, with %d of %d partitions, each %d to %d", len(g.parts), n, epochs, sum, groupPartitions, least, most), g.err
}

// settle waits until that is so.
func (g *group) settle(ctx context.Context, n int) error {
	late := time.After(groupWait)
	for {
		ok, text, err := g.even(n)
		if ok || err != nil {
			return err
		}
		select {
		case <-g.changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), text)
		case <-late:
			return fmt.Errorf("the group has not settled within %v: %s", groupWait, text)
		}
	}
}

// add has one more member join.
func (g *group) add(ctx context.Context) error {
	c, err := dial(ctx, g.s, 4<<10)
	if err != nil {
		return err
	}
	m := &member{group: g, c: c, stop: make(chan struct{}), ended: make(chan struct{}), epoch: -1, report: true}
	g.tell(m, part{epoch: -1})
	g.members = append(g.members, m)
	go m.run()
	return nil
}

// remove has the last member leave.
func (g *group) remove() {
	m := g.members[len(g.members)-1]
	g.members = g.members[:len(g.members)-1]
	m.quit()
}

// found begins the group, and waits until it is settled.
func (g *group) found(ctx context.Context) error {
	c, err := dial(ctx, g.s, 4<<10)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := coordinated(ctx, c, g.name); err != nil {
		return err
	}
	for range groupMembers {
		if err := g.add(ctx); err != nil {
			return errors.Join(err, g.disband())
		}
	}
	if err := g.settle(ctx, groupMembers); err != nil {
		return errors.Join(fmt.Errorf("founding the group: %w", err), g.disband())
	}
	return nil
}

// disband ends every member.
func (g *group) disband() error {
	members := g.members
	g.members = nil
	_ = each(members, func(m *member) error { m.quit(); return nil })
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// changes has members come and go.
func (g *group) changes(ctx context.Context, x *sample, rounds int) error {
	var took [2][]time.Duration
	cpu := 0.0
	for range rounds {
		for i, change := range []func() error{func() error { return g.add(ctx) }, func() error { g.remove(); return nil }} {
			if err := pause(ctx, groupQuiet); err != nil {
				return err
			}
			m, err := startMeter(g.s)
			if err != nil {
				return err
			}
			if err := change(); err != nil {
				return err
			}
			if err := g.settle(ctx, groupMembers+1-i); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(m.began))
			var one sample
			if err := m.finish(&one); err != nil {
				return err
			}
			cpu += one.cpu
		}
	}
	for i, name := range []string{"join", "leave"} {
		one := &sample{times: took[i]}
		x.more[name+"_ms"], x.more[name+"_worst_ms"] = one.sorted(.5), one.sorted(1)
	}
	x.more["change_cpu_ms"] = cpu * 1000 / float64(2*rounds) // with the heartbeats that came meanwhile
	return nil
}

// commits has all members commit for a while, and ends them.
func (g *group) commits(ctx context.Context, x *sample, span time.Duration) error {
	m, err := startMeter(g.s)
	if err != nil {
		return err
	}
	g.until = time.Now().Add(span)
	close(g.commit)
	if err := pause(ctx, span); err != nil {
		return err
	}
	if err := m.finish(x); err != nil {
		return err
	}
	members := g.members
	if err := g.disband(); err != nil {
		return err
	}
	for _, o := range members {
		x.times = append(x.times, o.times...)
	}
	x.requests = float64(len(x.times))
	x.records = x.requests
	x.more["commits_per_cpu_s"] = x.requests / max(x.cpu, tick)
	return nil
}
