// Package network is what the core may ask of connections.
//
// Frames arrive whole, without their four length bytes. Sends on one connection leave in the order of the effects.
// A connection whose unsent bytes pass the driver's limit is not read until they fall; the core adds Hold and Resume,
// by which it takes no further frame while an earlier request must be answered first.
package network

import (
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/disk"
)

// Conn names a connection of one shard: slot in the low half, generation in the high half, so that a number is not met again.
// 0 is no connection.
type Conn uint64

// MaxFrame is the largest frame that a driver takes, in bytes: socket.request.max.bytes, 100 MiB. A length below 1 or above it closes
// the connection without an answer, as Apache Kafka does.
const MaxFrame = 100 << 20

// Frame is one request or response, without its length. Bytes alias Lease, which the receiver retains if it keeps them.
type Frame struct {
	Conn  Conn
	Bytes []byte
	Lease *buf.Lease
}

// Send is bytes [A, B) of the effects' arena followed by an extent (Len 0: none). A response with several extents is several Sends.
// Token, if not 0, is answered by SendDone when the last byte has left or the connection is gone; only then is the extent unpinned.
type Send struct {
	Conn  Conn
	A, B  int32
	Ext   disk.Extent
	Token disk.Token
}

// Info tells of a connection that opened.
type Info struct {
	Conn     Conn
	Listener string // name of the listener that accepted it
	Peer     string // "host:port" of the other end
	Dialled  bool   // opened by a Dial of ours
	Token    disk.Token
	Refused  bool // of a Dial that failed: the other machine answered that nobody listens there
}

// Dial asks for a connection to a peer. It is answered by ConnOpened or ConnClosed with the same Token.
type Dial struct {
	Token disk.Token
	Addr  string // "host:port"
}
