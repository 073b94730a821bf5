package quorum

import "github.com/hashicorp/raft"

// entries are the log in memory: dense, from index first on. The file that holds each is noted, so that files can go.
type entries struct {
	first uint64
	logs  []*raft.Log
	files []uint64 // the segment that each lies in, by its first frame's sequence; parallel to logs, never falling
	bytes int64
}

// last is the index of the last entry, or of the last that was dropped; 0 before the first.
func (e *entries) last() uint64 { return e.first + uint64(len(e.logs)) - 1 }

func (e *entries) get(index uint64) *raft.Log {
	if len(e.logs) == 0 || index < e.first || index > e.last() {
		return nil
	}
	return e.logs[index-e.first]
}

// add puts an entry at the end; false if it would leave a gap or lies before what is known.
func (e *entries) add(l *raft.Log, file uint64) bool {
	if len(e.logs) == 0 {
		e.first = l.Index
	}
	if l.Index < e.first || l.Index > e.last()+1 {
		return false
	}
	e.cut(l.Index)
	e.logs, e.files = append(e.logs, l), append(e.files, file)
	e.bytes += sizeOf(l)
	return true
}

// cut takes away the entries from index on.
func (e *entries) cut(index uint64) {
	if len(e.logs) == 0 || index > e.last() {
		return
	}
	at := max(index, e.first) - e.first
	for i := at; i < uint64(len(e.logs)); i++ {
		e.bytes -= sizeOf(e.logs[i])
	}
	clear(e.logs[at:])
	e.logs, e.files = e.logs[:at], e.files[:at]
}

// drop takes away the entries up to index.
func (e *entries) drop(index uint64) {
	if len(e.logs) == 0 || index < e.first {
		return
	}
	n := min(index-e.first+1, uint64(len(e.logs)))
	for _, l := range e.logs[:n] {
		e.bytes -= sizeOf(l)
	}
	e.first += n
	e.logs = append([]*raft.Log(nil), e.logs[n:]...)
	e.files = append([]uint64(nil), e.files[n:]...)
}

// change does what a frame says; false if it does not fit.
func (e *entries) change(c change, file uint64) bool {
	switch c.kind {
	case changeCut:
		e.cut(c.index)
	case changeDrop:
		e.drop(c.index)
	default:
		return e.add(c.entry, file)
	}
	return true
}

// sizeOf is what an entry costs in memory, in bytes, about.
func sizeOf(l *raft.Log) int64 { return int64(len(l.Data) + len(l.Extensions) + 128) }
