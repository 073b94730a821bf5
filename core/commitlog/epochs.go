package commitlog

import "github.com/seedlog/seedlog/core/task"

// epochs is the leader epoch cache (KIP-101): where each epoch began. Epochs and starts strictly ascend.
type epochs struct {
	list  []epochStart
	saved bool // leader-epoch-checkpoint holds the list, or is being given it
}

type epochStart struct {
	epoch int32
	start int64
}

// add notes that a batch of this epoch stands at offset, and says whether the epoch is new. It takes the place of epochs of which nothing is
// left, whose start deletion has moved to the end.
func (e *epochs) add(epoch int32, offset int64) bool {
	if epoch < 0 || epoch <= e.latest() {
		return false
	}
	e.cutEnd(offset)
	e.list = append(e.list, epochStart{epoch, offset})
	e.saved = false
	return true
}

// makeRoom forgets the epochs at the end that an entry contradicts: they were begun here and nothing was written in them, or the leader
// says otherwise (Kafka's truncation of non-monotonic entries).
func (e *epochs) makeRoom(epoch int32, start int64) {
	for k := len(e.list); k > 0; k-- {
		last := e.list[k-1]
		if last.start < start && last.epoch <= epoch || last.epoch == epoch {
			return
		}
		e.removeLast()
	}
}

// correct has the list say what the batch at offset says, and gives whether it said otherwise. What it says of later batches is forgotten: they
// are read too. Of a batch that begins below the list nothing is said: the log start may have moved into it.
func (e *epochs) correct(epoch int32, offset int64) bool {
	i := len(e.list) - 1
	for i >= 0 && e.list[i].start > offset {
		i--
	}
	if epoch < 0 || i < 0 || e.list[i].epoch == epoch {
		return false
	}
	for k := len(e.list); k > 0 && (e.list[k-1].start >= offset || e.list[k-1].epoch >= epoch); k-- {
		e.removeLast()
	}
	e.list = append(e.list, epochStart{epoch, offset})
	e.saved = false
	return true
}

// removeLast takes back the newest epoch.
func (e *epochs) removeLast() {
	e.list = e.list[:len(e.list)-1]
	e.saved = false
}

// latest gives the newest epoch, -1 if none.
func (e *epochs) latest() int32 {
	if len(e.list) == 0 {
		return -1
	}
	return e.list[len(e.list)-1].epoch
}

// cutEnd forgets epochs that begin at or after end.
func (e *epochs) cutEnd(end int64) {
	for len(e.list) > 0 && e.list[len(e.list)-1].start >= end {
		e.removeLast()
	}
}

// cutStart forgets epochs that end at or before start; the one that holds start begins there (Kafka's truncateFromStart).
func (e *epochs) cutStart(start int64) {
	i := 0
	for i+1 < len(e.list) && e.list[i+1].start <= start {
		i++
	}
	if len(e.list) == 0 || e.list[0].start >= start {
		return
	}
	e.list = append(e.list[:0], e.list[i:]...)
	e.list[0].start = max(e.list[0].start, start)
	e.saved = false
}

// EpochEnd answers OffsetForLeaderEpoch (KIP-320): the greatest known epoch not above the one asked for, and where it ends.
// -1, -1 if nothing is known of it.
func (l *Log) EpochEnd(epoch int32) (foundEpoch int32, endOffset int64) {
	list := l.epochs.list
	if epoch < 0 || len(list) == 0 || epoch > l.epochs.latest() {
		return -1, -1
	}
	if epoch == l.epochs.latest() {
		return epoch, l.end
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].epoch <= epoch {
			return list[i].epoch, list[i+1].start
		}
	}
	return epoch, list[0].start
}

// BeginEpoch notes that a new leader's epoch begins at the log's end, before anything is written in it (KAFKA-7415): whoever asks where an
// earlier epoch ends is told so already. The file follows.
func (l *Log) BeginEpoch(epoch int32) {
	l.epochs.makeRoom(epoch, l.end)
	if l.epochs.add(epoch, l.end) && !l.failed && !l.closing {
		l.spawn(func(t *task.Task) { l.saveEpochs(t) })
	}
}

// LatestEpoch is the epoch of the newest batch, -1 if none.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest() }

// EpochAt is the epoch of the batch at offset, -1 if not known.
func (l *Log) EpochAt(offset int64) int32 {
	for i := len(l.epochs.list) - 1; i >= 0; i-- {
		if l.epochs.list[i].start <= offset {
			return l.epochs.list[i].epoch
		}
	}
	return -1
}
