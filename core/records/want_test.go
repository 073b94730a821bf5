package records

import (
	"fmt"
	"reflect"
	"testing"
)

// want fails the test, naming both, unless got equals want. note is a format and its arguments.
func want[T any](t testing.TB, want, got T, note ...any) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	text := ""
	if len(note) > 0 {
		text = fmt.Sprintf(note[0].(string), note[1:]...)
	}
	t.Fatalf("want %v, got %v. %s", want, got, text)
}
