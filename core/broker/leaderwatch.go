package broker

import (
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// leaderWatch is what watch is for brokers, for the quorum's leader, while this node follows it: a stream of the leader's that ends may be a
// process that was killed. Its controller listener is dialled, and if its machine refuses, nobody is there any more: the quorum's actor need not wait
// for raft's time-out, which is long enough for a process that the machine does not let run.
//
//	a stream ends ─▶ dial ─taken─▶ again after leaderProbeEach, leaderProbes times at most
//	                   └─refused─▶ MailGone
type leaderWatch struct {
	m     *member
	id    string // raft's name of the leader that is dialled, "" none
	left  int    // probes
	probe disk.Token
	timer timer.Timer
}

const (
	leaderProbeEach = 50 * clock.Millisecond
	leaderProbes    = 10
)

func (w *leaderWatch) begin(m *member) { w.m, w.timer.Owner = m, w }

// lost looks after the leader if a stream with it ended.
func (w *leaderWatch) lost(peer string) {
	m := w.m
	if peer == "" || m.leads() || peer != m.remote.lead.ID || m.stopping.begun {
		return
	}
	idle := w.id == ""
	w.id, w.left = peer, leaderProbes
	if idle {
		w.dial()
	}
}

func (w *leaderWatch) dial() {
	m := w.m
	if w.left--; w.left < 0 || m.leads() || w.id != m.remote.lead.ID || m.remote.lead.Address == "" {
		w.id = ""
		return
	}
	w.probe = m.s.env.DialToken()
	m.s.env.Out.Dial = append(m.s.env.Out.Dial, network.Dial{Token: w.probe, Addr: m.remote.lead.Address})
}

// TimerFired is the heap's call.
func (w *leaderWatch) TimerFired(*timer.Timer) { w.dial() }

// dialled takes the end of a probe, if it is one.
func (w *leaderWatch) dialled(info *network.Info) bool {
	if w.id == "" || info.Token != w.probe {
		return false
	}
	m := w.m
	switch {
	case info.Conn != 0:
		m.s.env.Out.Close = append(m.s.env.Out.Close, info.Conn)
		m.s.env.After(&w.timer, leaderProbeEach)
		return true
	case info.Refused && w.id == m.remote.lead.ID:
		m.s.toLane(step.Mail{Kind: link.MailGone, Body: w.id})
	}
	w.id = ""
	return true
}
