package broker

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/metadata/link"
)

// introduction is what nodes tell each other of themselves in the founding exchange (link.KeyFounding), in both directions.
//
//	version:1 | node:4 | directory:16 | flags:1 | cluster | address | leader | refusal | naming | count:1 | founding list, each a string of length:2
type introduction struct {
	node      int32
	directory [16]byte
	hasState  bool   // of the quorum
	hasImage  bool   // it was a sole broker, whose metadata the quorum is to begin with
	join      bool   // a question: make me a member of the quorum
	cluster   string // "": not known yet
	address   string // where the node's controller listener is reached
	leader    string // an answer: where the quorum's leader is, as far as this node knows
	refusal   string // an answer: why not
	naming    string // an answer of the leader of a cluster without a name: the one that it gives it
	list      []string
}

const introductionVersion = 0

const (
	flagState = 1 << iota
	flagImage
	flagJoin
)

// AppendTo is peer.Body.
func (x *introduction) AppendTo(dst []byte) []byte {
	dst = append(dst, introductionVersion)
	dst = binary.BigEndian.AppendUint32(dst, uint32(x.node))
	dst = append(dst, x.directory[:]...)
	flags := byte(0)
	for i, f := range [...]bool{x.hasState, x.hasImage, x.join} {
		if f {
			flags |= 1 << i
		}
	}
	dst = append(dst, flags)
	for _, s := range [...]string{x.cluster, x.address, x.leader, x.refusal, x.naming} {
		dst = appendText(dst, s)
	}
	dst = append(dst, byte(len(x.list)))
	for _, s := range x.list {
		dst = appendText(dst, s)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	s = s[:min(len(s), 1<<15)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func takeText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}

// parseIntroduction reads what AppendTo wrote; false for anything else. A later version may append.
func parseIntroduction(b []byte) (x introduction, ok bool) {
	if len(b) < 22 {
		return x, false
	}
	x.node = int32(binary.BigEndian.Uint32(b[1:]))
	x.directory = [16]byte(b[5:21])
	flags := b[21]
	x.hasState, x.hasImage, x.join = flags&flagState != 0, flags&flagImage != 0, flags&flagJoin != 0
	b = b[22:]
	for _, s := range [...]*string{&x.cluster, &x.address, &x.leader, &x.refusal, &x.naming} {
		if *s, b, ok = takeText(b); !ok {
			return introduction{}, false
		}
	}
	if len(b) == 0 {
		return introduction{}, false
	}
	n := int(b[0])
	b = b[1:]
	for range n {
		var s string
		if s, b, ok = takeText(b); !ok {
			return introduction{}, false
		}
		x.list = append(x.list, s)
	}
	return x, true
}

// id is the raft id of who introduced itself.
func (x *introduction) id() string { return link.RaftID(x.node, x.directory) }
