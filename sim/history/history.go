// Package history is what the clients of a run asked and were told, as a list of events in virtual time.
package history

import "github.com/seedlog/seedlog/io/clock"

// Event is one invocation or its outcome. The owner of this package extends it.
type Event struct {
	I  int64
	At clock.Time
}
