// Package assert stops the process on a mistake of our own. Bytes from a client or a disk never reach an assertion.
package assert

import "fmt"

// Failure is what a failed assertion panics with.
type Failure struct{ Text string }

func (f Failure) Error() string { return "assertion failed: " + f.Text }

// That panics with text unless ok. Split conditions: one call says one thing.
func That(ok bool, text string) {
	if !ok {
		panic(Failure{text})
	}
}

// Thatf is That for cold places: its arguments are evaluated, and may allocate, on each call.
func Thatf(ok bool, format string, args ...any) {
	if !ok {
		panic(Failure{fmt.Sprintf(format, args...)})
	}
}

// Never panics: the place cannot be reached.
func Never(text string) { panic(Failure{text}) }
