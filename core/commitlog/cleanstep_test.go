package commitlog

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/records/compress"
	"github.com/seedlog/seedlog/core/task"
)

// A batch of 1 MiB of records is read, decompressed, looked at and compressed again in steps, whatever its size on the disk: between two of them other
// events of the shard come. Time cannot be asserted, so the steps are counted.
func TestACleanLetsTheShardGoOnInTheMidstOfALargeBatch(t *testing.T) {
	const plain, batches = 1 << 20, 3
	for codec := compress.None; codec < compress.Count; codec++ {
		w := newWorld(newMemDisk(prng.New(1)))
		w.disk.fifo, w.disk.bare = true, true
		cfg := DefaultConfig()
		cfg.SegmentBytes = 64 << 20
		m := &twin{w: w, cfg: cfg, seq: map[int64]int32{}}
		if err := m.open(Options{}); err != nil {
			t.Fatal(err)
		}
		rnd, value := rand.New(rand.NewSource(1)), make([]byte, 100)
		for range batches {
			builder.Reset(records.Options{Codec: codec})
			for size := 0; size < plain; size += 120 {
				rnd.Read(value[:20])
				builder.Add([]byte(fmt.Sprintf("key-%08d", rnd.Intn(plain/100))), value, 1)
			}
			m.l.Append(append(records.View(nil), builder.Build()...), 0, nil)
			w.settle()
		}
		m.l.roll(m.l.End())
		w.settle()
		var done Cleaned
		var err error
		tk := task.Go(w.env, func(t *task.Task) {
			done, err = m.l.Clean(t, CleanLimits{Stable: m.l.End(), Deletes: m.l.End(), MapBytes: 128 << 20, Room: 1 << 40})
		})
		steps := 0 // that were not the disk's
		for !tk.Ended() {
			if w.flush(); len(w.disk.pending) == 0 {
				steps++
			}
			for _, r := range w.disk.pending {
				size := len(r.Bytes)
				for _, b := range r.Vec {
					size += len(b)
				}
				if size > cleanWindow {
					t.Fatalf("%s: a request of kind %d for %d bytes", compress.Name(codec), r.Kind, size)
				}
			}
			w.step()
		}
		if err != nil || done.To != m.l.End() {
			t.Fatalf("%+v %v", done, err)
		}
		// Each pass looks at all records; compressed ones are decompressed for it, and compressed again as far as they stay, which is more than a third.
		work := 2 * batches * plain
		if codec != compress.None {
			work += 2*batches*plain + batches*plain/3
		}
		if least := work / cleanStep; steps < least {
			t.Errorf("%s: %d steps for %d bytes of work, want %d at least", compress.Name(codec), steps, work, least)
		}
	}
}
