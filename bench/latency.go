package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	latencyRate  = 1000 // records a second
	latencyLanes = 6
	latencyWarm  = 2 * time.Second
	latencySpan  = 10 * time.Second
)

// latency sends single records of 1 KiB on a schedule that does not wait for answers (an open loop), in turn to six partitions, and counts each from
// when it was due: a stall shows in every record behind it.
func latency(ctx context.Context, s *system, scale float64) (*sample, error) {
	topic, err := s.newTopic(ctx, latencyLanes)
	if err != nil {
		return nil, err
	}
	batch := encodeBatch(1, 1<<10)
	var wg sync.WaitGroup
	lanes, dues, errs := [latencyLanes]*lane{}, [latencyLanes]chan time.Time{}, [latencyLanes]error{}
	var failed atomic.Bool
	for i := range lanes {
		l, err := newLane(ctx, s, topic, int32(i), batch)
		if err != nil {
			return nil, err
		}
		defer l.c.Close()
		lanes[i], dues[i] = l, make(chan time.Time, 100_000)
		wg.Go(func() {
			if errs[i] = l.listen(dues[i]); errs[i] != nil {
				failed.Store(true)
			}
		})
	}
	span := time.Duration(float64(latencySpan) * scale)
	begin := time.Now()
	open := begin.Add(latencyWarm)
	var m *meter
	n := 0
	for due := begin; due.Before(open.Add(span)) && !failed.Load() && ctx.Err() == nil; due = due.Add(time.Second / latencyRate) {
		time.Sleep(time.Until(due))
		at := time.Time{}
		if !due.Before(open) {
			at = due
			if m == nil {
				if m, err = startMeter(s); err != nil {
					break
				}
			}
		}
		i := n % latencyLanes
		n++
		dues[i] <- at
		if _, err = lanes[i].c.Write(lanes[i].frame); err != nil {
			break
		}
	}
	for i := range dues {
		close(dues[i])
	}
	wg.Wait()
	x := &sample{more: map[string]float64{}}
	if err := errors.Join(append(errs[:], err, ctx.Err())...); err != nil {
		return nil, err
	}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	for _, l := range lanes {
		x.times = append(x.times, l.times...)
	}
	x.requests = float64(len(x.times))
	x.records = x.requests
	x.more["cpu_share"] = x.cpu / x.seconds
	return x, s.dropTopic(ctx, topic)
}

// listen takes the answers to requests that were due at the times given; the zero time is not counted.
func (l *lane) listen(dues chan time.Time) error {
	for due := range dues {
		if err := l.answer(); err != nil {
			return err
		}
		if !due.IsZero() {
			l.times = append(l.times, time.Since(due))
		}
	}
	return nil
}
