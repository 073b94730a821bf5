package commitlog

import (
	"testing"

	"pgregory.net/rapid"
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
