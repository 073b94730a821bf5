package broker

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/network"
)

// Connections of the controller listener are shard 0's. The first frame of one says what it is: one of raft's streams, or requests as Kafka
// has them, among which questions of the founding exchange may stand.

// parsePrivate reads the header of a request under one of our own keys, which is that of Kafka's request header v1.
func parsePrivate(frame []byte) (h wire.Header, body []byte, ok bool) {
	r := wire.Reader{B: frame}
	h.Key, h.Version, h.Corr = r.Int16(), r.Int16(), r.Int32()
	h.ClientID, h.HasClientID = r.NullableString(false)
	return h, r.B, r.OK()
}

// innerFrame takes a frame of a connection of the controller listener that is none of Kafka's requests; false: it is one.
func (s *Shard) innerFrame(c *conn, f *network.Frame) bool {
	if len(f.Bytes) < 2 {
		return false
	}
	switch int16(binary.BigEndian.Uint16(f.Bytes)) {
	case link.KeyStream:
		if c.n > 0 || len(c.queue) > 0 || !s.member.streams.hello(c.id, f.Bytes) {
			s.shut(c)
		}
		return true
	case link.KeyFounding:
		if c.n > 0 || len(c.queue) > 0 || !s.member.founding.serve(c.id, f.Bytes) {
			s.shut(c)
		}
		return true
	}
	if s.member.state == nil || s.control.store == nil { // who asks comes again
		s.shut(c)
		return true
	}
	return false
}

// dialled takes a connection that this shard asked for, or the end of its dial.
func (s *Shard) dialled(info *network.Info) {
	m := s.member
	switch {
	case s.peers.Opened(info) || s.txns.opened(info):
	case m != nil && (m.foundingPeers.Opened(info) || m.streams.opened(info) || m.watch.dialled(info) || m.leaderWatch.dialled(info)):
	}
}

// dialEnded takes the end of a connection that this shard dialled, or of a dial; false: it is not one of ours.
func (s *Shard) dialEnded(info *network.Info) bool {
	m := s.member
	return s.peers.Closed(info) || s.txns.closed(info) ||
		m != nil && (m.foundingPeers.Closed(info) || info.Conn == 0 && (m.watch.dialled(info) || m.leaderWatch.dialled(info)))
}

// dialFrame takes a frame of a connection that this shard dialled, or of one of raft's streams.
func (s *Shard) dialFrame(f *network.Frame) bool {
	m := s.member
	return s.peers.Frame(f) || s.txns.frame(f) || m != nil && (m.streams.frame(f) || m.foundingPeers.Frame(f))
}
