package broker

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// A stop has two parts, since a shard's logs serve the requests of all shards:
//
//	each shard: draining ─ its own requests are answered, or late ─▶ drained ─ told to shard 0
//	shard 0, once all are: close to all ─▶ closing ─ logs synced and closed ─▶ checkpoints, marker ─▶ stopped

// drainTime is how long requests in flight may take to be answered after a Stop.
const drainTime = 5 * clock.Second

// drainTick is how often a draining shard looks.
const drainTick = 10 * clock.Millisecond

// groupTime is how long of it groups are served: a member that waits for others to join is not waited for.
const groupTime = 500 * clock.Millisecond

// stop is SIGTERM. A node of a cluster hands over first what it leads (leave.go).
func (s *Shard) stop() {
	switch {
	case s.phase >= draining:
	case s.member != nil:
		s.member.stop()
	case !s.static.Clustered:
		s.beginDrain(false)
	default: // shard 0 says when
	}
}

// beginDrain begins the drain: long polls are answered at once, nothing new is taken in. opened: every log of the node is, though it may
// not serve yet.
func (s *Shard) beginDrain(opened bool) {
	if s.phase >= draining {
		return
	}
	if s.phase == booting && !opened {
		// Nothing was accepted and nothing acknowledged. No marker is made: if logs were being recovered, the next start does it again.
		s.phase = stopped
		s.state.Closed = true
		s.env.Out.Stopped = true
		if s.env.Shard != 0 {
			s.toZero(step.Mail{Kind: mailDrained})
			s.toZero(step.Mail{Kind: mailClosed, A: 1})
		}
		return
	}
	s.phase = draining
	s.drainBy = s.env.Now.Mono.Add(drainTime)
	for _, c := range s.conns {
		if c == nil || c.inner {
			continue
		}
		c.busy = true
		for r := c.head; r != nil; r = r.Next {
			if !r.IsDone() {
				s.state.Abandon(r)
			}
		}
		c.busy = false
		s.flushConn(c)
	}
	s.drain()
}

// drain looks whether everything is answered; then this shard needs the others' logs no more.
func (s *Shard) drain() {
	if s.phase != draining && s.phase != drained {
		return
	}
	left := s.drainBy.Sub(s.env.Now.Mono)
	if left <= drainTime-groupTime {
		s.unloadCoordinators() // also for the members whose connections are other shards'
	} else {
		s.env.After(&s.timers[timerDrain], drainTick)
	}
	if s.phase == drained {
		return
	}
	if (s.inFlight() > 0 || s.state.Pending() > 0) && left > 0 {
		s.env.After(&s.timers[timerDrain], drainTick)
		return
	}
	s.phase = drained
	for _, c := range s.conns {
		if c != nil && !c.inner {
			s.shut(c)
		}
	}
	s.toZero(step.Mail{Kind: mailDrained})
}

func (s *Shard) unloadCoordinators() {
	for _, p := range s.state.Parts {
		s.unloadCoordinator(p, kerr.NotCoordinator)
	}
}

// othersDrained counts, on shard 0, who needs no log any more.
func (s *Shard) othersDrained() {
	s.dir.drained++
	if s.dir.drained == s.shards {
		s.broadcast(step.Mail{Kind: mailClose})
		s.close()
	}
}

// close closes this shard's logs. Requests that come all the same are refused.
func (s *Shard) close() {
	if s.phase >= closing {
		return
	}
	s.phase = closing
	s.state.Closed = true
	s.unloadCoordinators()
	parts := slices.Clone(s.state.Parts)
	for _, p := range parts {
		s.unfetch(p)
		p.Close(kerr.NotLeaderForPartition)
	}
	c := &ending{parts: parts}
	for range min(len(parts), maxClosing) {
		c.tasks++
		task.Go(s.env, func(t *task.Task) { s.closeLogs(t, c) })
	}
	if c.tasks == 0 {
		s.closedLogs(0)
	}
}

// maxClosing is how many logs of a shard are closed at a time: each waits for some five syncs in turn, and a thousand partitions one after the other took
// longer than a supervisor waits before it kills.
const maxClosing = 64

// ending is the closing of a shard's logs, shared by its tasks.
type ending struct {
	parts  []*replica.Partition // that no task has taken
	tasks  int                  // that have not ended
	failed int64
}

// closeLogs syncs and closes logs until none is left.
func (s *Shard) closeLogs(t *task.Task, c *ending) {
	for len(c.parts) > 0 {
		p := c.parts[0]
		c.parts = c.parts[1:]
		if p.Log == nil || p.Offline() || s.state.Partition(p.TopicID, p.Number) != p {
			continue
		}
		if err := p.Log.Close(t, true); err != disk.OK && !t.Stopped() {
			s.env.Errorf("cannot close %s: %v; it is recovered at the next start", p.Log.Dir(), err)
			c.failed++
		}
		if t.Stopped() {
			return
		}
	}
	if c.tasks--; c.tasks == 0 {
		s.closedLogs(c.failed)
	}
}

// closedLogs tells shard 0 that this shard has closed its logs, and how many of them not well.
func (s *Shard) closedLogs(failed int64) {
	s.gatherPoints(false)
	s.toZero(step.Mail{Kind: mailClosed, A: failed})
	if s.env.Shard != 0 {
		s.phase = stopped
		s.env.Out.Stopped = true
	}
}

// maybeFinish ends the node once every shard has closed its logs.
func (s *Shard) maybeFinish() {
	if s.dir.closed < s.shards || s.dir.writing || s.phase != closing {
		return
	}
	s.dir.writing = true
	task.Go(s.env, func(t *task.Task) {
		err := s.writeCheckpoints(t)
		if !t.Stopped() && err == nil && s.dir.unclosed == 0 {
			s.markClean(t)
		}
		if t.Stopped() {
			return
		}
		s.control.close(t)
		for i := range s.dir.each {
			if f := s.dir.each[i].lock; f != 0 {
				t.Disk(disk.Request{Kind: disk.Close, File: f})
			}
			if t.Stopped() {
				return
			}
		}
		s.phase = stopped
		s.env.Out.Stopped = true
	})
}
