package broker

import (
	"slices"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/fetcher"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/quota"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// followers is a shard's side of replication: one fetcher a broker that leads something which this shard follows.
type followers struct {
	fetchers []*fetcher.Fetcher        // by leader, in the order in which they came
	rate     quota.Bucket              // of what is throttled
	of       map[api.PartKey]int32     // who is fetched from; lookups only
	removing map[api.PartKey]bool      // logs that are being removed, though their topic is there; lookups only
	after    map[api.PartKey]*cameBack // partitions that came back meanwhile; lookups only
	told     map[api.PartKey]int32     // leader epochs in which the controller was told where a log ends; lookups only
}

// cameBack is a partition that waits for its namesake to be removed.
type cameBack struct {
	t *metadata.Topic
	p *replica.Partition
}

func (f *followers) begin() {
	f.of, f.removing, f.after, f.told = map[api.PartKey]int32{}, map[api.PartKey]bool{}, map[api.PartKey]*cameBack{}, map[api.PartKey]int32{}
}

func partKey(p *replica.Partition) api.PartKey { return api.PartKey{ID: p.TopicID, Number: p.Number} }

// followPartition gives a partition of a cluster the role that the image has for this broker.
func (s *Shard) followPartition(t *metadata.Topic, number int32) {
	x := &t.Partitions[number]
	p := s.state.Partition(t.ID, number)
	mine := slices.Contains(x.Replicas, s.node.NodeID)
	switch {
	case p == nil && mine:
		p = s.newPartition(t, number)
		p.Apply(s.partitionState(t, number), s.env.Now.Mono)
		if p.Offline() {
			return
		}
		s.checkDirectory(t, p)
		if key := partKey(p); s.follow.removing[key] {
			s.follow.after[key] = &cameBack{t, p}
			return
		}
		s.openLater(t, p)
	case p != nil && !mine:
		s.removePartition(p)
	case p != nil:
		s.throttle(p, t)
		s.checkDirectory(t, p)
		p.Apply(s.partitionState(t, number), s.env.Now.Mono)
		s.configure(p, t)
		s.tellLogEnd(t, p)
	}
}

// partitionState is what the image and the registrations say of a partition.
func (s *Shard) partitionState(t *metadata.Topic, number int32) replica.State {
	x := &t.Partitions[number]
	return replica.State{
		Leader: x.Leader, LeaderEpoch: x.LeaderEpoch, PartitionEpoch: x.PartitionEpoch, ISR: x.ISR, Replicas: x.Replicas,
		Adding: x.Adding, Removing: x.Removing, ELR: x.ELR, LastKnownELR: x.LastKnownELR, Recovering: x.Recovering, Me: s.node.NodeID,
		MinISR: int16(x.RequiredISR(s.state.Settings(t).MinInsyncReplicas)), BrokerEpochs: s.brokerEpochs,
	}
}

// brokerEpochs answers for replica.State from the newest image.
func (s *Shard) brokerEpochs(node int32) (epoch int64, alive bool) {
	b := s.state.Image.Broker(node)
	if b == nil {
		return -1, false
	}
	return b.Epoch, b.Active()
}

// removePartition removes a partition whose replicas are elsewhere now, with its log.
func (s *Shard) removePartition(p *replica.Partition) {
	s.forget(p, kerr.NotLeaderForPartition)
	switch {
	case p.Log != nil:
		s.follow.removing[partKey(p)] = true
		s.removeLog(p.Log, func() { s.partitionGone(p) })
	case s.opening.busy[p]: // open finds it dropped, and removes what it has opened
		s.follow.removing[partKey(p)] = true
	}
}

// partitionGone opens anew what came back while its log was being removed.
func (s *Shard) partitionGone(p *replica.Partition) {
	key := partKey(p)
	delete(s.follow.removing, key)
	s.logGone(p.TopicID)
	if x := s.follow.after[key]; x != nil {
		delete(s.follow.after, key)
		s.openLater(x.t, x.p)
		s.opening.next()
	}
	s.reportApplied()
}

// forget takes a partition out of everything; what waits for it is answered with code.
func (s *Shard) forget(p *replica.Partition, code kerr.Code) {
	s.unfetch(p)
	delete(s.follow.after, partKey(p)) // it waits no more, if it did
	delete(s.follow.told, partKey(p))
	s.unloadCoordinator(p, kerr.NotCoordinator)
	p.Close(code)
	s.state.DropPartition(p)
	s.dropped = true
}

// LeaderChanged is replica.Observer: the partition is fetched from its leader, or its groups are served here.
func (s *Shard) LeaderChanged(p *replica.Partition) {
	if s.state.Partition(p.TopicID, p.Number) != p || s.phase >= closing {
		return
	}
	s.unloadCoordinator(p, kerr.NotCoordinator)
	if p.IsLeader() && p.Log != nil {
		s.warnUnclean(p)
		s.loadCoordinator(p)
	}
	leader, epoch, ok := p.Following()
	if !ok {
		s.unfetch(p)
		return
	}
	if was, fetched := s.follow.of[partKey(p)]; fetched && was != leader {
		s.unfetch(p)
	}
	f := s.fetcherOf(leader)
	if f == nil {
		return // a leader that is not registered: the next image says more
	}
	s.follow.of[partKey(p)] = leader
	f.Add(fetcher.Key{ID: p.TopicID, Number: p.Number}, p.Topic, epoch, p)
}

// warnUnclean tells that a partition goes on with what this replica has, since nobody who is sure to have all can be had.
func (s *Shard) warnUnclean(p *replica.Partition) {
	if x := p.State(); x.Recovering {
		s.env.Warnf("%s is led from here after an unclean election, in epoch %d: its log ends at offset %d, and what was acknowledged beyond that is lost", nameOf(p), x.LeaderEpoch, p.Log.End())
	}
}

// FollowerReady is replica.Observer.
func (s *Shard) FollowerReady(p *replica.Partition) {
	if leader, ok := s.follow.of[partKey(p)]; ok {
		if f := s.fetcherOf(leader); f != nil {
			f.Ready(fetcher.Key{ID: p.TopicID, Number: p.Number})
		}
	}
}

// restFetching leaves a partition out of what is fetched for a while, if it is.
func (s *Shard) restFetching(p *replica.Partition) {
	if leader, ok := s.follow.of[partKey(p)]; ok {
		if f := s.fetcherOf(leader); f != nil {
			f.Rest(fetcher.Key{ID: p.TopicID, Number: p.Number})
		}
	}
}

// unfetch stops fetching a partition, and drops a fetcher that has none left.
func (s *Shard) unfetch(p *replica.Partition) {
	leader, ok := s.follow.of[partKey(p)]
	if !ok {
		return
	}
	delete(s.follow.of, partKey(p))
	for i, f := range s.follow.fetchers {
		if f.Leader() != leader {
			continue
		}
		f.Remove(fetcher.Key{ID: p.TopicID, Number: p.Number})
		if f.Len() == 0 {
			f.Close()
			s.follow.fetchers = slices.Delete(s.follow.fetchers, i, i+1)
		}
		return
	}
}

// fetcherOf gives the fetcher of a leader, nil if nobody knows where that is.
func (s *Shard) fetcherOf(leader int32) *fetcher.Fetcher {
	addr := s.brokerAddr(leader)
	for _, f := range s.follow.fetchers {
		if f.Leader() == leader {
			if addr != "" {
				f.SetPeer(s.peers.Get(addr)) // it may have come back elsewhere
			}
			return f
		}
	}
	if addr == "" {
		return nil
	}
	n := s.node
	cfg := fetcher.Config{
		NodeID: n.NodeID, MaxWaitMS: n.ReplicaFetchWaitMaxMS, MinBytes: n.ReplicaFetchMinBytes, MaxBytes: n.ReplicaFetchResponseMaxBytes,
		PartitionBytes: n.ReplicaFetchMaxBytes, Backoff: clock.MS(int64(n.ReplicaFetchBackoffMS)), Timeout: clock.MS(int64(n.ReplicaSocketTimeoutMS)),
	}
	f := fetcher.New(s.env, cfg, leader, s.peers.Get(addr))
	f.BrokerEpoch, f.Rate = s.ownEpoch(), &s.follow.rate
	s.follow.fetchers = append(s.follow.fetchers, f)
	return f
}

// ownEpoch is the epoch of this broker's registration in the image that the shard follows.
func (s *Shard) ownEpoch() int64 {
	if b := s.state.Image.Broker(s.node.NodeID); b != nil {
		return b.Epoch
	}
	return -1
}

// brokerAddr is where other brokers reach a broker, "" if it is not registered.
func (s *Shard) brokerAddr(id int32) string {
	b := s.state.Image.Broker(id)
	if b == nil {
		return ""
	}
	l := b.Listener(s.node.InterBroker)
	if l == nil {
		return ""
	}
	return hostPort(l.Host, l.Port)
}

// followBrokers brings the fetchers in step with where brokers are, and adds what waited for a leader to be known.
func (s *Shard) followBrokers(old *metadata.Image) {
	if slices.Equal(old.Brokers(), s.applied.Brokers()) {
		return
	}
	for _, f := range s.follow.fetchers {
		f.BrokerEpoch = s.ownEpoch()
		if addr := s.brokerAddr(f.Leader()); addr != "" {
			f.SetPeer(s.peers.Get(addr))
		}
	}
	for _, p := range s.state.Parts {
		p.BrokersChanged()
		if _, _, ok := p.Following(); ok {
			if _, fetched := s.follow.of[partKey(p)]; !fetched {
				s.LeaderChanged(p)
			}
		}
	}
}

// checkLag lets each leader look after followers that lag (replica.lag.time.max.ms).
func (s *Shard) checkLag() {
	for _, p := range s.state.Parts {
		if p.Log != nil && !p.Offline() && p.IsLeader() {
			p.CheckLag(s.env.Now.Mono)
		}
	}
	s.env.After(&s.timers[timerLag], clock.MS(max(1, s.node.ReplicaLagTimeMaxMS/2)))
}
