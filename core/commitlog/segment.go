package commitlog

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// segment is one .log file and what is known of it. Positions are bytes from the start of the file.
//
//	0 <= synced <= written <= size;   base <= syncedEnd <= writtenEnd <= end
type segment struct {
	base int64 // first offset that may stand in it; the file's name
	ord  int32 // counts up through the life of the Log, so that a mark names its segment
	file disk.File
	tail *tail // index entries in memory, until the segment is sealed and its indexes are complete

	scanned                    int64 // position of the first batch that recovery read at or above the recovery point
	size, written, synced      int64
	end, writtenEnd, syncedEnd int64 // next offset after what size, written and synced cover
	maxTimestamp, maxTSOffset  int64 // greatest batch timestamp, -1 none, and the last offset of the first batch that has it
	firstTimestamp             int64 // of the first batch, -1 none: rolling by time counts from it
	aged                       bool  // its first batch was read for firstTimestamp
	created                    clock.Wall
	pins                       int32
	pinnedTo                   int64 // greatest position that a response holds since pins was 0
	used                       int32 // tick of the last read, for closing the least used
	opened                     bool  // the file exists and can be written
	sealed                     bool  // no batch will be added
	named                      bool  // its directory entry is durable
	doomed                     bool  // removed from the log; closed and unlinked at zero pins
	refused                    bool  // its file could not be made for want of space
	opening                    bool  // a task opens its file
	nameless                   bool  // doomed by a truncation: its name is not its own any more
	sealing                    bool  // its indexes are being completed, or are
	jitterMS                   int64 // of segment.jitter.ms
	aborted                    aborted
	snapshot                   []byte // producer state at its end, from the roll until it is written
}

func newSegment(base int64, ord int32, now clock.Wall) *segment {
	return &segment{base: base, ord: ord, end: base, writtenEnd: base, syncedEnd: base, maxTimestamp: -1, maxTSOffset: -1, firstTimestamp: -1, created: now}
}
