package debug

import "github.com/seedlog/seedlog/io/clock"

// World is one run that has been started, between two of its events. It only goes on.
type World interface {
	// Go fires events until the target is reached or the run is over.
	Go(Target) (*Stop, error)
	// Show gives the text of a command. An error is the user's mistake unless it is a Gone.
	Show(command string, args []string) (string, error)
	// Close lets the run go.
	Close()
}

// Gone says that a World is no more: its process has ended.
type Gone struct{ Why string }

func (g *Gone) Error() string { return g.Why }

// Target is where to stop.
type Target struct {
	Until string     // Event, Time, Text, Change or End
	Event int64      // of Event: once so many have fired
	At    clock.Time // of Time: before the first event that is later
	Text  string     // of Text: after the first event from now on with this in one of its lines of the trace
	Node  int        // of Change: after the first event from now on after which this node, from 1,
	Key   string     //   shows this partition otherwise;
	Count int64      //   with a count, after so many of them
}

// The kinds of Target.
const (
	Event  = "event"
	Time   = "time"
	Text   = "text"
	Change = "change"
	End    = "end" // the run's: a broken property, or nothing more to do
)

// Stop is where a World stands.
type Stop struct {
	Event int64
	At    clock.Time
	Found []string // of Text: the line; of Change: what the node showed, at the begin and after each of the last changes; empty if there was none
	Over  string   // how the run ended; "" it has not
	Marks []Mark   // that were passed on the way, the last one here
}

// Mark is the hash of the trace after so many events.
type Mark struct {
	Event int64
	Hash  string
}

// markEvery is how many events lie between two marks.
const markEvery = 1000
