package broker

import (
	"encoding/binary"
	"testing"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// lean drives shard 0 without allocating itself: one frame in, disk completions until nothing is asked, sends answered.
type lean struct {
	n   *node
	x   *driver
	c   *client
	ev  step.Event
	dq  []disk.Request
	sq  []disk.Token
	buf []byte // the last response's head
	ext int64  // and the bytes of its extents
}

func newLean(t testing.TB, set ...string) *lean {
	n := bootNode(t, newMemDisk(), 1, set...)
	c := n.connect(0)
	n.mustCreate(c, "t", 1, "segment.bytes=1073741824")
	return &lean{n: n, x: n.shards[0], c: c, buf: make([]byte, 0, 1<<16)}
}

func (l *lean) frame(b []byte) {
	lease := l.x.pool.Get(len(b))
	copy(lease.Bytes, b)
	l.buf, l.ext = l.buf[:0], 0
	l.ev = step.Event{Kind: step.FrameArrived, Frame: network.Frame{Conn: l.c.id, Bytes: lease.Bytes[:len(b)], Lease: lease}}
	l.step()
	lease.Release()
	for l.flush(); len(l.dq) > 0 || len(l.sq) > 0; l.flush() {
		for i := range l.dq {
			l.ev = step.Event{Kind: step.DiskDone, Disk: l.complete(&l.dq[i])}
			l.step()
		}
		l.dq = l.dq[:0]
		for _, tok := range l.sq {
			l.ev = step.Event{Kind: step.SendDone, Sent: tok}
			l.step()
		}
		l.sq = l.sq[:0]
	}
}

// complete says that what was asked is done; the bytes are not kept.
func (l *lean) complete(r *disk.Request) (c disk.Completion) {
	c.Token = r.Token
	switch r.Kind {
	case disk.Write:
		for _, b := range r.Vec {
			c.N += int64(len(b))
		}
	case disk.Sync:
	default:
		return l.n.disk.do(r)
	}
	return c
}

func (l *lean) step() { l.x.s.Step(l.n.now, &l.ev, &l.x.out) }

func (l *lean) flush() {
	l.ev = step.Event{Kind: step.Flush}
	l.step()
	o := &l.x.out
	l.dq = append(l.dq, o.Disk...)
	for i := range o.Send {
		s := &o.Send[i]
		l.buf = append(l.buf, o.Arena[s.A:s.B]...)
		l.ext += int64(s.Ext.Len)
		if s.Token != 0 {
			l.sq = append(l.sq, s.Token)
		}
	}
	o.Reset()
}

func TestAWarmProduceDoesNotAllocate(t *testing.T) {
	for _, acks := range []int16{0, 1, -1} {
		l := newLean(t)
		b := frameOf(produceTo("t", 0, acks, batchOf(1, 100)), 1)
		for range 3000 {
			l.frame(b)
		}
		if got := testing.AllocsPerRun(200, func() { l.frame(b) }); got > 0 {
			t.Errorf("acks=%d: %v allocations", acks, got)
		}
		if end := l.x.s.state.Parts[0].Log.End(); end < 3000 {
			t.Fatalf("acks=%d: only %d records are there", acks, end)
		}
	}
}

func TestAWarmFetchDoesNotAllocate(t *testing.T) {
	for _, session := range []bool{false, true} {
		l := newLean(t)
		p := frameOf(produceTo("t", 0, 1, batchOf(1, 100)), 1)
		for range 4000 {
			l.frame(p)
		}
		q := fetchFrom("t", 0, 3890, 0, 1)
		q.Version, q.Topics[0].TopicID = 13, l.x.s.state.Image.TopicByName("t").ID
		q.Topics[0].Partitions[0].PartitionMaxBytes = 1000
		if session {
			q.SessionEpoch = 0
			l.frame(frameOf(q, 1))
			q.SessionID = int32(binary.BigEndian.Uint32(l.buf[15:])) // after length, header, throttle time and code
			if q.SessionID == 0 {
				t.Fatal("no session")
			}
		}
		var frames [][]byte // a reader that goes on where its last answer ended, a record at a time
		for range 100 {
			if session {
				q.SessionEpoch++
			}
			q.Topics[0].Partitions[0].FetchOffset++
			frames = append(frames, frameOf(q, 1))
		}
		i := 0
		run := func() {
			l.frame(frames[i])
			if i++; l.ext == 0 {
				t.Fatal("nothing was fetched")
			}
		}
		for range 20 {
			run()
		}
		if got := testing.AllocsPerRun(60, run); got > 0 {
			t.Errorf("session %v: %v allocations", session, got)
		}
	}
}
