package link

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// KeyStream and KeyFounding are the private API keys by which controllers speak to each other on the CONTROLLER listener. Frames begin as
// Kafka requests do, so that one parser serves: key, version 0, correlation id, client id. A stream's first frame is a Hello; every later
// frame, both ways, is raft's bytes.
const (
	KeyStream   int16 = 32001
	KeyFounding int16 = 32002
)

// Hello opens a stream. Who gets it closes the connection unless Want is its own id and Cluster is its own, or one of the two has none yet:
// a node whose disk was wiped has a new id and must not answer for its former self (KIP-853).
type Hello struct {
	Want    string
	From    string
	Address string // where From is reached
	Cluster string // "" before the first image
}

// RaftID names a voter for good: its node id and the id of its metadata directory.
func RaftID(node int32, directory [16]byte) string {
	return strconv.Itoa(int(node)) + "-" + base64.RawURLEncoding.EncodeToString(directory[:])
}

// NodeOf gives the node id and directory id of a raft id.
func NodeOf(id string) (node int32, directory [16]byte, ok bool) {
	n, d, found := strings.Cut(id, "-")
	v, err := strconv.ParseInt(n, 10, 32)
	b, err2 := base64.RawURLEncoding.DecodeString(d)
	if !found || err != nil || err2 != nil || len(b) != 16 {
		return 0, directory, false
	}
	copy(directory[:], b)
	return int32(v), directory, true
}

// AppendHello appends the body of a Hello: four strings with lengths of two bytes.
func AppendHello(dst []byte, h Hello) []byte {
	for _, s := range [...]string{h.Want, h.From, h.Address, h.Cluster} {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// ParseHello reads what AppendHello wrote; false for anything else.
func ParseHello(b []byte) (h Hello, ok bool) {
	for _, s := range [...]*string{&h.Want, &h.From, &h.Address, &h.Cluster} {
		if len(b) < 2 {
			return Hello{}, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return Hello{}, false
		}
		*s, b = string(b[2:2+n]), b[2+n:]
	}
	return h, len(b) == 0
}
