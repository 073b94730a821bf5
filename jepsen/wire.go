package jepsen

import (
	"context"
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// wire knows what left a client: under which producer id, epoch and sequence each value was sent, and how often. The client's own interface
// does not tell. It reads the Produce requests of each connection as they are written, before anybody can answer them.
type wire struct {
	dial func(ctx context.Context, network, host string) (net.Conn, error)
	mu   sync.Mutex
	sent map[history.Value]sending
}

// sending is how a value was last sent.
type sending struct {
	pid      int64
	epoch    int16
	seq      int32
	attempts int32
	moved    bool // it was sent under another sequence before, so that two copies may stand
}

func newWire(dial func(ctx context.Context, network, host string) (net.Conn, error)) *wire {
	return &wire{dial: dial, sent: map[history.Value]sending{}}
}

// Dial makes a connection that is read along.
func (w *wire) Dial(ctx context.Context, network, host string) (net.Conn, error) {
	c, err := w.dial(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: c, w: w}, nil
}

// take gives what is known of a value, and forgets it.
func (w *wire) take(v history.Value) sending {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sent[v]
	delete(w.sent, v)
	return s
}

// fill completes an operation of one record with how it was sent.
func (s sending) fill(o *history.Op) {
	if o.Attempts = s.attempts; s.attempts > 0 && !s.moved {
		o.PID, o.Epoch, o.Seq = s.pid, s.epoch, s.seq
	}
}

// tapped is a connection whose writes are read along.
type tapped struct {
	net.Conn
	w    *wire
	left int    // bytes of a frame that is of no interest
	buf  []byte // of a frame that is
}

// maxFrame bounds what is kept of one request, in bytes.
const maxFrame = 16 << 20

func (c *tapped) Write(b []byte) (int, error) {
	c.along(b)
	return c.Conn.Write(b)
}

// along takes frames out of what is written: size, API key, the rest.
func (c *tapped) along(b []byte) {
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			c.left, b = c.left-n, b[n:]
			continue
		}
		need := 6
		if len(c.buf) >= need {
			need = 4 + int(binary.BigEndian.Uint32(c.buf))
		}
		n := min(need-len(c.buf), len(b))
		c.buf, b = append(c.buf, b[:n]...), b[n:]
		if len(c.buf) < need {
			return
		}
		size := int(binary.BigEndian.Uint32(c.buf))
		switch {
		case size < 2 || size > maxFrame || binary.BigEndian.Uint16(c.buf[4:]) != uint16(kmsg.Produce):
			c.left, c.buf = max(0, size-2), c.buf[:0]
		case len(c.buf) == 4+size:
			c.w.request(c.buf[4:])
			c.buf = c.buf[:0]
		}
	}
}

// request reads one Produce request: header, client id, body.
func (w *wire) request(b []byte) {
	if len(b) < 10 {
		return
	}
	version := int16(binary.BigEndian.Uint16(b[2:]))
	skip := 10 + max(0, int(int16(binary.BigEndian.Uint16(b[8:]))))
	req := kmsg.NewPtrProduceRequest()
	if req.SetVersion(version); req.IsFlexible() {
		skip++ // no tagged fields
	}
	if skip > len(b) || req.ReadFrom(b[skip:]) != nil {
		return
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			w.batch(req.Topics[i].Partitions[j].Records)
		}
	}
}

func (w *wire) batch(b []byte) {
	var batch kmsg.RecordBatch
	if batch.ReadFrom(b) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := batch.Records
	for i := range batch.NumRecords {
		size, n := binary.Varint(rest)
		if n <= 0 || size < 0 || int64(len(rest)-n) < size {
			return
		}
		var r kmsg.Record
		if r.ReadFrom(rest[:n+int(size)]) != nil {
			return
		}
		rest = rest[n+int(size):]
		if v, ok := history.ParseValue(r.Value); ok {
			w.note(v, sending{pid: batch.ProducerID, epoch: batch.ProducerEpoch, seq: batch.FirstSequence + i})
		}
	}
}

func (w *wire) note(v history.Value, s sending) {
	before, again := w.sent[v]
	s.attempts = before.attempts + 1
	s.moved = before.moved || again && (before.pid != s.pid || before.epoch != s.epoch || before.seq != s.seq)
	w.sent[v] = s
}
