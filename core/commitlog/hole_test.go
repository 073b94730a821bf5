package commitlog

import (
	"bytes"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Under flush.policy=os nothing is synced for long. What one loss of power leaves torn, and recovery cuts, must not come back at the next, in the
// middle of what was written there meanwhile: that would be a log which never was.
func TestATornLogThatIsCutToNothingDoesNotComeBackInTheNext(t *testing.T) {
	for seed := range uint64(300) {
		cfg := smallConfig()
		cfg.FlushAck = false
		m := &twin{w: newWorld(newMemDisk(prng.New(seed))), cfg: cfg, seq: map[int64]int32{}}
		life := func(epoch int32) (out [][]byte) {
			if err := m.open(Options{}); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				v := batch(1, 60, int64(epoch)*100+int64(i), records.Options{})
				m.l.Append(v, epoch, nil)
				out = append(out, v)
				m.w.settle()
			}
			return out
		}
		life(1)
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{}); err != nil {
			t.Fatal(err)
		}
		if m.l.End() > 0 {
			continue // not cut to nothing
		}
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(false))
		wrote := life(2)
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{}); err != nil {
			t.Fatal(err)
		}
		var got []byte
		m.w.do(func(t *task.Task) {
			for o := int64(0); o < m.l.End(); {
				b, err := m.l.ReadBatches(t, o, m.l.End(), 1)
				if err != disk.OK || len(b) == 0 {
					panic("cannot read")
				}
				got = append(got, b...)
				o = records.View(b).NextOffset()
			}
		})
		if !bytes.HasPrefix(bytes.Join(wrote, nil), got) {
			t.Fatalf("seed %d: the log is no beginning of what was written last", seed)
		}
	}
}
