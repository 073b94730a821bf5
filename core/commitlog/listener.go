package commitlog

import "github.com/seedlog/seedlog/io/disk"

// Listener is who the log tells what became of it: the replica. It is called from within the shard's step, never from
// within one of its own calls to the log.
type Listener interface {
	LogWritten(l *Log)                           // WrittenEnd moved: bytes below it can be read
	LogSynced(l *Log)                            // SyncedEnd moved
	LogFailed(l *Log, err disk.Err, what string) // the directory must go offline: a failed sync, or EIO
	LogFull(l *Log, from int64)                  // no space: batches from this offset on were taken back; End() is from again
	LogStartMoved(l *Log)                        // retention or DeleteRecords
	LogDamaged(l *Log, offset int64)             // no batch could be found where one should hold the offset
}
