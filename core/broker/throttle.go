package broker

import (
	"math/bits"
	"slices"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/quota"
	"github.com/seedlog/seedlog/core/replica"
)

// Throttled replication (KIP-73): topics list the replicas that a reassignment moves, brokers say how fast. The rates are the broker's; each
// shard has a share of them, by how many of the listed partitions are its own, which every shard reckons from the same image.

// throttle tells a partition whether it is listed.
func (s *Shard) throttle(p *replica.Partition, t *metadata.Topic) {
	set, me := s.state.Settings(t), s.node.NodeID
	p.LeaderThrottled = config.Throttles(set.LeaderThrottled, p.Number, me)
	p.FollowerThrottled = config.Throttles(set.FollowerThrottled, p.Number, me)
}

// setRates follows the rates and the lists of the image.
func (s *Shard) setRates() {
	now, n := s.env.Now.Mono, s.node
	leads := func(x *metadata.Partition) bool { return x.Leader == n.NodeID }
	follows := func(x *metadata.Partition) bool { return x.Leader != n.NodeID && slices.Contains(x.Replicas, n.NodeID) }
	s.state.Throttle.SetRate(now, s.portion(n.LeaderThrottledRate, leads, func(c *config.Topic) string { return c.LeaderThrottled }))
	s.follow.rate.SetRate(now, s.portion(n.FollowerThrottledRate, follows, func(c *config.Topic) string { return c.FollowerThrottled }))
}

// portion is this shard's part of a rate: all of it where nothing is listed.
func (s *Shard) portion(rate int64, counts func(*metadata.Partition) bool, list func(*config.Topic) string) int64 {
	if rate == quota.Unlimited || s.shards == 1 {
		return rate
	}
	mine, all := uint64(0), uint64(0)
	for _, t := range s.applied.Topics() {
		l := list(s.state.Settings(t))
		if l == "" {
			continue
		}
		for i := range t.Partitions {
			if !counts(&t.Partitions[i]) || !config.Throttles(l, int32(i), s.node.NodeID) {
				continue
			}
			all++
			if api.Owner(t.Name, int32(i), s.shards) == s.env.Shard {
				mine++
			}
		}
	}
	if mine == 0 {
		return rate
	}
	hi, lo := bits.Mul64(uint64(rate), mine)
	part, _ := bits.Div64(hi, lo, all)
	return max(int64(part), min(rate, 1)) // a share of nothing would never grow
}
