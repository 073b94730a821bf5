package client

import (
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
)

// Net is what the simulator gives to one client: its clocks, its connections and its timers. A client is a pure state machine:
// it keeps no other source of time or chance, and calls Net only from within a call of Client.
type Net interface {
	// Now is the client's monotonic time, Wall what it stamps records with.
	Now() clock.Time
	Wall() clock.Wall
	// Dial asks for a connection to a node, 0 <= node < nodes. It is answered by Opened or Closed with the same number,
	// and a number is not given out twice. The connection may be Sent to only between the two.
	Dial(node int) uint64
	// Send queues one frame, its four length bytes not included; frame is copied. A Send on a closed connection is dropped.
	Send(conn uint64, frame []byte)
	// Close drops the connection; no call with it follows.
	Close(conn uint64)
	// At asks for Timer(tag) at t, or at once if t has passed. It cannot be cancelled: tags say what is still wanted.
	At(t clock.Time, tag uint64)
	// Rand is this client's own stream.
	Rand() *prng.Source
}

// Client is one simulated client. The simulator calls it from the main loop, one call at a time.
type Client interface {
	Start(n Net)
	Opened(conn uint64)
	// Frame delivers one frame without its length; b may be kept, nobody writes to it again.
	Frame(conn uint64, b []byte)
	Closed(conn uint64)
	Timer(tag uint64)
}

// Healer is a client that wants to know that the safety phase has ended: no fault is injected from now on, and what it still
// owes (reading to the end, settling its requests) is to be done in bounded time.
type Healer interface {
	Healed()
}

// Settler is a client that says whether it has done all that it wanted: the liveness phase ends once every Settler is done.
type Settler interface {
	Done() bool
	// Waiting names what is still missing, for the failure report.
	Waiting() string
}
