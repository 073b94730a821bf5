package solo

import (
	"fmt"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// MaxQueued bounds the proposals that wait for the one in flight. The controller has one at a time.
const MaxQueued = 64

// Log is the log. Its methods are called from within its shard's step.
type Log struct {
	env           *env.Env
	dir           string
	store         *metadata.Store // who hears of commits
	snapshotBytes int64           // how far the log may grow before a checkpoint replaces it

	term  int64 // of this run: one more than the newest on disk
	next  int64 // index of the next entry
	file  disk.File
	name  string // of file, without dir
	pos   int64  // end of the synced bytes of file
	grown int64  // bytes since the last checkpoint

	state   state
	queue   []proposal
	current []proposal // in the batch that is being written, in order
	buf     []byte     // that batch
	vec     [1][]byte
	compact *task.Task
}

type proposal struct {
	token disk.Token
	entry []byte
}

// state of the Log.
//
//	idle ─Propose─▶ writing ─ok─▶ syncing ─ok─▶ delivering ─▶ idle, or compacting ─▶ idle
//	writing ─no space─▶ truncating ─▶ delivering (refusals) ─▶ idle
//	any ─other error─▶ failed
//	any ─Close─▶ closed
type state uint8

const (
	idle state = iota
	writing
	syncing
	truncating
	delivering
	compacting
	failed
	closed
)

// SetCommitter says who hears of commits. It is called once, after Open and before the first Propose.
func (l *Log) SetCommitter(s *metadata.Store) {
	assert.That(l.store == nil, "solo: committer set twice")
	l.store = s
}

// Leader is always true while the log works.
func (l *Log) Leader() bool { return l.state != failed && l.state != closed }

// Term is the term of this run.
func (l *Log) Term() int64 { return l.term }

// Next is the index of the next entry.
func (l *Log) Next() int64 { return l.next }

// Propose queues an entry. All that is queued becomes one batch once the batch in flight is synced.
func (l *Log) Propose(token disk.Token, _ int64, entry []byte) {
	assert.That(l.store != nil, "solo: proposed before SetCommitter")
	assert.That(token != 0, "solo: proposal without a token")
	assert.That(len(entry) <= metadata.MaxEntryBytes, "solo: entry above its bound")
	if l.state == failed || l.state == closed {
		return // the process is about to end; the committer knows
	}
	assert.That(len(l.queue) < MaxQueued, "solo: too many proposals")
	l.queue = append(l.queue, proposal{token, entry})
	l.write()
}

// write starts the next batch, if nothing is in flight.
func (l *Log) write() {
	if l.state != idle || len(l.queue) == 0 {
		return
	}
	entries := make([][]byte, 0, len(l.queue))
	size := 0
	for _, p := range l.queue {
		if len(entries) > 0 && size+len(p.entry) > metadata.MaxEntryBytes {
			break
		}
		entries, size = append(entries, p.entry), size+len(p.entry)
	}
	l.current = append(l.current[:0], l.queue[:len(entries)]...)
	l.queue = append(l.queue[:0], l.queue[len(entries):]...)
	l.buf = appendBatch(l.buf[:0], l.next, int32(l.term), int64(l.env.Now.Wall), entries)
	l.vec[0] = l.buf
	l.state = writing
	l.env.Disk(disk.Request{Kind: disk.Write, File: l.file, Off: l.pos, Vec: l.vec[:]}, env.Op{Owner: l})
}

// DiskDone is the shard's call: the one request in flight has completed.
func (l *Log) DiskDone(_ env.Op, c *disk.Completion) {
	if l.state == closed {
		return
	}
	switch {
	case l.state == writing && c.Err == disk.ErrNoSpace:
		l.state = truncating
		l.env.Disk(disk.Request{Kind: disk.Truncate, File: l.file, Size: l.pos}, env.Op{Owner: l})
	case c.Err != disk.OK:
		l.fail(c.Err, fmt.Sprintf("%s/%s: %s failed: %s", l.dir, l.name, l.state, c.Detail))
	case l.state == writing:
		l.state = syncing
		l.env.Disk(disk.Request{Kind: disk.Sync, File: l.file}, env.Op{Owner: l})
	case l.state == syncing:
		l.pos += int64(len(l.buf))
		l.grown += int64(len(l.buf))
		l.deliver(disk.OK)
	case l.state == truncating:
		l.env.Warnf("metadata log: no space left in %s for %d bytes; free space or add some", l.dir, len(l.buf))
		l.deliver(disk.ErrNoSpace)
	default:
		assert.Never("solo: a completion that nothing waits for")
	}
}

func (s state) String() string {
	return [...]string{"idle", "write", "sync", "truncate", "delivery", "checkpoint", "failed", "closed"}[s]
}

// deliver answers the proposals of the batch. What they make the committer propose is queued meanwhile.
func (l *Log) deliver(err disk.Err) {
	l.state = delivering
	for _, p := range l.current {
		if err != disk.OK {
			l.store.Refused(p.token, err)
			continue
		}
		index := l.next
		l.next++
		l.store.Committed(index, l.term, p.entry, p.token)
	}
	clear(l.current)
	l.current = l.current[:0]
	if l.state != delivering { // a committer failed the log
		return
	}
	l.state = idle
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	if l.grown >= l.snapshotBytes {
		l.startCompaction()
		return
	}
	l.write()
}

func (l *Log) fail(err disk.Err, what string) {
	l.state = failed
	l.queue, l.current = nil, nil
	l.store.Failed(err, what)
}

// Close ends the log: no proposal may be in flight. What it still asked of the disk is left to itself.
func (l *Log) Close(t *task.Task) {
	if l.compact != nil {
		l.compact.Stop()
	}
	if l.state == closed {
		return
	}
	busy := l.state == writing || l.state == syncing || l.state == truncating
	l.state = closed
	if !busy && l.file != 0 && !t.Stopped() {
		t.Disk(disk.Request{Kind: disk.Close, File: l.file})
		l.env.FreeFile(l.file)
	}
}
