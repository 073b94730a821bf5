//go:build overlay

package bubble

import _ "unsafe" // for linkname

// Exact says whether this build repeats to the byte.
const Exact = true

// What the overlay adds to the runtime: sim/overlay/seeded.go.txt.

//go:linkname enter runtime.seededRun
func enter(f func())

//go:linkname begin runtime.seededBegin
func begin()

//go:linkname seed runtime.seededStart
func seed(seed uint64, order bool)

//go:linkname wait runtime.seededWait
func wait()

//go:linkname setNow runtime.seededSetNow
func setNow(t int64)

//go:linkname nextTimer runtime.seededNextTimer
func nextTimer() int64
