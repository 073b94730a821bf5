// Command overlay writes what `go build -overlay` needs so that goroutines of a simulated node repeat to the byte.
//
//	go run ./sim/overlay -out build/overlay
//	go build -overlay build/overlay/overlay.json -tags overlay ./cmd/sim
//
// It reads the installed GOROOT's runtime and changes nothing there: edited copies and one file more (seeded.go.txt) go to the folder, and
// overlay.json names them. Each edit must match exactly once; where one does not, this Go version needs another edit, and the command says
// which and ends with exit code 1. A folder that is up to date is left alone, so that the build cache stays valid.
//
//	rand.go      rand, randn and the seeds of maps come from streams of the bubble; the process's own seed is constant
//	select.go    the order in which a select looks at its cases
//	time.go      the order of timers of one instant
//	sema.go      how long a goroutine has waited for a mutex: in the bubble's time, not by how busy the machine is
//	synctest.go  the streams lie in the bubble; a clock that was set forward is no error
//	proc.go      no retaking of processors, no look at the global queue by count, the order of goroutines by the seed where asked
//
// Goroutines outside bubbles are not seeded: the simulator's own loop must not depend on any of this. It takes GOMAXPROCS=1.
// Read next: edits.go, seeded.go.txt, package sim/bubble.
package main
