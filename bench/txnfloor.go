package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bareTransactions is the floor under transactions with flush.policy=ack: the same writes and syncs, one after another for each client, by a thread each,
// without a broker: what the coordinator notes of the partition (and of the transaction before), the records, the decision, the marker. Each client has a
// file for its coordinator's log, since ids fall on fifty partitions, and each transaction goes to one of six files of records. As in the broker, one
// sync of a file serves all that was written before it began.
func bareTransactions(ctx context.Context, s *system, clients int, scale float64) (*sample, error) {
	data := make([]*syncedFile, 6)
	var syncs atomic.Int64
	for i := range data {
		f, err := newSyncedFile(s.dir, &syncs)
		if err != nil {
			return nil, err
		}
		defer f.close()
		data[i] = f
	}
	began := time.Now()
	end := began.Add(scaled(txnSpan, scale))
	var mu sync.Mutex
	x := &sample{}
	err := each(make([]int, clients), func(int) error {
		runtime.LockOSThread() // and the thread ends with its goroutine
		log, err := newSyncedFile(s.dir, &syncs)
		if err != nil {
			return err
		}
		defer log.close()
		var times []time.Duration
		for time.Now().Before(end) && ctx.Err() == nil {
			began := time.Now()
			to := data[rand.IntN(len(data))]
			if err := errors.Join(log.append(300), to.append(headerSize+txnRecords*(txnSize+7)), log.append(200), to.append(78)); err != nil {
				return err
			}
			times = append(times, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		x.times = append(x.times, times...)
		return ctx.Err()
	})
	x.seconds = time.Since(began).Seconds()
	x.requests = float64(len(x.times))
	x.records, x.syncs = x.requests, float64(syncs.Load())
	x.more = map[string]float64{"syncs_each": x.syncs / max(1, x.requests)}
	return x, err
}

// syncedFile is a file to which many append, each waiting until what it wrote is synced.
type syncedFile struct {
	fd      int
	syncs   *atomic.Int64
	mu      sync.Mutex
	changed sync.Cond
	off     int64
	begun   int64 // syncs that have begun
	ended   int64 // begun-1 <= ended <= begun
	err     error
}

func newSyncedFile(dir string, syncs *atomic.Int64) (*syncedFile, error) {
	fd, err := unix.Open(fmt.Sprintf("%s/floor-%d", dir, diskRuns.Add(1)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
	f := &syncedFile{fd: fd, syncs: syncs}
	f.changed.L = &f.mu
	return f, err
}

func (f *syncedFile) close() { _ = unix.Close(f.fd) } // thrown away

// append writes so many bytes, and waits until a sync that began afterwards has ended.
func (f *syncedFile) append(n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := unix.Pwrite(f.fd, make([]byte, n), f.off); err != nil {
		return err
	}
	f.off += int64(n)
	for want := f.begun + 1; f.ended < want; {
		if f.begun > f.ended || f.begun >= want { // one is under way
			f.changed.Wait()
			continue
		}
		f.begun++
		f.mu.Unlock()
		err := unix.Fdatasync(f.fd)
		f.syncs.Add(1)
		f.mu.Lock()
		f.err = errors.Join(f.err, err)
		f.ended = f.begun
		f.changed.Broadcast()
	}
	return f.err
}
