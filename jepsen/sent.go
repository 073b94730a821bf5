package jepsen

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// sent knows what left a producer: under which producer id, epoch and sequence each value was sent, and how often.
type sent struct {
	mu sync.Mutex
	by map[history.Value]sending
}

// sending is how a value was last sent.
type sending struct {
	pid      int64
	epoch    int16
	seq      int32
	attempts int32
	moved    bool // it was sent under another sequence before, so that two copies may stand
}

func newSent() *sent { return &sent{by: map[history.Value]sending{}} }

// hearers is what it listens to.
func (s *sent) hearers() map[kmsg.Key]hearer {
	return map[kmsg.Key]hearer{kmsg.Produce: func(r kmsg.Request) func(kmsg.Response) {
		q := r.(*kmsg.ProduceRequest)
		for i := range q.Topics {
			for j := range q.Topics[i].Partitions {
				s.batch(q.Topics[i].Partitions[j].Records)
			}
		}
		return nil
	}}
}

// take gives what is known of a value, and forgets it.
func (s *sent) take(v history.Value) sending {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.by[v]
	delete(s.by, v)
	return was
}

// fill completes an operation of one record with how it was sent.
func (s sending) fill(o *history.Op) {
	if o.Attempts = s.attempts; s.attempts > 0 && !s.moved {
		o.PID, o.Epoch, o.Seq = s.pid, s.epoch, s.seq
	}
}

func (s *sent) batch(b []byte) {
	var batch kmsg.RecordBatch
	if batch.ReadFrom(b) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
			s.note(v, sending{pid: batch.ProducerID, epoch: batch.ProducerEpoch, seq: batch.FirstSequence + i})
		}
	}
}

func (s *sent) note(v history.Value, x sending) {
	before, again := s.by[v]
	x.attempts = before.attempts + 1
	x.moved = before.moved || again && (before.pid != x.pid || before.epoch != x.epoch || before.seq != x.seq)
	s.by[v] = x
}
