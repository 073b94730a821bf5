package commitlog

import (
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// drop closes and unlinks the files of a segment that has left the log, once no response holds it any more.
func (l *Log) drop(t *task.Task, s *segment) {
	l.removing++
	for s.pins > 0 && !t.Stopped() && !plant.On(plant.P4) {
		t.Sleep(clock.Millisecond)
	}
	if s.file != 0 {
		closeFile(t, l.env, s.file)
		s.file = 0
	}
	for _, suffix := range [...]string{suffixLog, suffixIndex, suffixTimeIndex} {
		t.Disk(disk.Request{Kind: disk.Remove, Path: l.path(s.base, suffix)})
	}
	l.removing--
}

func (l *Log) seal(s *segment) { s.sealing = true }
func (l *Log) persist()        {}

// Pin holds the file of an extent that is on its way out.
func (l *Log) Pin(f disk.File) {
	if s := l.byFile(f); s != nil {
		s.pins++
	}
}

// Unpin lets go of what Pin held.
func (l *Log) Unpin(f disk.File) {
	if s := l.byFile(f); s != nil {
		s.pins--
	}
}

func (l *Log) byFile(f disk.File) *segment {
	for i := len(l.segs) - 1; i >= 0; i-- {
		if l.segs[i].file == f {
			return l.segs[i]
		}
	}
	return nil
}
