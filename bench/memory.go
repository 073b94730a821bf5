package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// startUp measures from exec until the broker serves; the run has just started it.
func startUp(_ context.Context, s *system, _ float64) (*sample, error) {
	x := &sample{more: map[string]float64{"ready_ms": s.readyMS}}
	var err error
	x.rss, err = rssBytes(s.pid)
	return x, err
}

// settle is how long a broker rests before its memory is read.
const settle = time.Second

func idleRSS(ctx context.Context, s *system, _ float64) (*sample, error) {
	x := &sample{}
	err := pause(ctx, settle)
	if err == nil {
		x.rss, err = rssBytes(s.pid)
	}
	return x, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// connections opens 2,000 connections, each of which asks for ApiVersions as a client does first, and holds them.
func connections(ctx context.Context, s *system, _ float64) (*sample, error) {
	const n, dialers = 2000, 16
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	before, err := rssBytes(s.pid)
	if err != nil {
		return nil, err
	}
	conns, errs := make([]*conn, n), make([]error, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range dialers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
				if conns[i], errs[i] = dial(ctx, s, 512); errs[i] == nil {
					r := kmsg.NewPtrApiVersionsRequest()
					r.Version = 2
					_, errs[i] = conns[i].call(r)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	x := &sample{more: map[string]float64{}}
	x.rss, err = rssBytes(s.pid)
	x.more["bytes_each"] = max(0, x.rss-before) / n
	return x, err
}

// partitions creates a topic of 1,000, and produces one record to each as soon as it can. The memory of each is that after the records, at rest.
func partitions(ctx context.Context, s *system, _ float64) (*sample, error) {
	const n = 1000
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	before, err := rssBytes(s.pid)
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, s, 64<<10)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	topic, err := s.newTopic(ctx, n)
	if err != nil {
		return nil, err
	}
	x := &sample{requests: n, more: map[string]float64{"created_ms": ms(time.Since(m.began))}}
	if err := produceToAll(ctx, c, topic, n); err != nil {
		return nil, err
	}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	x.more["all_acked_ms"] = x.seconds * 1000
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	x.rss, err = rssBytes(s.pid)
	x.more["bytes_each"] = max(0, x.rss-before) / n
	return x, err
}

// produceToAll sends one record to each partition, and again to those that did not take it, until all have.
func produceToAll(ctx context.Context, c *conn, topic string, n int32) error {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return produceTo(ctx, c, topic, all)
}

func produceTo(ctx context.Context, c *conn, topic string, missing []int32) error {
	batch := encodeBatch(1, 5)
	for wait := time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 50*time.Millisecond) {
		if _, err := c.Write(produceFrame(topic, batch, missing...)); err != nil {
			return err
		}
		b, err := c.read()
		if err != nil {
			return err
		}
		if missing, err = refused(b, missing[:0]); err != nil || len(missing) == 0 {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// refused gives the partitions of a Produce response that may be tried again.
func refused(b []byte, again []int32) ([]int32, error) {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = produceVersion
	if err := resp.ReadFrom(b); err != nil {
		return nil, err
	}
	for _, t := range resp.Topics { // Apache Kafka names a topic twice where some of its partitions refuse
		for _, p := range t.Partitions {
			switch err := kerr.ErrorForCode(p.ErrorCode); {
			case err == nil:
			case kerr.IsRetriable(err):
				again = append(again, p.Partition)
			default:
				return nil, err
			}
		}
	}
	return again, nil
}
