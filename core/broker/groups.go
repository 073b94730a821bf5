package broker

import (
	"sort"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

const (
	offsetsTopic     = controller.OffsetsTopic
	transactionTopic = controller.TransactionTopic
)

// loadChunk is how many bytes of a coordinator's partition are read at a time.
const loadChunk = 1 << 20

// maxLoadWait is for how many ms a load waits for records that are not written yet.
const maxLoadWait = 60_000

// coordinated is the coordinator of a partition: of groups, or of transactions.
type coordinated interface {
	Load(batch records.View) error
	Loaded()
	HighWatermarkMoved(hw int64)
	Unload(code kerr.Code)
	Failed(from int64)
}

func (s *Shard) groupOf(p *replica.Partition) *group.Coordinator {
	if p.Topic != offsetsTopic {
		return nil
	}
	return s.state.Groups[p.Number]
}

// coordinatorOf gives the coordinator whose log a partition is, nil if there is none.
func (s *Shard) coordinatorOf(p *replica.Partition) coordinated {
	switch p.Topic {
	case offsetsTopic:
		if g := s.state.Groups[p.Number]; g != nil {
			return g
		}
	case transactionTopic:
		if t := s.state.Txns[p.Number]; t != nil {
			return t
		}
	}
	return nil
}

// loadCoordinator makes the coordinator of a partition of an internal topic and replays the partition into it.
func (s *Shard) loadCoordinator(p *replica.Partition) {
	switch p.Topic {
	case offsetsTopic:
		g := group.New(s.env, groupLog{p}, s.groupConfig(p), topicNames{s})
		g.Txn = &s.txns
		s.state.Groups[p.Number] = g
	case transactionTopic:
		s.state.Txns[p.Number] = s.txns.coordinator(p)
	default:
		return
	}
	c := s.coordinatorOf(p)
	if p.Log.End() == p.Log.Start() {
		c.Loaded()
		return
	}
	task.Go(s.env, func(t *task.Task) { s.replay(t, p, c) })
}

func (s *Shard) replay(t *task.Task, p *replica.Partition, c coordinated) {
	end, waited := p.Log.End(), 0
	for at := p.Log.Start(); at < end; {
		b, err := p.Log.ReadBatches(t, at, end, loadChunk)
		if t.Stopped() || s.coordinatorOf(p) != c {
			return
		}
		if err == disk.OK && len(b) == 0 && waited < maxLoadWait {
			// A follower that has just become leader may still be writing what it fetched; and what was deleted meanwhile is not missed.
			at, waited = max(at, p.Log.Start()), waited+1
			if t.Sleep(clock.Millisecond); t.Stopped() || s.coordinatorOf(p) != c {
				return
			}
			continue
		}
		if _, rotten := p.Rotten(); err == disk.OK && len(b) == 0 && rotten {
			s.unreadable(p, at, "the disk does not hold what was written")
			return
		}
		if err != disk.OK || len(b) == 0 {
			s.directoryFailed(p.Dir, "cannot load the coordinator's state from "+p.Log.Dir()+": "+err.Error())
			return
		}
		for len(b) > 0 {
			v, rest, ok := records.Split(b)
			if !ok {
				break
			}
			if v.ComputeCRC() != v.CRC() {
				p.LogDamaged(p.Log, at)
				s.unreadable(p, at, "the disk does not hold what was written")
				return
			}
			if v.LastOffset() >= at {
				if err := c.Load(v); err != nil {
					s.unreadable(p, v.BaseOffset(), err.Error()+"; a newer broker may have written it: run that version, or delete the records there")
					return
				}
			}
			if b = rest; v.Count() > 0 || !plant.On(plant.G2) { // what compaction leaves at the end may have no records
				at = v.NextOffset()
			}
		}
	}
	c.Loaded()
	c.HighWatermarkMoved(p.HighWatermark())
}

// unreadable gives up loading the state of a coordinator.
func (s *Shard) unreadable(p *replica.Partition, at int64, why string) {
	s.env.Errorf("%s: the batch at offset %d cannot be read, so what it coordinates is not served: %s", p.Log.Dir(), at, why)
	s.unloadCoordinator(p, kerr.NotCoordinator)
}

func (s *Shard) unloadCoordinator(p *replica.Partition, code kerr.Code) {
	c := s.coordinatorOf(p)
	if c == nil {
		return
	}
	s.dropCoordinator(p)
	c.Unload(code)
}

func (s *Shard) dropCoordinator(p *replica.Partition) {
	if p.Topic == offsetsTopic {
		delete(s.state.Groups, p.Number)
	} else {
		delete(s.state.Txns, p.Number)
	}
}

// topicNames is group.Topics: the image, as the coordinator may see it.
type topicNames struct{ s *Shard }

// TopicID gives a topic's id.
func (n topicNames) TopicID(name string) (id [16]byte, ok bool) {
	if t := n.s.state.Image.TopicByName(name); t != nil {
		return t.ID, true
	}
	return id, false
}

// TopicName gives the name of an id.
func (n topicNames) TopicName(id [16]byte) (string, bool) {
	if t := n.s.state.Image.TopicByID(id); t != nil {
		return t.Name, true
	}
	return "", false
}

// Partitions gives the number of a topic's partitions.
func (n topicNames) Partitions(name string) int32 {
	if t := n.s.state.Image.TopicByName(name); t != nil {
		return int32(len(t.Partitions))
	}
	return 0
}

// TopicsAfter gives the names of topics after one, ascending, as long as f says so.
func (n topicNames) TopicsAfter(name string, f func(name string) bool) {
	all := n.s.state.Image.Topics()
	i := sort.Search(len(all), func(i int) bool { return all[i].Name > name })
	for i < len(all) && f(all[i].Name) {
		i++
	}
}

// Changed is the index of the last image in which a topic was another.
func (n topicNames) Changed() int64 { return n.s.topicsChanged }

// Created is the index of the last image that brought a topic.
func (n topicNames) Created() int64 { return n.s.topicsCreated }

func (s *Shard) groupConfig(p *replica.Partition) *group.Config {
	c, n := group.DefaultConfig(), s.node
	c.MinSessionTimeoutMS, c.MaxSessionTimeoutMS = n.GroupMinSessionTimeoutMS, n.GroupMaxSessionTimeoutMS
	c.InitialRebalanceDelayMS, c.MaxSize = n.GroupInitialRebalanceDelayMS, n.GroupMaxSize
	c.OffsetMetadataMaxBytes, c.OffsetsRetentionMS = n.OffsetMetadataMaxBytes, n.OffsetsRetentionMS
	c.RetentionCheckIntervalMS, c.CommitTimeoutMS = int32(n.OffsetsRetentionCheckMS), n.OffsetsCommitTimeoutMS
	c.Consumer = s.consumerConfig()
	if t := s.applied.TopicByID(p.TopicID); t != nil {
		c.MaxBatchBytes = s.state.Settings(t).MaxMessageBytes
	}
	return c
}

// consumerConfig gives the settings of consumer groups. A group's own are those of the newest image.
func (s *Shard) consumerConfig() consumer.Config {
	n, c := &s.node.Consumers, consumer.DefaultConfig()
	c.Default = consumer.Settings{
		SessionTimeoutMS: n.SessionTimeoutMS, HeartbeatIntervalMS: n.HeartbeatIntervalMS, AssignmentIntervalMS: n.AssignmentIntervalMS,
	}
	c.MaxSize, c.Assignors, c.RegexRefreshMS = n.MaxSize, n.Assignors, n.RegexRefreshMS
	c.Migration = map[string]consumer.Migration{
		"disabled": consumer.Disabled, "upgrade": consumer.Upgrade, "downgrade": consumer.Downgrade, "bidirectional": consumer.Bidirectional,
	}[n.Migration]
	c.OfGroup = func(group string, _ consumer.Settings) consumer.Settings {
		g := config.ResolveGroup(s.node, s.state.Image.ConfigsOf(metadata.ResourceGroup, group))
		return consumer.Settings{SessionTimeoutMS: g.ConsumerSessionTimeoutMS, HeartbeatIntervalMS: g.ConsumerHeartbeatIntervalMS, AssignmentIntervalMS: g.ConsumerAssignmentIntervalMS}
	}
	return c
}

// groupLog is coordinator.Log over a partition, and what that has is group.Producers.
type groupLog struct{ *replica.Partition }

// Append is coordinator.Log.
func (l groupLog) Append(batch []byte) (int64, kerr.Code) { return l.AppendOwn(batch) }

// End is coordinator.Log.
func (l groupLog) End() int64 { return l.Log.End() }
