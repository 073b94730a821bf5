package broker

import (
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// watch is the controller's eye on the connections by which brokers beat. One that ends may be a process that was killed, or a network that
// lost a connection: where it is a member of the quorum is dialled, and only if its machine refuses, nobody is there any more, and the controller
// fences it at once rather than after broker.session.timeout.ms (design.md, Metadata). A process that ends closes its listeners and its
// connections one after another, so a dial may still be taken by one that is dead: it is repeated until the broker beats again.
type watch struct {
	m        *member
	beats    map[network.Conn]int32 // the broker that beats there; lookups only
	probes   map[disk.Token]int32   // dials under way; lookups only
	suspects []suspect              // brokers that have not beaten since their connection ended, by id
	timer    timer.Timer
	term     int64 // that this node leads in; 0: none
}

type suspect struct {
	id   int32
	left int // probes
}

// A broker beats again within two seconds, if it lives; until then it is dialled each probeEach.
const (
	probeEach = 100 * clock.Millisecond
	probeMost = 30
)

func (w *watch) begin(m *member) {
	w.m, w.beats, w.probes = m, map[network.Conn]int32{}, map[disk.Token]int32{}
	w.timer.Owner = w
}

// heard notes who asks on a connection.
func (w *watch) heard(req kmsg.Request, conn network.Conn) {
	switch q := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		w.beat(conn, q.BrokerID)
	case *kmsg.BrokerHeartbeatRequest:
		w.beat(conn, q.BrokerID)
	}
}

func (w *watch) beat(conn network.Conn, id int32) {
	w.beats[conn] = id
	if i, ok := w.find(id); ok {
		w.suspects = slices.Delete(w.suspects, i, i+1)
	}
}

func (w *watch) find(id int32) (int, bool) {
	return slices.BinarySearchFunc(w.suspects, id, func(x suspect, id int32) int { return int(x.id) - int(id) })
}

// lost looks after a broker whose connection ended.
func (w *watch) lost(conn network.Conn) {
	id, ok := w.beats[conn]
	if !ok {
		return
	}
	delete(w.beats, conn)
	if w.m.leads() && !w.m.stopping.begun {
		w.m.s.control.machine.PeerReset(id)
		w.suspect(id)
	}
}

// suspect dials a broker until it beats again, or is found dead.
func (w *watch) suspect(id int32) {
	i, known := w.find(id)
	if !known {
		w.suspects = slices.Insert(w.suspects, i, suspect{id: id})
	}
	w.suspects[i].left = probeMost
	w.probe(id)
	if !w.timer.IsSet() {
		w.m.s.env.After(&w.timer, probeEach)
	}
}

// TimerFired is the heap's call: who is still suspected is dialled again.
func (w *watch) TimerFired(*timer.Timer) {
	kept := w.suspects[:0]
	for _, x := range w.suspects {
		if x.left--; x.left > 0 && w.m.leads() {
			kept = append(kept, x)
			w.probe(x.id)
		}
	}
	if w.suspects = kept; len(kept) > 0 {
		w.m.s.env.After(&w.timer, probeEach)
	}
}

// probe dials a broker that is not fenced, at the address where it is a member of the quorum: that listener is open until its process ends.
func (w *watch) probe(id int32) {
	m := w.m
	b := m.s.control.store.Image().Broker(id)
	if b == nil || b.Fenced || id == m.s.static.NodeID {
		return
	}
	if addr := memberAddress(m.remote.lead.Members, b); addr != "" {
		t := m.s.env.DialToken()
		w.probes[t] = id
		m.s.env.Out.Dial = append(m.s.env.Out.Dial, network.Dial{Token: t, Addr: addr})
	}
}

// memberAddress is where a broker's process is a member of the quorum; "" if that is not known. A wiped node, or an impostor, leaves members of the
// same node.id behind where nobody listens, and their silence says nothing of this one: the directory that registered tells them apart.
func memberAddress(members []link.Member, b *metadata.Broker) (addr string) {
	n := 0
	for _, x := range members {
		id, dir, ok := link.NodeOf(x.ID)
		if !ok || id != b.ID {
			continue
		}
		if slices.Contains(b.LogDirs, dir) {
			return x.Address
		}
		addr = x.Address
		n++
	}
	if n != 1 || len(b.LogDirs) > 0 {
		return ""
	}
	return addr // its only directory is offline
}

// dialled takes the end of a probe, if it is one.
func (w *watch) dialled(info *network.Info) bool {
	id, ok := w.probes[info.Token]
	if !ok {
		return false
	}
	delete(w.probes, info.Token)
	m := w.m
	switch {
	case info.Conn != 0: // its machine takes connections; whether it lives, its next beat tells
		m.s.env.Out.Close = append(m.s.env.Out.Close, info.Conn)
	case info.Refused && m.leads():
		m.s.env.Infof("broker %d is gone: its machine refuses connections", id)
		m.s.control.machine.PeerRefused(id)
		if i, ok := w.find(id); ok {
			w.suspects = slices.Delete(w.suspects, i, i+1)
		}
	}
	return true
}

// leaderChanged begins a new term. What an earlier one knew is forgotten, and each broker is looked after once: whoever led before may have
// been one of them, and its end is why there is a new controller.
func (w *watch) leaderChanged() {
	m := w.m
	if !m.leads() {
		clear(w.beats)
		w.term = 0
		return
	}
	if w.term == m.remote.Term() {
		return
	}
	w.term = m.remote.Term()
	for _, b := range m.s.control.store.Image().Brokers() {
		if b.ID != m.s.static.NodeID && !b.Fenced {
			w.suspect(b.ID)
		}
	}
}

// hostPort joins an address as a driver takes it.
func hostPort(host string, port int32) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}
