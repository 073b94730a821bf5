package jepsen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seedlog/seedlog/sim/history"
)

// workload is what clients do, and how it comes to an end.
type workload interface {
	// topics are those that it wants, with their partitions.
	topics() map[string]int
	// begin starts the clients.
	begin(w *world) error
	// finish reads what is there once nobody writes.
	finish(ctx context.Context, w *world) error
	// must names the checkers that have something to check after any run of it.
	must() []string
}

// workloads are all of them, by name.
var workloads = map[string]func() workload{
	"copy":     func() workload { return &copyWorkload{} },
	"group":    func() workload { return &groupWorkload{} },
	"log":      func() workload { return &logWorkload{} },
	"metadata": func() workload { return &metadataWorkload{} },
	"offsets":  func() workload { return &offsetsWorkload{} },
	"txn":      func() workload { return &txnWorkload{} },
}

// world is what clients of a workload work with.
type world struct {
	c    *Cluster
	rec  *Recorder
	seed uint64
	stop chan struct{}   // closed: begin nothing more
	give context.Context // done: give up what is under way
	quit context.CancelFunc
	done sync.WaitGroup
	mu   sync.Mutex
	end  []func()
	role []string // of clients, by id
}

// giveUp is how long what is under way may take once nothing more is begun.
const giveUp = time.Minute

// random is a stream of its own for each purpose, so that what one draws moves no other.
func (w *world) random(purpose, n int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(purpose)<<32|uint64(n)))
}

// client gives a new client's id.
func (w *world) client(role string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.role = append(w.role, role)
	return len(w.role) - 1
}

// atEnd is called when all clients have stopped.
func (w *world) atEnd(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end = append(w.end, f)
}

// loop repeats a function until the workload stops, with a pause of that length in the mean.
func (w *world) loop(rnd *rand.Rand, mean time.Duration, f func(ctx context.Context)) {
	w.done.Add(1)
	go func() {
		defer w.done.Done()
		for {
			t := time.NewTimer(time.Duration(rnd.Int64N(int64(2 * mean))))
			select {
			case <-w.stop:
				t.Stop()
				return
			case <-t.C:
			}
			f(w.give)
		}
	}()
}

// stopAll lets nothing more be begun and waits for what is under way.
func (w *world) stopAll() {
	close(w.stop)
	w.done.Wait()
	for _, f := range w.end {
		f()
	}
}

// keysOf are the partitions of topics, and of the internal ones, in order.
func keysOf(topics map[string]int) (keys []string) {
	all := map[string]int{"__consumer_offsets": internalPartitions, "__transaction_state": internalPartitions}
	for t, n := range topics {
		all[t] = n
	}
	for _, t := range sortedKeys(all) {
		for p := range all[t] {
			keys = append(keys, history.Key(t, int32(p)))
		}
	}
	return keys
}

// caught is what a client itself found to be wrong.
func (w *world) caught(client int, key, what, saw string) {
	w.rec.Note(history.ProcessOf(client, 0), history.Op{Kind: history.Caught, Key: key, Offset: history.NoOffset, Meta: what, Got: saw, PID: -1})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}
