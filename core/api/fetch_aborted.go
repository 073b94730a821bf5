package api

import (
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/disk"
)

// hides notes which aborted transactions a read_committed consumer must leave out of what is read up to next. It is false if a file must be read.
func (s *State) hides(it *Item, next int64) (ok bool) {
	s.hidden, ok = it.log.Aborted(s.hidden[:0], it.Offset, next)
	it.hide(s.hidden)
	return ok
}

func (it *Item) hide(list []commitlog.Aborted) {
	it.aborted = nil
	if len(list) == 0 {
		return
	}
	it.aborted = make([]wire.AbortedTxn, len(list))
	for i := range list {
		it.aborted[i] = wire.AbortedTxn{ProducerID: list[i].ProducerID, FirstOffset: list[i].First}
	}
}

// hidesSlow is hides with reads, of what take has found and pinned. False: the task was stopped.
func (s *State) hidesSlow(t *task.Task, c *call, it *Item) bool {
	list, err := it.log.AbortedSlow(t, it.Offset, it.Next)
	if t.Stopped() {
		return false
	}
	it.hide(list)
	if err != disk.OK {
		it.log.Unpin(it.Ext.File)
		c.limit += int64(it.Ext.Len)
		it.Ext, it.Code = disk.Extent{}, kerr.KafkaStorageError
	}
	return true
}
