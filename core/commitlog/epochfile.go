package commitlog

import (
	"strconv"

	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// The file leader-epoch-checkpoint is Kafka's, version 0: a line with the version, one with the number of entries, then
// "epoch startOffset" on each line. It ends with its sum.

func (e *epochs) appendText(dst []byte) []byte {
	from := len(dst)
	dst = appendCount(dst, len(e.list))
	for _, s := range e.list {
		dst = append(strconv.AppendInt(dst, int64(s.epoch), 10), ' ')
		dst = append(strconv.AppendInt(dst, s.start, 10), '\n')
	}
	return appendSum(dst, from)
}

// parse replaces the list, or leaves it empty and returns false if the text is not a whole checkpoint of ascending entries.
func (e *epochs) parse(text []byte) bool {
	e.list, e.saved = nil, false
	var list []epochStart
	ok := parseLines(text, 2, func(f [][]byte) bool {
		epoch, ok1 := parseInt(f[0])
		start, ok2 := parseInt(f[1])
		if !ok1 || !ok2 || epoch > 1<<31-1 {
			return false
		}
		if k := len(list); k > 0 && (int64(list[k-1].epoch) >= epoch || list[k-1].start >= start) {
			return false
		}
		list = append(list, epochStart{int32(epoch), start})
		return true
	})
	if ok {
		e.list = list
	}
	return ok
}

// saveEpochs makes the file hold the present list, durably.
func (l *Log) saveEpochs(t *task.Task) bool {
	for l.savingEpochs && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if t.Stopped() || l.failed {
		return false
	}
	if l.epochs.saved {
		return true
	}
	l.savingEpochs = true
	l.epochs.saved = true
	c := replaceFile(t, l.env, l.dir, nameEpochs, l.epochs.appendText(nil))
	l.savingEpochs = false
	if t.Stopped() {
		return false
	}
	if c.Err != disk.OK {
		l.epochs.saved = false
		l.softFail(&c, "write "+l.dir+"/"+nameEpochs)
	}
	return c.Err == disk.OK
}
