package commitlog

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Entry is one line of a directory's checkpoint (recovery-point-offset-checkpoint, log-start-offset-checkpoint,
// replication-offset-checkpoint): an offset of one partition.
type Entry struct {
	Topic     string
	Partition int32
	Offset    int64
}

// ErrCheckpoint says that a checkpoint file is not one; it is made anew.
var ErrCheckpoint = errors.New("commitlog: malformed checkpoint file")

// AppendCheckpoint adds the text of a checkpoint, version 0: "topic partition offset" on each line after version and count, and its sum.
func AppendCheckpoint(dst []byte, entries []Entry) []byte {
	from := len(dst)
	dst = appendCount(dst, len(entries))
	for _, e := range entries {
		dst = append(append(dst, e.Topic...), ' ')
		dst = append(strconv.AppendInt(dst, int64(e.Partition), 10), ' ')
		dst = append(strconv.AppendInt(dst, e.Offset, 10), '\n')
	}
	return appendSum(dst, from)
}

// appendCount begins a checkpoint: version 0 and the number of entries.
func appendCount(dst []byte, n int) []byte {
	return append(strconv.AppendInt(append(dst, "0\n"...), int64(n), 10), '\n')
}

// ParseCheckpoint reads the text of a checkpoint.
func ParseCheckpoint(text []byte) ([]Entry, error) {
	var list []Entry
	ok := parseLines(text, 3, func(f [][]byte) bool {
		p, ok1 := parseInt(f[1])
		o, ok2 := parseInt(f[2])
		list = append(list, Entry{Topic: string(f[0]), Partition: int32(p), Offset: o})
		return ok1 && ok2 && p <= 1<<31-1
	})
	if !ok {
		return nil, ErrCheckpoint
	}
	return list, nil
}

// WriteCheckpoint replaces a checkpoint file of a data directory: temporary file, sync, rename, sync of the directory.
func WriteCheckpoint(t *task.Task, path string, entries []Entry) error {
	dir := parent(path)
	c := replaceFile(t, t.Env(), dir, path[len(dir)+1:], AppendCheckpoint(nil, entries))
	if c.Err != disk.OK {
		return wrap("write "+path, &c)
	}
	return nil
}

// ReadCheckpoint reads a checkpoint file; a missing one is empty. ErrCheckpoint says that it is damaged.
func ReadCheckpoint(t *task.Task, path string) ([]Entry, error) {
	b, c := readFile(t, t.Env(), path)
	if c.Err == disk.ErrNotExist {
		return nil, nil
	}
	if c.Err != disk.OK {
		return nil, wrap("read "+path, &c)
	}
	return ParseCheckpoint(b)
}

// replaceFile makes dir/name hold exactly b, whatever happens meanwhile: the old content or the new.
func replaceFile(t *task.Task, e *env.Env, dir, name string, b []byte) disk.Completion {
	path := dir + "/" + name
	synced := name != nameEpochs || !plant.On(plant.S2)
	c := writeFile(t, e, path+suffixTemp, b, synced)
	if c.Err == disk.OK {
		c = t.Disk(disk.Request{Kind: disk.Rename, Path: path + suffixTemp, NewPath: path})
	}
	if c.Err == disk.OK && synced {
		c = t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir})
	}
	return c
}

// parseLines checks version 0, the count and the sum, and gives the fields of each line; all of the text must be used.
func parseLines(text []byte, fields int, each func([][]byte) bool) bool {
	body, ok := withoutSum(text)
	lines := bytes.Split(body, []byte("\n"))
	if !ok || len(lines) < 2 || string(lines[0]) != "0" {
		return false
	}
	n, ok := parseInt(lines[1])
	if !ok || n != int64(len(lines)-2) {
		return false
	}
	for _, line := range lines[2:] {
		f := bytes.Split(line, []byte(" "))
		if len(f) != fields || !each(f) {
			return false
		}
	}
	return true
}

// parseInt reads a decimal number that is not negative.
func parseInt(b []byte) (int64, bool) {
	v, err := strconv.ParseInt(string(b), 10, 64)
	return v, err == nil && v >= 0
}
