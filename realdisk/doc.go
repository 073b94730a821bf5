// Package realdisk executes the core's disk requests on Linux files.
//
// It owns the table of open files, the worker threads and nothing else: what to write where, and when a file may be closed, is the
// core's business. A request completes exactly once, either in the answer of Execute (what was done inline) or through Completed.
//
//	shard's loop ── Execute ──▶ Write            pwritev at once, on the caller's thread
//	                            Read             preadv2(RWF_NOWAIT) at once, if all of it is cached
//	                            Sync ──────────▶ the kernel (io_submit): one fdatasync a file at a time, files in parallel
//	                            SyncDir ───────▶ the same, one open and one fsync for all that ask for the directory
//	                            Open, Mkdir …    at once, while such calls are fast and few
//	                            everything else ▶ workers
//	shard's loop ◀─ wake or eventfd, Completed ◀─ both
//	shard's loop ── SendFile, Cached, Warm        extents on their way out, of files of any shard
//
// Promises:
//   - A Sync is answered by an fdatasync that started after the Sync was asked. One fdatasync answers all that waited when it started.
//     Once a sync of a file has failed, all later ones of that open file fail: the kernel reports lost pages only once.
//   - A Write that the disk took only a part of says how much (no space left), and continues after a short count otherwise.
//   - Opening, renaming and the like hold up the shard for a millisecond at most; removing, which gives blocks back, never does.
//   - A file of which several writes were slow is written by a worker for a while, so that a stalling disk does not stop the shard.
//     One write a file is in flight, by the contract of io/disk; so the order is kept whichever thread writes.
//   - A descriptor is closed only when nothing uses it: an extent may leave through any shard while its owner asks other things.
//
// It never retries a failure, never interprets bytes, and follows no symbolic link in the last element of a path that it opens.
// A request on a file that is not open is a mistake of the core's, and panics.
//
// Read next: disk.go (the door), names.go (what is done at once), worker.go (threads), sync.go (group commit), aio.go (syncs without a thread of ours), cache.go (what sendfile needs).
package realdisk
