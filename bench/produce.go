package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shape is how a load of Produce requests looks. Each connection writes to one partition.
type shape struct {
	partitions, conns int
	inFlight          int  // requests on a connection that are not answered
	stamped           int8 // each batch has a producer and a sequence number (1), or its checksum is made anew like theirs (-1)
	records, size     int  // of a batch; bytes of a record's value
}

// rawShape has batches of 64 KiB with records of 1 KiB.
var rawShape = shape{partitions: 6, conns: 6, inFlight: 5, records: 64 << 10 / (1<<10 + 12), size: 1 << 10}

// oneShape has one record of 100 bytes a request.
func oneShape(inFlight int) shape {
	return shape{partitions: 1, conns: 1, inFlight: inFlight, records: 1, size: 100}
}

func rawProduce(ctx context.Context, s *system, scale float64) (*sample, error) {
	return produceGB(ctx, s, 1.5*scale, rawShape)
}

// idempotence sends batches of 64 KiB with and without producers, in turns, and sets the one against the other.
func idempotence(ctx context.Context, s *system, scale float64) (*sample, error) {
	const turns = 4
	var with, without sample
	for turn := range 2 * turns {
		sh, to := rawShape, &without
		if sh.stamped = -1; turn%2 == 1 {
			sh.stamped, to = 1, &with
		}
		x, err := produceGB(ctx, s, 1.5*scale/turns, sh)
		if err != nil {
			return nil, err
		}
		to.seconds, to.cpu, to.records, to.bytes = to.seconds+x.seconds, to.cpu+x.cpu, to.records+x.records, to.bytes+x.bytes
	}
	with.more = map[string]float64{"idempotent_rate": (with.records / with.seconds) / (without.records / without.seconds),
		"idempotent_cpu": (with.cpu / with.bytes) / (without.cpu / without.bytes)}
	return &with, nil
}

func produceGB(ctx context.Context, s *system, gb float64, sh shape) (*sample, error) {
	return pump(ctx, s, sh, int64(gb*1e9)/int64(sh.records*sh.size))
}

// oneRecord measures what a request costs, whatever is in it.
func oneRecord(inFlight int) func(context.Context, *system, float64) (*sample, error) {
	return func(ctx context.Context, s *system, scale float64) (*sample, error) {
		n := int64(400_000 * scale)
		if inFlight == 1 || s.name == "kafka" {
			n = int64(60_000 * scale)
		}
		x, err := pump(ctx, s, oneShape(inFlight), n)
		if x != nil {
			x.bytes = 0 // cost is counted by request
		}
		return x, err
	}
}

// version of Produce that is sent: the last one whose encoding Apache Kafka 4 and its forerunners share, and that has no tags.
const produceVersion = 8

// pump sends n requests to a topic of its own, over all connections together.
func pump(ctx context.Context, s *system, sh shape, n int64) (*sample, error) {
	topic, err := s.newTopic(ctx, int32(sh.partitions))
	if err != nil {
		return nil, err
	}
	batch := encodeBatch(sh.records, sh.size)
	leaders, err := s.leaders(ctx, topic, int32(sh.partitions))
	if err != nil {
		return nil, err
	}
	lanes := make([]*lane, sh.conns)
	for i := range lanes {
		if lanes[i], err = newLane(ctx, leaders[i%sh.partitions], topic, int32(i%sh.partitions), batch); err != nil {
			return nil, err
		}
		defer lanes[i].c.Close()
		lanes[i].stamp(batch, sh.stamped, s.producer())
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	var left atomic.Int64
	left.Store(n)
	x := &sample{}
	if err := errors.Join(each(lanes, func(l *lane) error { return l.run(sh.inFlight, &left) }), m.finish(x)); err != nil {
		return nil, err
	}
	for _, l := range lanes {
		x.times = append(x.times, l.times...)
	}
	x.requests = float64(len(x.times))
	x.records = x.requests * float64(sh.records)
	x.bytes = x.records * float64(sh.size)
	return x, s.dropTopic(ctx, topic)
}

// lane is one connection that produces the same batch again and again.
type lane struct {
	c       *conn
	frame   []byte
	atError int // where the response has its error code
	times   []time.Duration
	batch   []byte // within frame, where each request's is another; nil: all are the same
	id      int64
	seq     int32
	records int32
}

// stamp has each batch be of a producer, or only as dear to send as if it were.
func (l *lane) stamp(batch []byte, how int8, id int64) {
	if how == 0 {
		return
	}
	l.batch, l.records = l.frame[len(l.frame)-len(batch):], int32(binary.BigEndian.Uint32(batch[atCount:]))
	if l.id = -1; how > 0 {
		l.id = id
	}
}

// next gives the next request.
func (l *lane) next() []byte {
	if l.batch != nil {
		seq := l.seq
		if l.id < 0 {
			seq = -1
		}
		stamp(l.batch, l.id, seq)
		l.seq += l.records
	}
	return l.frame
}

// newLane connects, and waits until the partition takes a batch: what the metadata name as a leader may not be ready to be one.
func newLane(ctx context.Context, s *system, topic string, partition int32, batch []byte) (*lane, error) {
	c, err := dial(ctx, s, 16<<10)
	if err != nil {
		return nil, err
	}
	l := &lane{c: c, frame: produceFrame(topic, batch, partition), atError: 4 + 2 + len(topic) + 4 + 4}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if _, err := c.Write(l.frame); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		err := l.answer()
		if err == nil {
			return l, nil
		}
		if !kerr.IsRetriable(err) {
			return nil, errors.Join(err, c.Close())
		}
		time.Sleep(wait)
	}
}

// produceFrame encodes a request with the same batch for each of the partitions.
func produceFrame(topic string, batch []byte, partitions ...int32) []byte {
	r := kmsg.NewPtrProduceRequest()
	r.Version, r.Acks, r.TimeoutMillis = produceVersion, -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for _, n := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = n, batch
		t.Partitions = append(t.Partitions, p)
	}
	r.Topics = append(r.Topics, t)
	return frame(r)
}

// answer reads the response to a request.
func (l *lane) answer() error {
	b, err := l.c.read()
	if err != nil {
		return err
	}
	if len(b) < l.atError+2 {
		return fmt.Errorf("a Produce response of %d bytes", len(b))
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(b[l.atError:])))
}

// run sends what is left until nothing is, with at most inFlight requests unanswered.
func (l *lane) run(inFlight int, left *atomic.Int64) error {
	if inFlight == 1 {
		return l.alternate(left)
	}
	sent := make(chan time.Time, inFlight-1) // one more is with the reader
	failed := make(chan error, 1)
	go func() {
		defer close(sent)
		for left.Add(-1) >= 0 {
			began := time.Now()
			sent <- began
			if _, err := l.c.Write(l.next()); err != nil {
				failed <- err
				return
			}
		}
	}()
	for began := range sent {
		if err := l.answer(); err != nil {
			l.c.Close() // ends the writer
			for range sent {
			}
			return err
		}
		l.times = append(l.times, time.Since(began))
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (l *lane) alternate(left *atomic.Int64) error {
	for left.Add(-1) >= 0 {
		began := time.Now()
		if _, err := l.c.Write(l.next()); err != nil {
			return err
		}
		if err := l.answer(); err != nil {
			return err
		}
		l.times = append(l.times, time.Since(began))
	}
	return nil
}
