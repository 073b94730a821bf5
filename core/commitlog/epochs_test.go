package commitlog

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
)

// Starts of the list must ascend, or the file that holds it is refused by the next recovery, which then reads the whole log: an epoch whose
// records were all deleted, cut to the log's end, made room for none that began there.
func TestTheEpochFileIsReadHoweverEpochsBeginAndRecordsGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e, back epochs
		start, end := int64(0), int64(0)
		for epoch := int32(0); epoch < 8; epoch++ {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				e.makeRoom(epoch, end)
				e.add(epoch, end)
			case 1, 2:
				e.add(epoch, end)
				end += rapid.Int64Range(1, 3).Draw(t, "records")
			case 3:
				start = rapid.Int64Range(start, end).Draw(t, "start")
				e.cutStart(start)
			}
			if text := e.appendText(nil); !back.parse(text) || len(back.list) != len(e.list) {
				t.Fatalf("%q is not read back as %v", text, e.list)
			}
			if k := len(e.list); k > 0 && e.list[k-1].start > end {
				t.Fatalf("an epoch begins beyond the end %d: %v", end, e.list)
			}
		}
	})
}

// The file has no checksum. A follower that took the epoch of its last batch from a rotten one refused everything that its leader sent.
func TestALogsLastEpochIsThatOfItsLastBatchWhateverTheFileSays(t *testing.T) {
	dense := DefaultConfig()
	dense.IndexIntervalBytes = 1
	for _, cfg := range []Config{DefaultConfig(), dense} {
		for _, text := range []string{"1\n8 0\n", "2\n0 0\n3 10\n", "2\n0 0\n1 10\n", "2\n0 0\n2 19\n", "2\n4 0\n6 10\n", "1\n0 0\n", "2\n1 0\n2 10\n"} {
			m := fixed(t, cfg)
			for i := range 10 {
				m.l.Append(batch(2, 60, 1000, records.Options{}), int32(i/5*2), nil)
				m.w.settle()
			}
			m.w.do(func(t *task.Task) { m.l.Close(t, true) })
			m.w.disk.names[m.l.dir+"/"+nameEpochs].data = []byte("0\n" + text)
			m.w = newWorld(m.w.disk)
			if err := m.open(Options{RecoveryPoint: 20, Clean: true}); err != nil {
				t.Fatal(err)
			}
			if got, at := m.l.LatestEpoch(), m.l.EpochAt(19); got != 2 || at != 2 {
				t.Errorf("after %q the last epoch is %d, and %d at the last offset", text, got, at)
			}
		}
	}
}
