package broker

import (
	"github.com/seedlog/seedlog/core/fetcher"
	"github.com/seedlog/seedlog/core/metadata"
)

// Inspect shows the shard to the simulator's oracles, which change nothing.
func (s *Shard) Inspect() any { return s.state }

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

// Registered gives the registration of this process in the image that shard 0 of a node of a cluster goes by, nil if there is none yet.
func (s *Shard) Registered() *metadata.Broker {
	if s.member == nil || s.state.Image == nil {
		return nil
	}
	return s.member.registration(s.state.Image)
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
