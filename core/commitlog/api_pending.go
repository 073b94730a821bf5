package commitlog

import (
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// LocateSlow is Locate with reads.
func (l *Log) LocateSlow(t *task.Task, offset int64, maxBytes int32, limit int64) (Slice, Where, disk.Err) {
	s, w := l.Locate(offset, maxBytes, limit)
	return s, w, disk.OK
}

// OffsetForTime gives the first record below limit whose timestamp is at least ts: its offset, timestamp and epoch; -1 if none.
func (l *Log) OffsetForTime(t *task.Task, ts, limit int64) (offset, timestamp int64, epoch int32, err disk.Err) {
	return -1, -1, -1, disk.OK
}

// MaxTimestamp gives the first record below limit that has the greatest timestamp; -1 if none.
func (l *Log) MaxTimestamp(t *task.Task, limit int64) (offset, timestamp int64, epoch int32, err disk.Err) {
	return -1, -1, -1, disk.OK
}

// ReadBatches reads whole batches from offset on, below limit, at least one and else at most max bytes. The bytes are valid until the task's next await.
func (l *Log) ReadBatches(t *task.Task, offset, limit int64, max int) ([]byte, disk.Err) {
	return nil, disk.OK
}

// DeleteRecords moves the start to an offset that is not above End.
func (l *Log) DeleteRecords(to int64) {}

// Retain applies retention by time and size below limit, the high watermark. The broker calls it every log.retention.check.interval.ms.
func (l *Log) Retain(now clock.Now, limit int64) {}

// Close writes what recovery wants, syncs if clean, and closes the files.
func (l *Log) Close(t *task.Task, clean bool) disk.Err { return disk.OK }

// Remove closes the log and unlinks its directory.
func (l *Log) Remove(t *task.Task) disk.Err { return disk.OK }

// RecoveryPoint is the offset from which a recovery must scan.
func (l *Log) RecoveryPoint() int64 { return l.synced }

// Entry is one line of a directory's checkpoint: the offset of one partition.
type Entry struct {
	Topic     string
	Partition int32
	Offset    int64
}

// WriteCheckpoint replaces a checkpoint file of a data directory: temporary file, sync, rename, sync of the directory.
func WriteCheckpoint(t *task.Task, path string, entries []Entry) error { return nil }

// ReadCheckpoint reads a checkpoint file; a missing one is empty.
func ReadCheckpoint(t *task.Task, path string) ([]Entry, error) { return nil, nil }
