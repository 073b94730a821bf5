package bubble

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
)

// The collector runs between steps only: its workers would move goroutines between queues. It runs when the heap has doubled, and at the
// latest each GC_EVERY steps, if that is set: the proof that its times do not matter.
const (
	lookEvery = 512      // steps between two looks at the heap
	freeHeap  = 64 << 20 // bytes that may always be allocated between two collections
)

var collector struct {
	once   sync.Once
	every  int64
	steps  int64
	limit  uint64
	sample [1]metrics.Sample
}

// settled takes the collector over, once a process.
func settled() {
	collector.once.Do(func() {
		if !Exact {
			return
		}
		debug.SetGCPercent(-1)
		collector.every, _ = strconv.ParseInt(os.Getenv("GC_EVERY"), 10, 64)
		collector.limit = freeHeap
		collector.sample[0].Name = "/memory/classes/heap/objects:bytes"
	})
}

// heap is what lies in the heap, dead or alive, in bytes.
func heap() uint64 {
	metrics.Read(collector.sample[:])
	return collector.sample[0].Value.Uint64()
}

// collect is called after each step.
func collect() {
	if !Exact {
		return
	}
	collector.steps++
	if due := collector.every; due > 0 && collector.steps%due == 0 {
		runtime.GC()
	} else if due == 0 && collector.steps%lookEvery == 0 && heap() > collector.limit {
		runtime.GC()
		collector.limit = 2*heap() + freeHeap
	}
}
