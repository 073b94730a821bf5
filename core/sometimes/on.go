//go:build marks

package sometimes

import (
	"slices"

	"github.com/seedlog/seedlog/core/assert"
)

// On says whether this build counts marks. A condition that costs something stands behind it.
const On = true

// counts has a place for each of Names. The simulator runs one step at a time, so it needs no lock.
var counts [len(Names)]int64

// Hit counts that a mark was reached.
func Hit(name string) {
	i, ok := slices.BinarySearch(Names[:], name)
	assert.That(ok, "sometimes: a mark that is not in Names")
	counts[i]++
}

// If counts that a mark was reached and ok held there.
func If(ok bool, name string) {
	if ok {
		Hit(name)
	}
}

// Counts gives how often each mark was reached since Set, without those that never were.
func Counts() map[string]int64 {
	m := map[string]int64{}
	for i, n := range counts {
		if n > 0 {
			m[Names[i]] = n
		}
	}
	return m
}

// Set makes the counts what Counts gave before: nothing for a new run, and after what is no part of a run what they were.
func Set(to map[string]int64) {
	for i, name := range Names {
		counts[i] = to[name]
	}
}
