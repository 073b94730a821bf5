package broker

import (
	"net/netip"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// watch is the controller's eye on the connections by which brokers beat. One that ends may be a process that was killed, or a network that
// lost a connection: the broker's own listener is dialled, and only if its machine refuses, nobody is there any more, and the controller
// fences it at once rather than after broker.session.timeout.ms (design.md, Metadata).
type watch struct {
	m      *member
	beats  map[network.Conn]int32 // the broker that beats there; lookups only
	probes map[disk.Token]int32   // dials under way; lookups only
}

type dialToken = disk.Token

func (w *watch) begin(m *member) {
	w.m, w.beats, w.probes = m, map[network.Conn]int32{}, map[disk.Token]int32{}
}

// heard notes who asks on a connection.
func (w *watch) heard(req kmsg.Request, conn network.Conn) {
	switch q := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		w.beats[conn] = q.BrokerID
	case *kmsg.BrokerHeartbeatRequest:
		w.beats[conn] = q.BrokerID
	}
}

// lost looks after a broker whose connection ended.
func (w *watch) lost(conn network.Conn) {
	id, ok := w.beats[conn]
	if !ok {
		return
	}
	delete(w.beats, conn)
	m := w.m
	if !m.leads() || m.stopping.begun {
		return
	}
	m.s.control.machine.PeerReset(id)
	b := m.s.control.store.Image().Broker(id)
	if b == nil || b.Fenced || len(b.Listeners) == 0 {
		return
	}
	t := m.s.env.DialToken()
	w.probes[t] = id
	m.s.env.Out.Dial = append(m.s.env.Out.Dial, network.Dial{Token: t, Addr: hostPort(b.Listeners[0].Host, b.Listeners[0].Port)})
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
	case info.Conn != 0:
		m.s.env.Out.Close = append(m.s.env.Out.Close, info.Conn)
	case info.Refused && m.leads():
		m.s.env.Infof("broker %d is gone: its machine refuses connections", id)
		m.s.control.machine.PeerRefused(id)
	}
	return true
}

// leaderChanged forgets what an earlier term knew; brokers beat anew at the new controller.
func (w *watch) leaderChanged() {
	if !w.m.leads() {
		clear(w.beats)
	}
}

// hostPort joins an address as a driver takes it.
func hostPort(host string, port int32) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}
