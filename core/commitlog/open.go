package commitlog

import (
	"encoding/base64"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Marks kept in memory: each boundary of the newest batches, and coarse ones over the newest 16 MiB.
const (
	recentMarks = 128
	coarseMarks = 256
)

// Open finds the log in dir and recovers it, or makes it. It runs inside a task; its error wraps a disk.Err or is a Corrupt.
func Open(t *task.Task, e *env.Env, dir string, opt Options) (*Log, error) {
	l := &Log{env: e, dir: dir, cfg: opt.Config, listener: opt.Listener, topicID: opt.TopicID, nextOrd: 1}
	l.recent.max, l.coarse.max = recentMarks, coarseMarks
	l.age.Owner = l
	return l, l.create(t)
}

// create makes an empty log. Nothing is synced: an empty log that is lost is made again.
func (l *Log) create(t *task.Task) error {
	if c := t.Disk(disk.Request{Kind: disk.Mkdir, Path: l.dir}); c.Err != disk.OK {
		return wrap("make directory "+l.dir, &c)
	}
	if l.topicID != ([16]byte{}) {
		text := "version: 0\ntopic_id: " + base64.RawURLEncoding.EncodeToString(l.topicID[:]) + "\n"
		if c := writeFile(t, l.env, l.dir+"/"+nameMetadata, []byte(text), false); c.Err != disk.OK {
			return wrap("write "+l.dir+"/"+nameMetadata, &c)
		}
	}
	s := l.addSegment(0)
	s.file = l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: s.name(l), Flags: disk.Create})
	if c.Err != disk.OK {
		return wrap("create "+s.name(l), &c)
	}
	s.opened, s.named = true, true
	return nil
}
