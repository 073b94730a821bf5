package commitlog

import (
	"strconv"

	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// lowered is the content of truncation-checkpoint: how far the recovery point and the log start of the directory's checkpoints count, since
// a truncation went below what they may still hold. It is ours, and Kafka passes such a file over.
type lowered struct{ point, start int64 }

// noCap is a start that nothing is above.
const noCap = maxOffset

func (c lowered) appendText(dst []byte) []byte {
	from := len(dst)
	dst = appendCount(dst, 1)
	dst = append(strconv.AppendInt(dst, c.point, 10), ' ')
	return appendSum(append(strconv.AppendInt(dst, c.start, 10), '\n'), from)
}

// parseLowered reads the file. A damaged one caps everything: a recovery reads more, and what DeleteRecords took off the log may come back.
func parseLowered(text []byte) (c lowered) {
	ok := parseLines(text, 2, func(f [][]byte) bool {
		point, ok1 := parseInt(f[0])
		start, ok2 := parseInt(f[1])
		c = lowered{point, start}
		return ok1 && ok2
	})
	if !ok {
		return lowered{}
	}
	return c
}

// lower caps what the checkpoints said. After a clean stop they are as the log was left.
func (l *Log) lower(t *task.Task, opt *Options) error {
	path := l.dir + "/" + nameLowered
	b, c := readFile(t, l.env, path)
	if c.Err == disk.ErrNotExist {
		return nil
	}
	if c.Err != disk.OK {
		return wrap("read "+path, &c)
	}
	l.capped = parseLowered(b)
	l.hasCap = true
	if opt.Clean {
		l.dropCap(t)
		return nil
	}
	sometimes.Hit("log: a start finds that a truncation was interrupted")
	opt.RecoveryPoint, opt.StartOffset = min(opt.RecoveryPoint, l.capped.point), min(opt.StartOffset, l.capped.start)
	return nil
}

// saveCap makes the file hold a cap, or a lower one that is still needed. It waits for space.
func (l *Log) saveCap(t *task.Task, c lowered) bool {
	if l.hasCap {
		c.point, c.start = min(c.point, l.capped.point), min(c.start, l.capped.start)
	}
	for !l.failed && !l.closing {
		d := replaceFile(t, l.env, l.dir, nameLowered, c.appendText(nil))
		if t.Stopped() {
			return false
		}
		if d.Err == disk.OK {
			l.capped, l.hasCap = c, true
			return true
		}
		l.softFail(&d, "write "+l.dir+"/"+nameLowered)
		t.Sleep(capRetry)
	}
	return false
}

// Checkpointed says that the directory's checkpoints hold this recovery point and this start of the log, durably: a cap is needed no more.
func (l *Log) Checkpointed(point, start int64) {
	if !l.hasCap || l.cutting || l.failed || l.closing || point > l.synced || start > l.start {
		return
	}
	l.hasCap = false
	l.spawn(func(t *task.Task) { l.dropCap(t) })
}

// Capped says whether Checkpointed is waited for. Until then a recovery reads from where the log was cut.
func (l *Log) Capped() bool { return l.hasCap && !l.cutting && !l.failed && !l.closing }

func (l *Log) dropCap(t *task.Task) {
	l.hasCap = false
	t.Disk(disk.Request{Kind: disk.Remove, Path: l.dir + "/" + nameLowered})
	t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir})
}
