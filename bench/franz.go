package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends records of 1 KiB to 6 partitions through franz-go: idempotent, acks=all, no compression, batches as they come.
func produce(ctx context.Context, s *system, scale float64) (*sample, error) {
	topic, err := s.newTopic(ctx, 6)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchMaxBytes(1_000_000), kgo.MaxBufferedRecords(100_000), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := cl.ProduceSync(ctx, &kgo.Record{Value: []byte("first")}).FirstErr(); err != nil {
		return nil, err
	}
	const size = 1 << 10
	var values [64][]byte
	rng := rand.NewChaCha8([32]byte{})
	for i := range values {
		values[i] = make([]byte, size)
		rng.Read(values[i])
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	var acked atomic.Int64
	var failed atomic.Pointer[error]
	pool := sync.Pool{New: func() any { return new(kgo.Record) }}
	for i := range int(1e6 * scale) {
		if i&1023 == 0 && (ctx.Err() != nil || failed.Load() != nil) {
			break
		}
		r := pool.Get().(*kgo.Record)
		*r = kgo.Record{Value: values[i%len(values)]}
		cl.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			} else {
				acked.Add(1)
			}
			pool.Put(r)
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return nil, err
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	n := float64(acked.Load())
	x := &sample{records: n, bytes: n * size}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	return x, s.dropTopic(ctx, topic)
}
