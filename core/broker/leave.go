package broker

import (
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// stopping is how a node of a cluster ends: what it leads goes to others first.
//
//	Stop ─▶ heartbeats want a shutdown ─ the controller has moved what the broker led, or leaveTime ─▶ raft's leadership is given away
//	─ done, or transferTime ─▶ every shard drains (stop.go)
type stopping struct {
	begun, transferring, over bool
	timer                     timer.Timer
	m                         *member
}

// Bounds of the two waits.
const (
	leaveTime    = 10 * clock.Second
	transferTime = 2 * clock.Second
)

// stop begins the end, on shard 0.
func (m *member) stop() {
	x := &m.stopping
	if x.begun {
		return
	}
	x.begun, x.m = true, m
	x.timer.Owner = x
	if m.s.phase == booting || m.lease.epoch < 0 || !m.s.static.ControlledShutdown {
		m.leave()
		return
	}
	m.lease.leaving = true
	m.s.env.After(&x.timer, leaveTime)
	if !m.lease.busy {
		m.lease.act()
	}
}

// TimerFired is the heap's call: a wait took too long.
func (x *stopping) TimerFired(*timer.Timer) {
	if x.transferring {
		x.m.transferred()
		return
	}
	x.m.s.env.Warnf("no controller has taken over what this broker leads; it stops all the same")
	x.m.leave()
}

// leave gives raft's leadership away once this broker leads no partition.
func (m *member) leave() {
	x := &m.stopping
	if x.transferring || x.over {
		return
	}
	x.transferring = true
	if !m.leads() {
		m.transferred()
		return
	}
	m.s.env.After(&x.timer, transferTime)
	m.s.toLane(step.Mail{Kind: link.MailTransfer})
}

// transferred lets the shards drain.
func (m *member) transferred() {
	x := &m.stopping
	if x.over || !x.begun {
		return
	}
	x.over = true
	m.s.env.Timers.Cancel(&x.timer)
	image := m.s.control.slowest()
	m.s.broadcast(step.Mail{Kind: mailDrain, A: image})
	m.s.beginDrain(image >= 0)
}
