package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchVersion = 11
	fetchBytes   = 1 << 20
	fetchConns   = 2
)

// rawFetch reads a topic from the page cache, 1 MiB a request, over and over. Nothing is decoded but the heads of batches.
func rawFetch(ctx context.Context, s *system, scale float64) (*sample, error) {
	sh := rawShape
	topic, err := s.newTopic(ctx, int32(sh.partitions))
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, s, topic, sh, 600e6); err != nil {
		return nil, err
	}
	readers := make([]*reader, fetchConns)
	for i := range readers {
		c, err := dial(ctx, s, 64<<10)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		readers[i] = &reader{c: c, topic: topic, partition: int32(i), step: fetchConns, partitions: int32(sh.partitions)}
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	var left atomic.Int64
	left.Store(int64(3e9 * scale))
	errs := make([]error, len(readers))
	var wg sync.WaitGroup
	for i, r := range readers {
		wg.Go(func() { errs[i] = r.run(&left) })
	}
	wg.Wait()
	x := &sample{}
	if err := errors.Join(append(errs, m.finish(x))...); err != nil {
		return nil, err
	}
	for _, r := range readers {
		x.records += float64(r.records)
		x.times = append(x.times, r.times...)
	}
	x.requests = float64(len(x.times))
	x.bytes = x.records * float64(sh.size)
	return x, s.dropTopic(ctx, topic)
}

// fill writes about so many bytes to a topic.
func fill(ctx context.Context, s *system, topic string, sh shape, size int64) error {
	batch := encodeBatch(sh.records, sh.size)
	var left atomic.Int64
	left.Store(size / int64(len(batch)))
	errs := make([]error, sh.conns)
	var wg sync.WaitGroup
	for i := range sh.conns {
		l, err := newLane(ctx, s, topic, int32(i%sh.partitions), batch)
		if err != nil {
			return err
		}
		defer l.c.Close()
		wg.Go(func() { errs[i] = l.run(sh.inFlight, &left) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// reader reads every step'th partition of a topic, each to its end, and then again.
type reader struct {
	c                           *conn
	topic                       string
	partition, step, partitions int32
	offset                      int64
	records                     int64
	times                       []time.Duration
}

func (r *reader) run(left *atomic.Int64) error {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchVersion, 100, 1, 64<<20
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, p.PartitionMaxBytes, p.CurrentLeaderEpoch = r.topic, fetchBytes, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	q := &req.Topics[0].Partitions[0]
	for left.Load() > 0 {
		began := time.Now()
		q.Partition, q.FetchOffset = r.partition, r.offset
		resp, err := r.c.call(req)
		if err != nil {
			return err
		}
		got := &resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return err
		}
		next, n := walk(got.RecordBatches, r.offset)
		if n == 0 {
			return fmt.Errorf("partition %d has nothing at offset %d, and ends at %d", r.partition, r.offset, got.HighWatermark)
		}
		r.records += next - r.offset
		r.offset = next
		left.Add(-int64(n))
		r.times = append(r.times, time.Since(began))
		if r.offset >= got.HighWatermark {
			r.offset, r.partition = 0, r.partition+r.step
			if r.partition >= r.partitions {
				r.partition %= r.step
			}
		}
	}
	return nil
}
