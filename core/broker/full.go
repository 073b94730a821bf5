package broker

import (
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
)

// fullEach is how often a line says that a log directory is full, however many partitions and shards meet it.
const fullEach = 10 * clock.Second

// fullness is what found no room in a log directory since the last line said so.
type fullness struct {
	needs   map[string]int64 // by directory of a log: the bytes of the last write, 0 of a log that could not be made. At most one a partition.
	missing int64            // their sum
	last    string           // the directory that was noted last
	told    clock.Time       // when the last line was written; 0: never
}

// noRoom notes that a log directory had no room for some bytes of a log, or, with none missing, for the log itself.
func (s *Shard) noRoom(logDir int, dir string, missing int64) {
	if s.env.Shard != 0 {
		s.send(step.Mail{Kind: mailFull, Slot: int32(logDir), A: missing, Body: dir})
		return
	}
	f := &s.dir.each[logDir].full
	if f.needs == nil {
		f.needs = map[string]int64{}
	}
	f.missing += missing - f.needs[dir]
	f.needs[dir], f.last = missing, dir
	s.tellFull(logDir)
}

// tellFull writes the line that is due: at once the first time, then one for all that was noted since.
func (s *Shard) tellFull(logDir int) {
	f, now, path := &s.dir.each[logDir].full, s.env.Now.Mono, s.state.Dirs[logDir].Path
	if len(f.needs) == 0 || f.told != 0 && now.Sub(f.told) < fullEach {
		return
	}
	const help = "free space there or lower retention.bytes"
	switch {
	case len(f.needs) > 1:
		s.env.Warnf("%s is full: %d partitions need %d bytes more; "+help, path, len(f.needs), f.missing)
	case f.missing == 0:
		s.env.Warnf("%s is full: %s is made once there is space; "+help, path, f.last)
	default:
		s.env.Warnf("%s is full: %s needs %d bytes more; "+help, path, f.last, f.missing)
	}
	f.needs, f.missing, f.told = nil, 0, now
}
