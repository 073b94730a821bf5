// Package simdisk is the disk of one simulated node: it keeps each promise of io/disk, and nothing beyond it.
//
// A file is its visible bytes plus a journal of the changes that no Sync has covered yet; a directory is its visible names plus a
// journal of the operations that no SyncDir has covered. A process crash keeps what is visible. A power loss undoes the journals and
// then decides, change by change, what had reached the platter: kept, dropped, torn to a prefix, torn by sectors (fault D1). So a write
// costs one copy of its bytes, and a crash costs only what was unsynced.
//
//	Submit ──latency──▶ apply to image + journal ──▶ Done(shard, completion)
//	Crash(power): in flight ─▶ perhaps, in part;  journal ─▶ undo all, redo what is drawn
//
// It also checks the core's side of the contract: one write in flight a file, bytes unchanged while they are in flight, no use of a
// file that is not open, no truncation or close under an extent. Breaking it ends the run with the property "contract".
//
// Read next: image.go, journal.go, names.go, crash.go.
package simdisk
