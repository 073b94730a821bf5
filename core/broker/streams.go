package broker

import (
	"bytes"
	"encoding/binary"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// streams carries raft's bytes between the quorum's actor and the connections of the controller listener.
//
//	dialled:  MailDial ─▶ Dial ─ConnOpened─▶ Hello is sent, MailOpened       accepted: first frame is a Hello to us ─▶ MailOpened
//	open:     MailSend ─▶ Send ─SendDone─▶ MailSent        FrameArrived ─▶ MailBytes (a copy: leases do not leave their shard)
//	slow:     MailHold ─▶ Hold, until MailResume ─▶ Resume: raft reads slower than the peer sends
//	end:      MailClose ─▶ Close        ConnClosed ─▶ MailClosed
type streams struct {
	m       *member
	dials   map[disk.Token]pendingStream // by the token of the Dial; lookups only
	open    map[network.Conn]streamPeer  // lookups only
	reached map[string]int               // by peer: how many streams it was heard on; lookups only
}

// streamPeer is who is at the other end: its name in the quorum.
type streamPeer struct {
	name  string
	heard bool
}

type pendingStream struct {
	token disk.Token // the actor's
	hello link.Hello
}

// streamHead is what precedes a Hello: a request header of version 1 with an empty client id.
func streamHead(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(link.KeyStream))
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // version, correlation id, client id
}

const streamHeadSize = 10

func (x *streams) dial(token disk.Token, d *link.Dial) {
	e := x.m.s.env
	t := e.DialToken()
	x.dials[t] = pendingStream{token, d.Hello}
	e.Out.Dial = append(e.Out.Dial, network.Dial{Token: t, Addr: d.Address})
}

// opened takes a connection that the actor asked for; false: it is another's.
func (x *streams) opened(info *network.Info) bool {
	p, ok := x.dials[info.Token]
	if !ok {
		return false
	}
	delete(x.dials, info.Token)
	x.open[info.Conn] = streamPeer{name: p.hello.Want}
	x.transmit(info.Conn, link.AppendHello(streamHead(nil), p.hello), 0)
	x.m.s.toLane(step.Mail{Kind: link.MailOpened, Body: &link.Opened{Conn: info.Conn, Token: p.token}})
	return true
}

// closed takes the end of a stream, or of the dial of one; false: it is another's.
func (x *streams) closed(info *network.Info) bool {
	if info.Conn == 0 {
		p, ok := x.dials[info.Token]
		if ok {
			delete(x.dials, info.Token)
			x.m.s.toLane(step.Mail{Kind: link.MailNoStream, Token: p.token})
		}
		return ok
	}
	peer, ok := x.open[info.Conn]
	if !ok {
		return false
	}
	delete(x.open, info.Conn)
	if peer.heard {
		if x.reached[peer.name]--; x.reached[peer.name] == 0 {
			delete(x.reached, peer.name)
		}
	}
	x.m.s.toLane(step.Mail{Kind: link.MailClosed, A: int64(info.Conn)})
	x.m.leaderWatch.lost(peer.name)
	return true
}

// has says whether a connection is a stream that is open.
func (x *streams) has(c network.Conn) bool {
	_, ok := x.open[c]
	return ok
}

// heard notes that a stream's peer is who it is said to be: another closes the stream without a word.
func (x *streams) heard(c network.Conn) {
	p := x.open[c]
	if !p.heard {
		p.heard = true
		x.open[c] = p
		x.reached[p.name]++
	}
}

// reach says whether a peer's process is there.
func (x *streams) reach(peer string) bool { return x.reached[peer] > 0 }

// hello takes the first frame of a connection that a peer dialled; false: the connection is to be closed.
func (x *streams) hello(id network.Conn, frame []byte) bool {
	m := x.m
	if len(frame) < streamHeadSize {
		return false
	}
	h, ok := link.ParseHello(frame[streamHeadSize:])
	if !ok || m.state == nil || h.Want != m.id {
		return false
	}
	if mine := m.clusterID(); h.Cluster != "" && mine != "" && h.Cluster != mine {
		m.warnForeign(h.From, h.Cluster)
		return false
	}
	x.open[id] = streamPeer{name: h.From}
	x.heard(id)
	m.s.toLane(step.Mail{Kind: link.MailOpened, Body: &link.Opened{Conn: id, From: h.From, Address: h.Address}})
	return true
}

// frame takes a frame of a stream; false: the connection is none.
func (x *streams) frame(f *network.Frame) bool {
	if !x.has(f.Conn) {
		return false
	}
	x.heard(f.Conn)
	x.m.s.toLane(step.Mail{Kind: link.MailBytes, A: int64(f.Conn), Body: bytes.Clone(f.Bytes)})
	return true
}

func (x *streams) send(id int64, b []byte) {
	if x.has(network.Conn(id)) {
		x.transmit(network.Conn(id), b, int64(len(b)))
	}
}

// transmit sends one frame. The actor is told when n bytes of its own have left.
func (x *streams) transmit(id network.Conn, b []byte, n int64) {
	e := x.m.s.env
	dst, start := wire.StartFrame(e.Out.Arena)
	dst = wire.FinishFrame(append(dst, b...), start, 0)
	e.Out.Arena = dst
	s := network.Send{Conn: id, A: int32(start), B: int32(len(dst))}
	if n > 0 {
		s.Token = e.SendToken(env.Op{Send: x, A: int64(id), B: n})
	}
	e.Out.Send = append(e.Out.Send, s)
}

// SendDone is env.SendOwner.
func (x *streams) SendDone(op env.Op) {
	assert.That(op.B > 0, "broker: a stream's send of nothing")
	if x.has(network.Conn(op.A)) {
		x.m.s.toLane(step.Mail{Kind: link.MailSent, A: op.A, B: op.B})
	}
}

// close ends a stream at the actor's wish; its ConnClosed follows.
func (x *streams) close(id int64) {
	if x.has(network.Conn(id)) {
		x.m.s.env.Out.Close = append(x.m.s.env.Out.Close, network.Conn(id))
	}
}

// hold has no further frame of a stream taken, or with on false has them taken again.
func (x *streams) hold(id int64, on bool) {
	e := x.m.s.env
	switch c := network.Conn(id); {
	case !x.has(c):
	case on:
		e.Out.Hold = append(e.Out.Hold, c)
	default:
		e.Out.Resume = append(e.Out.Resume, c)
	}
}
