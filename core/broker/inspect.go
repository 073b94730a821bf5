package broker

import "github.com/seedlog/seedlog/core/fetcher"

// Inspect shows the shard to the simulator's oracles, which change nothing.
func (s *Shard) Inspect() any { return s.state }

// Registered gives the broker epoch that this process of a node of a cluster has, on shard 0; -1: it has not registered.
func (s *Shard) Registered() int64 {
	if s.member == nil {
		return -1
	}
	return s.member.lease.epoch
}

// Fetchers counts the fetchers that a partition has here, and gives the leader of the last one, -1 without any.
func (s *Shard) Fetchers(id [16]byte, number int32) (n int, leader int32) {
	leader = -1
	for _, f := range s.follow.fetchers {
		if f.Fetches(fetcher.Key{ID: id, Number: number}) {
			n, leader = n+1, f.Leader()
		}
	}
	return n, leader
}

// Crash ends the shard's tasks: the process is gone as far as the simulator is concerned. It has no effects.
func (s *Shard) Crash() { s.env.StopTasks() }

// Digest is of what a run may not differ in: the positions of each partition, and how much is in flight.
func (s *Shard) Digest() uint64 {
	h := uint64(14695981039346656037)
	add := func(v int64) { h = (h ^ uint64(v)) * 1099511628211 }
	add(int64(s.phase))
	add(int64(s.nConns))
	add(int64(s.env.InFlight()))
	add(int64(s.env.Timers.Len()))
	for _, p := range s.state.Parts {
		add(p.HighWatermark())
		if l := p.Log; l != nil {
			add(l.Start())
			add(l.End())
			add(l.WrittenEnd())
			add(l.SyncedEnd())
		}
	}
	return h
}
