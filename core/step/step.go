// Package step holds the one door of the core: Event in, Effects out.
//
// A driver (realnet with realdisk, or the simulator) calls Step once for each event, then once with a Flush event when it has no
// more input at hand, and executes the gathered Effects. What belongs together leaves together that way: one write a file, one
// send a connection. Nothing in the core can tell which driver it has.
package step

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// Kind says which fields of an Event are set.
type Kind uint8

// The kinds of event.
const (
	Start        Kind = iota + 1 // once, first
	Tick                         // the deadline passed
	FrameArrived                 // Frame
	ConnOpened                   // Conn
	ConnClosed                   // Conn.Conn, or Conn.Token of a Dial that failed
	DiskDone                     // Disk
	SendDone                     // Sent
	MailArrived                  // Mail
	Flush                        // the driver is about to execute the effects
	Stop                         // drain, then leave Stopped
)

// Event is one input. Step gets a pointer to one that the driver reuses, and keeps nothing of it but what it retains.
type Event struct {
	Kind  Kind
	Frame network.Frame
	Conn  network.Info
	Disk  disk.Completion
	Sent  disk.Token
	Mail  Mail
}

// Outside is the shard number of whoever is not a shard: the driver itself, asking for figures or answering.
const Outside = -1

// Mail goes from shard to shard of one node, FIFO for each pair. It is never refused: each item belongs to an admitted request or
// is coalescing state. The flat fields serve the hot calls without allocation; Body carries the rest, and is never changed once sent.
type Mail struct {
	Kind  uint8 // the receiver's own enumeration (broker package)
	Code  int16 // a kerr.Code
	From  int32
	To    int32
	Slot  int32
	Token disk.Token // of the sender's call; comes back in the answer
	A     int64
	B     int64
	C     int64
	Ext   disk.Extent
	Bytes []byte // aliases a lease that the sender holds until the answer
	Body  any
}

// Level of a LogLine.
type Level uint8

// The levels.
const (
	Info Level = iota
	Warn
	Error
	Off // above all
)

// LogLine is one line for people, on stderr.
type LogLine struct {
	Level Level
	Text  string
}

// Effects is what a step asks of the world. The driver owns it and resets it after execution; capacity stays.
type Effects struct {
	Disk      []disk.Request
	Send      []network.Send
	Arena     []byte // the heads of Send
	Mail      []Mail
	Dial      []network.Dial
	Close     []network.Conn
	Hold      []network.Conn // deliver no further frame of these until Resume
	Resume    []network.Conn
	Log       []LogLine
	LogLevel  *Level     // lines below it are not written from now on, whichever shard they come from; nil: as before
	Deadline  clock.Time // step with Tick no later than this; 0: no timer. Not reset: the last step's word counts
	Accept    bool       // sticky: listeners may accept from now on
	Ready     bool       // sticky: the broker serves
	Stopped   bool       // sticky: drained and synced, the process may end
	Fatal     string     // not empty: the node cannot go on; "WHAT; DO THIS", exit code in FatalCode
	FatalCode int
}

// Reset empties what has been executed.
func (e *Effects) Reset() {
	clear(e.Disk)
	clear(e.Mail)
	clear(e.Log)
	e.Disk, e.Send, e.Arena, e.Mail = e.Disk[:0], e.Send[:0], e.Arena[:0], e.Mail[:0]
	e.Dial, e.Close, e.Hold, e.Resume, e.Log, e.LogLevel = e.Dial[:0], e.Close[:0], e.Hold[:0], e.Resume[:0], e.Log[:0], nil
}

// Logf is spelled out by package env; Line adds a finished text.
func (e *Effects) Line(l Level, text string) { e.Log = append(e.Log, LogLine{l, text}) }

// Stepper is a shard, as a driver sees it.
type Stepper interface {
	Step(now clock.Now, ev *Event, out *Effects)
}
