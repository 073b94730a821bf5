package broker

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// drainTime is how long requests in flight may take to be answered after a Stop.
const drainTime = 5 * clock.Second

// stop begins the drain: long polls are answered at once, nothing new is taken in.
func (s *Shard) stop() {
	if s.phase >= draining {
		return
	}
	if s.phase == booting {
		// Nothing was accepted and nothing acknowledged. No marker: the next start recovers again.
		s.phase = stopped
		s.env.Out.Stopped = true
		return
	}
	s.phase = draining
	s.drainBy = s.env.Now.Mono.Add(drainTime)
	for _, c := range s.conns {
		if c == nil {
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

// drain looks whether everything is answered; then the logs are closed.
func (s *Shard) drain() {
	if s.phase != draining {
		return
	}
	if (s.inFlight() > 0 || s.state.Pending() > 0) && s.env.Now.Mono < s.drainBy {
		s.env.After(&s.timers[timerDrain], clock.MS(10))
		return
	}
	s.phase = closing
	for _, c := range s.conns {
		if c != nil {
			s.shut(c)
		}
	}
	for _, p := range s.state.Parts {
		s.unloadGroup(p, kerr.NotCoordinator)
		p.Close(kerr.NotLeaderForPartition)
	}
	task.Go(s.env, s.closeLogs)
}

// closeLogs syncs and closes every log of this shard.
func (s *Shard) closeLogs(t *task.Task) {
	failed := int64(0)
	for _, p := range s.state.Parts {
		if p.Log == nil || p.Offline() {
			continue
		}
		if err := p.Log.Close(t, true); err != disk.OK && !t.Stopped() {
			s.env.Errorf("cannot close %s: %v; it is recovered at the next start", p.Log.Dir(), err)
			failed++
		}
		if t.Stopped() {
			return
		}
	}
	s.gatherPoints(false)
	s.toZero(step.Mail{Kind: mailClosed, A: failed})
	if s.env.Shard != 0 {
		s.phase = stopped
		s.env.Out.Stopped = true
	}
}

// maybeFinish ends the node once every shard has closed its logs.
func (s *Shard) maybeFinish() {
	if s.dir.closed < s.shards || s.dir.writing {
		return
	}
	s.dir.writing = true
	task.Go(s.env, func(t *task.Task) {
		err := s.writeCheckpoints(t)
		if !t.Stopped() && err == nil && s.dir.unclosed == 0 && !s.state.Offline {
			s.markClean(t)
		}
		if t.Stopped() {
			return
		}
		s.control.close(t)
		t.Disk(disk.Request{Kind: disk.Close, File: s.dir.lock})
		if t.Stopped() {
			return
		}
		s.phase = stopped
		s.env.Out.Stopped = true
	})
}
