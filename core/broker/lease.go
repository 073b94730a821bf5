package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// lease is this broker's standing with the controller (KIP-631): one registration a process, heartbeats after it.
//
//	waiting ─ a controller is known, and the cluster's name ─▶ registering ─ ok ─▶ registered, fenced ─ caught up with the registration ─▶ unfenced
//	   ▲                                                          │ refused for now, or no answer: again after a while
//	   └──────────────────────────────────────────────────────────┘
//	unfenced ─ no heartbeat got through in time, or the controller says so ─▶ fenced ─ heartbeats ─▶ unfenced
//	any ─ stop ─▶ wants to shut down: heartbeats until the controller has moved what this broker led
type lease struct {
	m           *member
	incarnation [16]byte
	previous    int64  // the epoch that the clean marker of the last run names, -1 none
	epoch       int64  // -1: not registered
	busy        bool   // a request is under way
	asked       int    // requests; the answer of any but the newest is too late
	controller  string // who was asked last: its id in the quorum
	fenced      bool   // as the controller said last
	leaving     bool
	left        bool                // it may shut down
	synced      int64               // the newest broker epoch that the directory has synced in an earlier life, -1 none
	recorded    bool                // the directory has this life's epoch
	truncated   bool                // a log has lost what was synced
	ends        []controller.LogEnd // of partitions that nobody leads, as far as this broker knows
	doubt       clock.Time          // the newest that a shard has told, 0 none: doubt.go
	urgent      bool                // there are new ones
	since       clock.Time
	heard       clock.Time // when the controller answered last
	told        bool       // that there is no controller to register with
	alone       bool       // it was told that there is none any more
	timer       timer.Timer
}

// Time between attempts to register, and between heartbeats until the broker is unfenced or while it leaves.
const leaseEach = 100 * clock.Millisecond

// aloneTime is how long a broker that stops waits for a controller when there is none: with the last nodes of a cluster nobody is left to
// take over.
const aloneTime = 2 * clock.Second

func (l *lease) begin(m *member, previous, synced int64) {
	l.m, l.previous, l.synced, l.epoch, l.fenced = m, previous, synced, -1, true
	m.s.env.Rand.Fill(l.incarnation[:])
	l.since = m.s.env.Now.Mono
	l.timer.Owner = l
	l.TimerFired(nil)
}

// TimerFired is the heap's call: the next request is due.
func (l *lease) TimerFired(*timer.Timer) { l.act() }

// act sends what is to be sent now.
func (l *lease) act() {
	m := l.m
	if l.busy || m == nil || m.s.phase >= closing {
		return
	}
	l.again(leaseEach)
	l.settlesAlone()
	switch {
	case !m.controllerKnown():
		if l.leaving && m.s.env.Now.Mono.Sub(l.heard) > aloneTime {
			m.leave()
			return
		}
		l.complain()
	case l.epoch < 0:
		l.register()
	default:
		l.heartbeat()
	}
}

// again sets when act is called next.
func (l *lease) again(d clock.Duration) { l.m.s.env.After(&l.timer, d) }

// lostTime is how long a registered broker is without a controller before it says so: an election takes less.
const lostTime = 3 * clock.Second

// complain says once that nobody takes the registration, or the heartbeats.
func (l *lease) complain() {
	s := l.m.s
	if l.epoch >= 0 && !l.alone && s.env.Now.Mono.Sub(l.heard) > lostTime+clock.MS(int64(s.node.BrokerHeartbeatIntervalMS)) {
		l.alone = true
		sometimes.Hit("broker: a broker has no controller for long")
		s.env.Warnf("there is no controller: a majority of controller.quorum.bootstrap.servers is not reached; this broker serves what it leads, and nothing else can change")
	}
	if l.epoch < 0 && !l.told && s.env.Now.Mono.Sub(l.since) > clock.MS(int64(s.static.InitialRegistrationTimeoutMS)) {
		l.told = true
		s.env.Warnf("there is no controller yet; start a majority of controller.quorum.bootstrap.servers")
	}
}

func (l *lease) register() {
	m := l.m
	req := m.s.registration()
	req.IncarnationID, req.PreviousBrokerEpoch, req.ClusterID = l.incarnation, l.previous, m.clusterID()
	if req.ClusterID == "" {
		req.ClusterID = m.founding.naming
	}
	if req.ClusterID == "" && m.leads() {
		req.ClusterID = m.candidate
	}
	if req.ClusterID == "" {
		return // somebody else names the cluster, and the next image tells how
	}
	if l.synced >= 0 {
		controller.SetSyncedEpoch(req, l.synced)
	}
	l.ask(req, 4, func(resp kmsg.Response) {
		r, _ := resp.(*kmsg.BrokerRegistrationResponse)
		if r == nil {
			l.again(leaseEach)
			return
		}
		l.registered(req.ClusterID, r)
	})
}

