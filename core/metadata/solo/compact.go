package solo

import (
	"fmt"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// perEntry is about how many bytes of state one entry of a checkpoint holds.
const perEntry = 256 << 10

// startCompaction replaces the log by a checkpoint of the image. Proposals wait meanwhile.
func (l *Log) startCompaction() {
	l.state = compacting
	l.compact = task.Go(l.env, func(t *task.Task) {
		what, err := l.checkpoint(t, l.store.Image())
		switch {
		case t.Stopped() || l.state != compacting:
			return
		case err == disk.ErrNoSpace: // of the checkpoint's own file: the log is as it was
			l.env.Warnf("metadata log: no space left in %s for a checkpoint; free space or add some", l.dir)
			l.grown = 0 // tried again once as much has come again
		case err != disk.OK:
			l.fail(err, what)
			return
		}
		l.state = idle
		l.write()
	})
}

// checkpoint writes the image to a file of its own, gives it its name once it is synced, goes on in a new log, and removes the old.
// The old log goes once both new names are durable, so that a crash at any point leaves a state that Open knows.
func (l *Log) checkpoint(t *task.Task, img *metadata.Image) (string, disk.Err) {
	assert.That(img.Index() == l.next-1, "solo: checkpoint of an image that is not the newest")
	name := fmt.Sprintf("%020d-%010d.checkpoint", l.next, img.Term())
	if what, err := l.writeCheckpoint(t, img, name+".part"); err != disk.OK {
		return what, err
	}
	part := l.dir + "/" + name
	f := l.env.File()
	next := logName(l.next)
	for _, q := range [...]disk.Request{
		{Kind: disk.Rename, Path: part + ".part", NewPath: part},
		{Kind: disk.Open, File: f, Path: l.dir + "/" + next, Flags: disk.Create},
		{Kind: disk.SyncDir, Path: l.dir},
	} {
		if c := t.Disk(q); c.Err != disk.OK { // no going back from here: names may be half changed
			return q.Path + ": checkpoint failed: " + c.Detail, disk.ErrIO
		}
	}
	old, oldName := l.file, l.name
	l.file, l.name, l.pos, l.grown = f, next, 0, 0
	t.Disk(disk.Request{Kind: disk.Close, File: old})
	if t.Stopped() {
		return "", disk.ErrIO
	}
	l.env.FreeFile(old)
	l.removeBefore(t, oldName, name)
	return "", disk.OK
}

func (l *Log) writeCheckpoint(t *task.Task, img *metadata.Image, part string) (string, disk.Err) {
	path := l.dir + "/" + part
	f := l.env.File()
	if c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.Create}); c.Err != disk.OK {
		if !t.Stopped() {
			l.env.FreeFile(f)
		}
		return path + ": open failed: " + c.Detail, c.Err
	}
	var batches [][]byte
	img.Records(perEntry, func(recs []metadata.Record) {
		e := metadata.Encode(metadata.Entry{Term: img.Term(), Records: recs})
		batches = append(batches, appendBatch(nil, int64(len(batches)), int32(img.Term()), int64(l.env.Now.Wall), [][]byte{e}))
	})
	c := t.Disk(disk.Request{Kind: disk.Truncate, File: f})
	if c.Err == disk.OK {
		c = t.Disk(disk.Request{Kind: disk.Write, File: f, Vec: batches})
	}
	if c.Err == disk.OK {
		c = t.Disk(disk.Request{Kind: disk.Sync, File: f})
	}
	err, detail := c.Err, c.Detail
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	if t.Stopped() {
		return "", disk.ErrIO
	}
	l.env.FreeFile(f)
	if err != disk.OK {
		t.Disk(disk.Request{Kind: disk.Remove, Path: path})
	}
	return path + ": write failed: " + detail, err
}

// removeBefore removes the old log and older checkpoints. What stays behind through an error is removed at the next start.
func (l *Log) removeBefore(t *task.Task, oldLog, checkpoint string) {
	if oldLog != l.name {
		t.Disk(disk.Request{Kind: disk.Remove, Path: l.dir + "/" + oldLog})
	}
	c := t.Disk(disk.Request{Kind: disk.List, Path: l.dir})
	names := append([]string(nil), c.Names...)
	for _, n := range names {
		if len(n) == len(checkpoint) && n < checkpoint {
			t.Disk(disk.Request{Kind: disk.Remove, Path: l.dir + "/" + n})
		}
	}
	t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir})
}
