package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// founding is how a quorum begins, and how a node comes to an old one. No node ever founds a cluster alone if its list names others.
//
//	asking ─ all of the list answered, none has state ─▶ the one founder: Start with Bootstrap; the others: Start
//	   └──── one answered that has state ──────────────▶ Start
//	started ─ not a member, or at another address, as far as the log says ─▶ asks the leader to be added as non-voter, again and again
//	started ─ member, and no leader is heard ─▶ the same: it may have been removed while it was away, and nobody tells it
//	own state ─▶ started; the list is asked all the same, so that a directory of another cluster is noticed
//
// The founder is the node with the lowest node.id, or the one that brings the metadata of a sole broker.
type founding struct {
	m       *member
	answers []*introduction // by place in the list; nil: none yet
	asking  []bool
	started bool // MailStart was sent
	founded bool // with Bootstrap
	turn    int
	leader  string // who was named as leader last
	naming  string // how the leader names the cluster, as it said last
	timer   timer.Timer
}

// askEach is how often who has not answered is asked, joinEach how often a node that is no member asks to become one.
const (
	askEach  = 100 * clock.Millisecond
	joinEach = 500 * clock.Millisecond
	askTime  = clock.Second
)

func (f *founding) begin(m *member) {
	f.m = m
	n := len(m.s.static.QuorumServers)
	f.answers, f.asking = make([]*introduction, n), make([]bool, n)
	f.timer.Owner = f
	if m.state.HasState {
		f.start(nil)
	}
	f.TimerFired(nil)
}

// TimerFired is the heap's call: who has not answered is asked, and a node that is not a member, or may be none any more, asks to be one.
func (f *founding) TimerFired(*timer.Timer) {
	s := f.m.s
	missing := false
	for i, addr := range s.static.QuorumServers {
		if f.answers[i] == nil {
			missing = true
			f.ask(i, addr)
		}
	}
	switch {
	case !f.started:
		s.env.After(&f.timer, askEach)
	case !f.m.isMember() || !f.m.controllerKnown() || f.m.clusterID() == "" && !f.m.leads():
		f.join()
		s.env.After(&f.timer, joinEach)
	case missing:
		s.env.After(&f.timer, clock.Second)
	default:
		s.env.After(&f.timer, 5*clock.Second)
	}
}

// self is this node's own introduction.
func (f *founding) self() *introduction {
	m := f.m
	list := slices.Clone(m.s.static.QuorumServers)
	slices.Sort(list)
	naming := ""
	if m.leads() && m.clusterID() == "" {
		naming = m.candidate
	}
	return &introduction{
		naming: naming,
		node:   m.s.static.NodeID, directory: m.dir.ID, hasState: f.hasState(), hasImage: m.brings != nil,
		cluster: m.clusterID(), address: m.address(), leader: m.remote.lead.Address, list: list,
	}
}

// hasState says whether a quorum has begun, as far as this node has a part in it. One that only waits to be told has none: the founder may
// not have heard from all yet. One that was sent the first entry has, though it may not know that it is committed: a founder whose disk
// is replaced that moment must not found another quorum.
func (f *founding) hasState() bool {
	lead := &f.m.remote.lead
	return f.m.state.HasState || f.founded || lead.Begun || len(lead.Members) > 0
}

func (f *founding) ask(i int, addr string) {
	if f.asking[i] {
		return
	}
	f.asking[i] = true
	f.call(addr, f.self(), func(x *introduction) {
		f.asking[i] = false
		if x != nil {
			f.answered(i, x)
		}
	})
}

// call asks one node; done gets its answer, or nil.
func (f *founding) call(addr string, q *introduction, done func(x *introduction)) {
	f.m.foundingPeers.Get(addr).Call(peer.Call{Key: link.KeyFounding, Body: q, Timeout: askTime, Waiter: introduced(done)})
}

// introduced is peer.Waiter.
type introduced func(x *introduction)

// Answered is peer.Waiter.
func (w introduced) Answered(body []byte, _ *buf.Lease, ok bool, _ peer.Reason) {
	if x, good := parseIntroduction(body); ok && good {
		w(&x)
		return
	}
	w(nil)
}

func (f *founding) answered(i int, x *introduction) {
	m := f.m
	f.answers[i] = x
	if mine := m.clusterID(); x.cluster != "" && mine != "" && x.cluster != mine {
		m.s.fatal(1, fmt.Sprintf("%s belongs to cluster %s, and %s to cluster %s; choose another directory with --data, or correct controller.quorum.bootstrap.servers",
			m.s.static.LogDir, mine, m.s.static.QuorumServers[i], x.cluster))
		return
	}
	f.heard(x)
	if f.started {
		return
	}
	if x.hasState {
		f.start(nil)
		return
	}
	if text := f.disagreement(); text != "" {
		m.s.fatal(1, text)
		return
	}
	if !slices.Contains(f.answers, nil) {
		f.decide()
	}
}