// ask has the controller decide one request at a time.
func (l *lease) ask(req kmsg.Request, version int16, done func(kmsg.Response)) {
	l.asked++
	n := l.asked
	l.busy, l.controller = true, l.m.remote.lead.ID
	l.m.toController(req, version, func(resp kmsg.Response) {
		if n == l.asked {
			l.busy = false
			done(resp)
		}
	})
}

// leaderChanged asks the new controller at once. What the one before it was asked may never be answered: its machine may be gone.
func (l *lease) leaderChanged() {
	if l.busy && l.m.controllerKnown() && l.controller != l.m.remote.lead.ID {
		sometimes.Hit("broker: another controller is asked while the last owes an answer")
		l.asked++
		l.busy = false
	}
	l.act()
}

// registered takes the answer to a registration with a name of the cluster.
func (l *lease) registered(name string, r *kmsg.BrokerRegistrationResponse) {
	m := l.m
	l.heard = m.s.env.Now.Mono
	switch c := kerr.Code(r.ErrorCode); c {
	case kerr.None:
		l.epoch = r.BrokerEpoch
		l.record()
		m.follow() // the image with it may have come first
		l.again(0)
	case kerr.DuplicateBrokerRegistration: // our last process's, or another's: its session must end first
		if !l.told {
			l.told = true
			m.s.env.Warnf("node.id=%d is registered by another process; waiting for its session to end", m.s.static.NodeID)
		}
		l.again(leaseEach)
	case kerr.InconsistentClusterID:
		if m.dir.ClusterID != name { // it was proposed, and the cluster was given another one meanwhile
			m.founding.naming = ""
			l.again(leaseEach)
			return
		}
		m.s.fatal(1, fmt.Sprintf("%s belongs to cluster %s, and the controller is of another; choose another directory with --data, or correct controller.quorum.bootstrap.servers", m.s.static.LogDir, m.clusterID()))
	case kerr.NotController, kerr.RequestTimedOut, kerr.ThrottlingQuotaExceeded, kerr.KafkaStorageError:
		l.again(leaseEach)
	default:
		m.s.env.Warnf("the controller does not register this broker: %v", c)
		l.again(clock.Second)
	}
}

// record notes the epoch in the directory before the broker may be unfenced under it.
func (l *lease) record() {
	s := l.m.s
	task.Go(s.env, func(t *task.Task) {
		for i := range s.state.Dirs {
			if s.state.Dirs[i].Offline {
				continue
			}
			err := s.writeSynced(t, s.state.Dirs[i].Path, l.epoch)
			if t.Stopped() {
				return
			}
			if err != nil {
				s.directoryFailed(i, err.Error())
			}
		}
		l.recorded = true
	})
}

func (l *lease) heartbeat() {
	m := l.m
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = m.s.static.NodeID, l.epoch, m.s.control.slowest()
	req.WantShutdown = l.leaving
	if !l.recorded {
		req.CurrentMetadataOffset = -1 // not ready to take part
	}
	if l.truncated && l.fenced {
		controller.SetTruncated(req)
	}
	controller.SetLogEnds(req, l.logEnds())
	req.OfflineLogDirs = m.s.directoryIDs(true)
	doubt := l.asks()
	l.ask(req, 1, func(resp kmsg.Response) {
		r, _ := resp.(*kmsg.BrokerHeartbeatResponse)
		if r != nil && r.ErrorCode == 0 && !r.IsFenced {
			l.settles(indexOf(r), doubt)
		}
		l.beat(r)
	})
}

// beat takes the answer to a heartbeat, nil: there was none.
func (l *lease) beat(r *kmsg.BrokerHeartbeatResponse) {
	m := l.m
	switch {
	case r == nil || kerr.Code(r.ErrorCode) == kerr.NotController || kerr.Code(r.ErrorCode) == kerr.RequestTimedOut:
		l.again(leaseEach)
		return
	case r.ErrorCode != 0:
		if !l.told {
			l.told = true
			m.s.env.Errorf("the controller refuses this broker's heartbeats: %v; start it again", kerr.Code(r.ErrorCode))
		}
		l.again(clock.Second)
		return
	}
	l.told, l.heard = false, m.s.env.Now.Mono
	if l.alone {
		l.alone = false
		m.s.env.Infof("there is a controller again")
	}
	l.fenced, l.left = r.IsFenced, r.ShouldShutdown
	if l.left && l.leaving {
		m.leave()
		return
	}
	if l.fenced || l.leaving || l.urgent || l.doubt > 0 || m.s.phase == booting {
		l.again(leaseEach)
		return
	}
	l.again(clock.MS(int64(m.s.node.BrokerHeartbeatIntervalMS)))
}
