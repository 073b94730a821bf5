package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/records"
)

// tail is the index entries of a segment that are not in its index files yet. They go there in pages, at a snapshot and at
// the roll, never by append: recovery makes them again from the log, whose unsynced part it reads anyway.
type tail struct {
	entries  []index.Entry
	times    []index.TimeEntry
	since    int64 // bytes since the last entry
	n, tn    int   // entries in the files
	lastTime int64 // timestamp of the last time entry, in file or in times; -1 none
	fileTime int64 // timestamp of the last time entry in the file; -1 none
	dirty    bool  // the files have been written and not synced
	flushing bool  // a task is writing them
}

func newTail() *tail { return &tail{lastTime: -1, fileTime: -1} }

// note counts a batch that segment s has just taken in: its end is s.size.
func (t *tail) note(s *segment, v records.View, interval int32) {
	if t.since > int64(interval) {
		t.entries = append(t.entries, index.Entry{Rel: int32(v.LastOffset() - s.base), Pos: int32(s.size - int64(v.Size()))})
		t.noteTime(s)
		t.since = 0
	}
	t.since += int64(v.Size())
}

// noteTime adds a time entry if the greatest timestamp has grown since the last.
func (t *tail) noteTime(s *segment) {
	if s.maxTimestamp > t.lastTime {
		t.times = append(t.times, index.TimeEntry{Timestamp: s.maxTimestamp, Rel: int32(s.maxTSOffset - s.base)})
		t.lastTime = s.maxTimestamp
	}
}

// cut forgets what was noted of the segment beyond its present size and end; none of it is in the files.
func (t *tail) cut(s *segment) {
	for k := len(t.entries); k > 0 && int64(t.entries[k-1].Pos) >= s.size; k-- {
		t.entries = t.entries[:k-1]
	}
	t.lastTime = t.fileTime
	for k := len(t.times); k > 0 && s.base+int64(t.times[k-1].Rel) >= s.end; k-- {
		t.times = t.times[:k-1]
	}
	if k := len(t.times); k > 0 {
		t.lastTime = t.times[k-1].Timestamp
	}
	t.since = s.size
	if k := len(t.entries); k > 0 {
		t.since = s.size - int64(t.entries[k-1].Pos)
	}
}

// full says whether one of the index files would pass its size.
func (t *tail) full(indexBytes int32) bool {
	return (t.n+len(t.entries)+1)*index.EntrySize > int(indexBytes) || (t.tn+len(t.times)+2)*index.TimeEntrySize > int(indexBytes)
}
