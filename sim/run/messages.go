package run

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/report"
	"github.com/seedlog/seedlog/sim/simnet"
)

const (
	keptMessages = 4096 // the last ones of a run
	keptHead     = 384  // bytes of a frame: enough for the name of its first topic
	frameHead    = 8    // of a request: API key, version, correlation id. An answer begins with its correlation id
)

// messages follows the frames of all connections, and keeps the last ones. Connections are byte streams: what is sent is told apart by the
// lengths in it, and is taken in the same order.
type messages struct {
	now    func() clock.Time
	nodes  int
	halves map[int64]*halfSeen // by number
	ring   []*message
	next   int
	sent   int64
	roles  []report.Role // of clients, in the order of their ends
}

// halfSeen is what one end of a connection sends.
type halfSeen struct {
	left  int64               // bytes of the last frame that are still to come
	under []*message          // sent and not taken
	asked map[uint32]*message // by correlation id: requests that this end sent and that are not answered
	raft  bool                // a stream of raft's bytes
	lost  bool                // the lengths make no sense any more
}

type message struct {
	report.Message
	key  int16
	head []byte
	to   *message // of an answer: the request
}

// raftKey is the API key that messages within a stream of raft's are filed under.
const raftKey = link.KeyStream

func (m *messages) half(n int64) *halfSeen {
	if m.halves == nil {
		m.halves = map[int64]*halfSeen{}
	}
	h := m.halves[n]
	if h == nil {
		h = &halfSeen{}
		m.halves[n] = h
	}
	return h
}

// place numbers an endpoint: nodes from 1, clients from -1 downwards by their numbers in the history; 0 is none of them.
func (m *messages) place(e simnet.End) int {
	switch i := int(e) - m.nodes; {
	case i < 0:
		return int(e) + 1
	case i < len(m.roles):
		return -1 - m.roles[i].ID
	}
	return 0
}

// Frame implements cluster.Observer.
func (m *messages) Frame(h *simnet.Half, frame []byte) {
	m.begin(h, m.half(h.Num()), frame, int64(len(frame)))
}

// Sent implements cluster.Observer.
func (m *messages) Sent(h *simnet.Half, b []byte, more int64) {
	x := m.half(h.Num())
	for !x.lost {
		n := min(x.left, int64(len(b)))
		x.left, b = x.left-n, b[n:]
		if len(b) == 0 {
			break
		}
		if len(b) < 4 {
			x.lost = true
			return
		}
		size := int64(binary.BigEndian.Uint32(b))
		b = b[4:]
		x.left = size
		m.begin(h, x, b[:min(size, int64(len(b)))], size)
	}
	x.left -= min(x.left, more)
}

// begin takes in a frame of which head is there.
func (m *messages) begin(h *simnet.Half, x *halfSeen, head []byte, size int64) {
	g := &message{Message: report.Message{Sent: int64(m.now()), Taken: -1, From: m.place(h.Owner()), To: m.place(h.Peer()), Size: size}, key: -1}
	other := m.half(h.PeerNum())
	switch {
	case x.raft || other.raft:
		g.key, g.What, g.Quiet = raftKey, "raft", true
	case len(head) < 4:
		g.What = "a frame"
	case h.Dial:
		m.request(x, g, head)
	default:
		m.answer(other, g, head)
	}
	g.head = append(g.head, head[:min(len(head), keptHead)]...)
	x.under = append(x.under, g)
	m.keep(g)
}

func (m *messages) request(x *halfSeen, g *message, head []byte) {
	if len(head) < frameHead {
		g.What = "a torn request"
		return
	}
	g.key = int16(binary.BigEndian.Uint16(head))
	version, id := binary.BigEndian.Uint16(head[2:]), binary.BigEndian.Uint32(head[4:])
	if g.key == raftKey {
		x.raft = true
		g.What, g.Quiet = "raft connects", true
		return
	}
	if x.asked == nil {
		x.asked = map[uint32]*message{}
	}
	x.asked[id] = g
	g.What = fmt.Sprintf("%s v%d", apiName(g.key), version)
	g.Quiet, g.Idle = background(g), polling(g)
}

func (m *messages) answer(asker *halfSeen, g *message, head []byte) {
	id := binary.BigEndian.Uint32(head)
	asked := asker.asked[id]
	if asked == nil {
		g.What = "an answer"
		return
	}
	delete(asker.asked, id)
	g.to, g.key, g.What = asked, asked.key, "answer to "+apiName(asked.key)
	g.Quiet, g.Idle = background(g), polling(g)
}

// apiName names an API, as Kafka does where it is Kafka's.
func apiName(key int16) string {
	if key == link.KeyFounding {
		return "Founding"
	}
	return kmsg.NameForKey(key)
}

// ofGroups are the APIs by which members of a group meet: they name topics, and say nothing of what stands in them.
func ofGroups(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.LeaveGroup:
		return true
	}
	return false
}

// background says whether a message is one of those that go on all the time whatever happens.
func background(g *message) bool {
	switch kmsg.Key(g.key) {
	case kmsg.BrokerHeartbeat, kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat, kmsg.ApiVersions, kmsg.Metadata, kmsg.FindCoordinator:
		return true
	}
	return false
}

// polling says whether it is a fetch that goes on all the time: a replica's, or one that brings nothing.
func polling(g *message) bool {
	return kmsg.Key(g.key) == kmsg.Fetch && (g.From > 0 && g.To > 0 || g.Size < emptyFetch)
}

// emptyFetch is the size below which a Fetch, or its answer, brings nothing: a batch alone has 61 bytes.
const emptyFetch = 110

func (m *messages) keep(g *message) {
	m.sent++
	if len(m.ring) < keptMessages {
		m.ring = append(m.ring, g)
		return
	}
	m.ring[m.next] = g
	m.next = (m.next + 1) % keptMessages
}

// Taken implements cluster.Observer. Frames of a repeated request (F:N4) nobody was seen to send.
func (m *messages) Taken(h *simnet.Half, _ []byte) {
	x := m.half(h.PeerNum())
	if len(x.under) == 0 {
		return
	}
	x.under[0].Taken = int64(m.now())
	x.under[0] = nil
	x.under = x.under[1:]
}

// last gives what was kept, oldest first.
func (m *messages) last() []*message {
	return append(append([]*message(nil), m.ring[m.next:]...), m.ring[:m.next]...)
}