// disagreement says what keeps the listed nodes from founding a cluster together; "" nothing.
func (f *founding) disagreement() string {
	servers := f.m.s.static.QuorumServers
	mine := f.self()
	brings := ""
	for i, x := range f.answers {
		if x == nil {
			continue
		}
		if !slices.Equal(x.list, mine.list) {
			return fmt.Sprintf("%s has the founding list %s and this node has %s; set the same controller.quorum.bootstrap.servers on every node",
				servers[i], strings.Join(x.list, ","), strings.Join(mine.list, ","))
		}
		for j, y := range f.answers[:i] {
			if y != nil && (x.node == y.node || x.directory == y.directory) {
				return fmt.Sprintf("%s and %s both are node.id=%d; give each node a node.id of its own, and each address of controller.quorum.bootstrap.servers to another node", servers[j], servers[i], x.node)
			}
		}
		if x.node == mine.node && x.directory != mine.directory {
			return fmt.Sprintf("node.id=%d is the one of %s; give this node another node.id", mine.node, servers[i])
		}
		if x.hasImage && brings != "" {
			return fmt.Sprintf("%s and %s both have the topics of a broker that was alone; begin with one of them and give the other an empty directory with --data", brings, servers[i])
		}
		if x.hasImage {
			brings = servers[i]
		}
	}
	if mine.hasImage && brings == "" && !slices.Contains(f.answers, nil) {
		return f.m.s.static.LogDir + " has the topics of a broker that was alone, and this node is not in controller.quorum.bootstrap.servers; found the cluster with it, or choose an empty directory with --data"
	}
	return ""
}

// decide begins the quorum once all have answered that they have no state.
func (f *founding) decide() {
	founder := f.answers[0]
	for _, x := range f.answers[1:] {
		if x.hasImage == founder.hasImage && x.node < founder.node || x.hasImage && !founder.hasImage {
			founder = x
		}
	}
	if founder.directory != f.m.dir.ID {
		f.start(nil)
		return
	}
	var members []link.Member
	for i, x := range f.answers {
		members = append(members, link.Member{ID: x.id(), Address: f.m.s.static.QuorumServers[i], Voter: true})
	}
	f.start(members)
}

func (f *founding) start(members []link.Member) {
	m := f.m
	f.started = true
	st := &link.Start{ID: m.id, Address: m.address(), Bootstrap: members, Sole: len(m.s.static.QuorumServers) == 1}
	if members != nil {
		f.founded = true
		st.Snapshot = m.brings
		m.s.env.Infof("founds a cluster of %d controllers: %s", len(members), strings.Join(m.s.static.QuorumServers, ","))
	}
	m.s.toLane(step.Mail{Kind: link.MailStart, Body: st})
}

// join asks to be made a member: the leader, if one was named, else the list in turn.
func (f *founding) join() {
	servers := f.m.s.static.QuorumServers
	addr := f.m.remote.lead.Address
	if addr == "" {
		addr = f.leader
	}
	if addr == "" || addr == f.m.address() {
		addr = servers[f.turn%len(servers)]
		f.turn++
	}
	q := f.self()
	q.join = true
	f.leader = ""
	f.call(addr, q, func(x *introduction) {
		if x == nil {
			return
		}
		f.heard(x)
		if x.refusal != "" {
			f.m.s.env.Warnf("%s does not let this node into the quorum: %s", addr, x.refusal)
		}
	})
}

// heard notes what a peer knows of the quorum.
func (f *founding) heard(x *introduction) {
	if x.leader != "" {
		f.leader = x.leader
	}
	if x.naming != "" {
		f.naming = x.naming
	}
}

// serve answers a peer's question; false: the connection is to be closed.
func (f *founding) serve(id network.Conn, frame []byte) bool {
	if f.m == nil { // our own state is not known yet
		return false
	}
	h, body, ok := parsePrivate(frame)
	if !ok {
		return false
	}
	q, ok := parseIntroduction(body)
	if !ok {
		return false
	}
	x := f.self()
	if q.join {
		x.refusal = f.m.admit(&q)
	}
	e := f.m.s.env
	dst, start := wire.StartFrame(e.Out.Arena)
	dst = wire.AppendInt32(dst, h.Corr)
	dst = wire.FinishFrame(x.AppendTo(dst), start, 0)
	e.Out.Arena = dst
	e.Out.Send = append(e.Out.Send, network.Send{Conn: id, A: int32(start), B: int32(len(dst))})
	return true
}

// admit makes a node a non-voter of the quorum that this node leads, or notes its new address. It gives why not, at most.
func (m *member) admit(q *introduction) string {
	if !m.leads() {
		return ""
	}
	if mine := m.clusterID(); q.cluster != "" && mine != "" && q.cluster != mine {
		return "it belongs to cluster " + q.cluster + ", and this is cluster " + mine + ": " + kerr.InconsistentClusterID.String()
	}
	id := q.id()
	for _, x := range m.remote.lead.Members {
		if x.ID == id && x.Address == q.address {
			return ""
		}
	}
	m.change(&link.Change{Kind: link.AddNonvoter, Member: link.Member{ID: id, Address: q.address}}, func(why string) {
		if why != "" {
			m.s.env.Warnf("cannot add node %d at %s to the quorum: %s", q.node, q.address, why)
		}
	})
	return ""
}

// isMember says whether the quorum's configuration, as this node has it, has this node at its address.
func (m *member) isMember() bool {
	for _, x := range m.remote.lead.Members {
		if x.ID == m.id {
			return x.Address == m.address()
		}
	}
	return false
}
