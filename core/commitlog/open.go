package commitlog

import (
	"encoding/base64"
	"fmt"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Marks kept in memory: each boundary of the newest batches, and coarse ones over the newest 16 MiB.
const (
	recentMarks = 128
	coarseMarks = 256
)

// Foreign says that the directory holds the log of another topic, one that had the same name. Nothing was changed.
type Foreign struct {
	Dir     string
	TopicID [16]byte
}

func (f *Foreign) Error() string {
	return "commitlog: " + f.Dir + " holds a log of topic id " + base64.RawURLEncoding.EncodeToString(f.TopicID[:])
}

// ReadTopicID gives the topic id in a directory's partition.metadata, and whether there is one.
func ReadTopicID(t *task.Task, e *env.Env, dir string) (id [16]byte, ok bool, err disk.Err) {
	b, c := readFile(t, e, dir+"/"+nameMetadata)
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return id, false, c.Err
	}
	id, ok = parseMetadata(b)
	return id, ok, disk.OK
}

// Open finds the log in dir and recovers it, or makes it. It runs inside a task. Its error wraps a disk.Err, or is a *Corrupt or a *Foreign.
func Open(t *task.Task, e *env.Env, dir string, opt Options) (*Log, error) {
	l := &Log{env: e, dir: dir, cfg: opt.Config, listener: opt.Listener, topicID: opt.TopicID, nextOrd: 1}
	l.recent.max, l.coarse.max = recentMarks, coarseMarks
	l.age.Owner = l
	err := l.open(t, opt)
	if err != nil && !t.Stopped() {
		l.failed = true
		l.closeFiles(t)
	}
	if err != nil || t.Stopped() {
		return nil, err
	}
	return l, nil
}

func (l *Log) open(t *task.Task, opt Options) error {
	c := t.Disk(disk.Request{Kind: disk.List, Path: l.dir})
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return wrap("list "+l.dir, &c)
	}
	if opt.TopicID != ([16]byte{}) && c.Err == disk.OK {
		id, ok, err := ReadTopicID(t, l.env, l.dir)
		if err != disk.OK {
			return fmt.Errorf("read %s/%s: %w", l.dir, nameMetadata, err)
		}
		if !ok {
			id, ok = opt.Owner, opt.Owner != [16]byte{}
		}
		if ok && id != opt.TopicID {
			return &Foreign{l.dir, id}
		}
	}
	if c.Err == disk.OK {
		if err := l.lower(t, &opt); err != nil {
			return err
		}
	}
	names, err := l.finishSwaps(t, c.Names)
	if err != nil {
		return err
	}
	segments := 0
	for _, n := range names {
		if _, suffix, ok := parseName(n); ok && suffix == suffixLog {
			segments++
		}
	}
	switch {
	case segments > 0:
		r := recovery{Log: l, t: t, opt: opt}
		return r.run(names)
	case opt.RecoveryPoint > opt.StartOffset:
		return &Corrupt{Dir: l.dir, RecoveryPoint: opt.RecoveryPoint}
	case !opt.Create:
		return fmt.Errorf("open %s: %w", l.dir, disk.ErrNotExist)
	}
	if err := l.dropOrphans(t, names); err != nil {
		return err
	}
	return l.create(t, opt.StartOffset)
}

// dropOrphans removes what a log that is gone knew of producers, before there is one that would take it for its own.
func (l *Log) dropOrphans(t *task.Task, names []string) error {
	dropped := false
	for _, n := range names {
		if _, suffix, ok := parseName(n); !ok || suffix != suffixSnapshot {
			continue
		}
		if c := t.Disk(disk.Request{Kind: disk.Remove, Path: l.dir + "/" + n}); c.Err != disk.OK && c.Err != disk.ErrNotExist {
			return wrap("remove "+l.dir+"/"+n, &c)
		}
		dropped = true
	}
	if !dropped {
		return nil
	}
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}); c.Err != disk.OK {
		return wrap("sync directory "+l.dir, &c)
	}
	return nil
}

// create makes an empty log. Nothing is synced: an empty log that is lost is made again.
func (l *Log) create(t *task.Task, start int64) error {
	if c := t.Disk(disk.Request{Kind: disk.Mkdir, Path: l.dir}); c.Err != disk.OK {
		return wrap("make directory "+l.dir, &c)
	}
	if err := l.writeMetadata(t); err != nil {
		return err
	}
	return l.firstSegment(t, start)
}

// firstSegment makes the first segment.
func (l *Log) firstSegment(t *task.Task, start int64) error {
	s := l.addSegment(start)
	l.start, l.synced, l.written, l.end, l.cleaned = start, start, start, start, start
	l.producers.Start = start
	s.file = l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: s.name(l), Flags: disk.Create})
	if c.Err != disk.OK {
		l.env.FreeFile(s.file)
		s.file = 0
		return wrap("create "+s.name(l), &c)
	}
	s.opened, s.named = true, true
	return nil
}

// writeMetadata writes partition.metadata, Kafka's version 0 with a line of ours behind, unsynced.
func (l *Log) writeMetadata(t *task.Task) error {
	if l.topicID == ([16]byte{}) {
		return nil
	}
	text := "version: 0\ntopic_id: " + base64.RawURLEncoding.EncodeToString(l.topicID[:]) + "\n"
	text += sumLine([]byte(text))
	if c := writeFile(t, l.env, l.dir+"/"+nameMetadata, []byte(text), false); c.Err != disk.OK {
		return wrap("write "+l.dir+"/"+nameMetadata, &c)
	}
	return nil
}
