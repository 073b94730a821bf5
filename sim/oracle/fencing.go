package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/io/clock"
)

// Calmness is a View that knows since when no process began, ended or was told to end, and none was paused, cut off, with a clock out of time or a disk that
// does not keep up: since then every broker's heartbeats reach the controller, though connections may break.
type Calmness interface {
	Metadata
	Calm() (since clock.Time)
	// Serves says that a node's process has been unfenced once. Until then the registration that the metadata have may be of the process before it,
	// which nobody hears any more: that one's session ends as it must, even if each new controller grants it another.
	Serves(node int) bool
	// Session is how long a broker may be silent.
	Session() clock.Duration
}

// fencing: a broker that lives and is heard is not fenced. A connection that breaks says nothing of its process; one that is refused
// after it does, and so does a session that is over (design.md, Metadata).
type fencing struct {
	quiet
	image *metadata.Image
}

// calmFor is what must be calm beyond a session before a fencing is judged: elections and what was decided before end in it.
const calmFor = 6 * clock.Second

func (f *fencing) Name() string { return "fenced-in-vain" }

func (f *fencing) Step(view View) error {
	v, ok := view.(Calmness)
	if !ok || v.Nodes() == 1 {
		return nil
	}
	was, now := f.image, v.Image()
	f.image = now
	if was == nil || was == now || v.Now().Sub(v.Calm()) < v.Session()+calmFor {
		return nil
	}
	for _, b := range was.Brokers() {
		n := now.Broker(b.ID)
		if !b.Active() || n == nil || n.Epoch != b.Epoch || n.InShutdown || !v.Serves(int(b.ID)-1) {
			continue
		}
		f.checks++
		if n.Fenced {
			return fail(f.Name(), fmt.Sprintf("broker %d at metadata index %d", b.ID, now.Index()), -1, "unfenced, and nothing was amiss since "+fmt.Sprint(v.Calm()), "fenced")
		}
	}
	return nil
}
