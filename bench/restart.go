package main

import "context"

// restartGB is what a broker has on its disk when it is killed, at scale 1: 10 GiB.
const restartGB = float64(10<<30) / 1e9

// restart fills a broker, kills it, and starts it again with what it has: the time runs until it is ready. Its data are removed afterwards, since
// those of all runs would not fit on many a disk.
func restart(ctx context.Context, s *system, scale float64) (*sample, error) {
	s.scrap = true
	topic, err := s.newTopic(ctx, int32(rawShape.partitions))
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, s, topic, rawShape, int64(restartGB*scale*1e9)); err != nil {
		return nil, err
	}
	if err := s.kill(); err != nil {
		return nil, err
	}
	if err := s.again(ctx); err != nil {
		return nil, err
	}
	cpu, err := cpuSeconds(s.pid)
	if err != nil {
		return nil, err
	}
	x := &sample{more: map[string]float64{"ready_ms": s.readyMS, "start_cpu_s": cpu}}
	x.rss, err = rssBytes(s.pid)
	return x, err
}
