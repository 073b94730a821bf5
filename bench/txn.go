package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	txnRecords = 10
	txnSize    = 100
	txnWarm    = 2 * time.Second
	txnSpan    = 10 * time.Second
)

// transactions has so many clients commit transactions of ten records of 100 bytes, each one after another, through franz-go. A request is one
// transaction, from its begin until its commit is acknowledged. The clients' own CPU is told beside the broker's: where both together are what the machine
// has, more clients cannot do more.
func transactions(clients int) func(context.Context, *system, float64) (*sample, error) {
	return func(ctx context.Context, s *system, scale float64) (*sample, error) {
		if s.dir != "" {
			return bareTransactions(ctx, s, clients, scale)
		}
		topic, err := s.newTopic(ctx, 6)
		if err != nil {
			return nil, err
		}
		list := make([]*transactor, clients)
		for i := range list {
			if list[i], err = newTransactor(s, topic, i); err != nil {
				return nil, err
			}
			defer list[i].cl.Close()
		}
		if err := each(list, func(t *transactor) error { return t.until(ctx, time.Now().Add(txnWarm)) }); err != nil {
			return nil, err
		}
		for _, t := range list {
			t.times = nil
		}
		m, err := startMeter(s)
		if err != nil {
			return nil, err
		}
		own, err := cpuSeconds(os.Getpid())
		if err != nil {
			return nil, err
		}
		end := time.Now().Add(scaled(txnSpan, scale))
		x := &sample{}
		if err := errors.Join(each(list, func(t *transactor) error { return t.until(ctx, end) }), m.finish(x)); err != nil {
			return nil, err
		}
		after, err := cpuSeconds(os.Getpid())
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			x.times = append(x.times, t.times...)
		}
		x.requests = float64(len(x.times))
		x.records = x.requests // the rate is that of transactions
		n := max(1, x.requests)
		x.more = map[string]float64{"syncs_each": x.syncs / n, "client_cpu_us": (after - own) * 1e6 / n, "cores": (x.cpu + after - own) / x.seconds}
		return x, s.dropTopic(ctx, topic)
	}
}

// each runs f for all of a list at once.
func each[T any](list []T, f func(T) error) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, x := range list {
		wg.Go(func() { errs[i] = f(x) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

type transactor struct {
	cl    *kgo.Client
	value []byte
	times []time.Duration
}

func newTransactor(s *system, topic string, i int) (*transactor, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.DefaultProduceTopic(topic), kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, i)),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MetadataMinAge(100*time.Millisecond))
	return &transactor{cl: cl, value: make([]byte, txnSize)}, err
}

func (t *transactor) until(ctx context.Context, end time.Time) error {
	for time.Now().Before(end) {
		began := time.Now()
		if err := t.one(ctx); err != nil {
			return err
		}
		t.times = append(t.times, time.Since(began))
	}
	return nil
}

func (t *transactor) one(ctx context.Context) error {
	if err := t.cl.BeginTransaction(); err != nil {
		return err
	}
	errs := make(chan error, txnRecords)
	for range txnRecords {
		t.cl.Produce(ctx, &kgo.Record{Value: t.value}, func(_ *kgo.Record, err error) { errs <- err })
	}
	for range txnRecords {
		if err := <-errs; err != nil {
			return errors.Join(err, t.cl.EndTransaction(ctx, kgo.TryAbort))
		}
	}
	return t.cl.EndTransaction(ctx, kgo.TryCommit)
}

// producerIDs has 100,000 idempotent producers send one batch each to one partition. The memory of each is that at rest afterwards.
func producerIDs(ctx context.Context, s *system, _ float64) (*sample, error) {
	const n = 100_000
	topic, err := s.newTopic(ctx, 1)
	if err != nil {
		return nil, err
	}
	l, err := newLane(ctx, s, topic, 0, encodeBatch(1, 5))
	if err != nil {
		return nil, err
	}
	defer l.c.Close()
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	before, err := rssBytes(s.pid)
	if err != nil {
		return nil, err
	}
	batch := encodeBatch(1, 5)
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	const inFlight = 100
	for i := range n + inFlight {
		if i < n {
			stamp(batch, int64(1_000_000+i), 0)
			if _, err := l.c.Write(produceFrame(topic, batch, 0)); err != nil {
				return nil, err
			}
		}
		if i >= inFlight {
			if err := l.answer(); err != nil {
				return nil, err
			}
		}
	}
	x := &sample{requests: n, more: map[string]float64{}}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	x.rss, err = rssBytes(s.pid)
	x.more["bytes_each"] = max(0, x.rss-before) / n
	return x, err
}

// producer gives an id that nobody else has.
func (s *system) producer() int64 {
	s.producers++
	return 2_000_000 + s.producers
}

// stamp makes a batch that of an idempotent producer, or of none if id is -1.
func stamp(b []byte, id int64, seq int32) {
	binary.BigEndian.PutUint64(b[atProducerID:], uint64(id))
	epoch := uint16(0)
	if id < 0 {
		epoch = 0xffff
	}
	binary.BigEndian.PutUint16(b[atProducerEpoch:], epoch)
	binary.BigEndian.PutUint32(b[atSequence:], uint32(seq))
	seal(b)
}

// offsetCommits has twenty connections commit one partition's offset each, for a group without members, one request after another.
func offsetCommits(ctx context.Context, s *system, scale float64) (*sample, error) {
	const conns = 20
	n := int(10_000 * scale)
	if s.name == "kafka" {
		n /= 4
	}
	topic, err := s.newTopic(ctx, conns)
	if err != nil {
		return nil, err
	}
	list := make([]*committer, conns)
	for i := range list {
		c, err := dial(ctx, s, 4<<10)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := coordinated(ctx, c, "bench"); err != nil {
			return nil, err
		}
		list[i] = &committer{conn: c, partition: int32(i)}
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	x := &sample{requests: float64(n * conns), records: float64(n * conns)}
	if err := errors.Join(each(list, func(c *committer) error { return c.run(topic, n) }), m.finish(x)); err != nil {
		return nil, err
	}
	for _, c := range list {
		x.times = append(x.times, c.times...)
	}
	x.more = map[string]float64{"syncs_each": x.syncs / max(1, x.requests)}
	return x, s.dropTopic(ctx, topic)
}

type committer struct {
	*conn
	partition int32
	times     []time.Duration
}

func (c *committer) run(topic string, n int) error {
	for i := range n {
		began := time.Now()
		if _, err := c.Write(frame(commitRequest(topic, c.partition, int64(i)))); err != nil {
			return err
		}
		b, err := c.read()
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(int16(binary.BigEndian.Uint16(b[len(b)-2:]))); err != nil {
			return err
		}
		c.times = append(c.times, time.Since(began))
	}
	return nil
}

func commitRequest(topic string, partition int32, offset int64) kmsg.Request {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation = 7, "bench", -1
	t := kmsg.NewOffsetCommitRequestTopic()
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	t.Topic, p.Partition, p.Offset = topic, partition, offset
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// coordinated waits until a group has a coordinator.
func coordinated(ctx context.Context, c *conn, group string) error {
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.Version, r.CoordinatorKey = 2, group
		resp, err := c.call(r)
		if err != nil {
			return err
		}
		if resp.(*kmsg.FindCoordinatorResponse).ErrorCode != 0 {
			continue
		}
		o := kmsg.NewPtrOffsetFetchRequest()
		o.Version, o.Group = 5, group
		got, err := c.call(o)
		if err != nil || got.(*kmsg.OffsetFetchResponse).ErrorCode == 0 {
			return err
		}
	}
	return ctx.Err()
}
