package broker

import (
	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/stats"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// stats answers whoever shows figures: a snapshot of this shard, taken between two steps.
func (s *Shard) stats(m *step.Mail) {
	st := &stats.Snapshot{
		UptimeNS: int64(s.env.Now.Mono), NodeID: s.node.NodeID, ClusterID: s.state.Image.ClusterID(),
		Brokers: int64(len(s.state.Image.Brokers())), Connections: int64(s.nConns), ConnectionsAccepted: s.accepted, ConnectionsRefused: s.refused,
		Cleaner: s.cleanerStats(),
	}
	for i := range s.state.Dirs {
		if s.state.Dirs[i].Offline {
			st.OfflineLogDirs++
		}
	}
	for i := range api.Table {
		e := &api.Table[i]
		if u := &s.state.Usage[e.Key]; u.Latency.Count > 0 {
			st.APIs = append(st.APIs, stats.API{Key: e.Key, Name: e.Name, Requests: u.Latency.Count, Errors: u.Errors, Latency: u.Latency})
		}
	}
	for _, p := range s.state.Parts {
		if p.Log != nil {
			st.Partitions = append(st.Partitions, s.partitionStats(p))
			if g := s.groupOf(p); g != nil {
				st.Groups = append(st.Groups, groupStats(g.Snapshot())...)
			}
		}
	}
	s.send(step.Mail{Kind: MailStats, To: step.Outside, Token: m.Token, Body: st})
}

func (s *Shard) partitionStats(p *replica.Partition) stats.Partition {
	x := stats.Partition{
		Topic: p.Topic, Partition: p.Number, Leader: p.IsLeader(), LeaderID: s.node.NodeID, LeaderEpoch: p.LeaderEpoch, Replicas: 1, ISR: 1,
		MessagesIn: p.Stats.RecordsIn, MessagesOut: p.Stats.RecordsOut, BytesIn: p.Stats.BytesIn, BytesOut: p.Stats.BytesOut,
		LogStartOffset: p.Log.Start(), LogEndOffset: p.Log.End(), HighWatermark: p.HighWatermark(), SizeBytes: p.Log.Size(),
	}
	if t := s.state.Image.TopicByID(p.TopicID); t != nil {
		if q := t.Partition(p.Number); q != nil {
			x.Replicas, x.ISR, x.LeaderID = int32(len(q.Replicas)), int32(len(q.ISR)), q.Leader
		}
	}
	return x
}

func groupStats(g group.Snapshot) (out []stats.Group) {
	at := map[string]int{}
	for _, x := range g.Groups {
		at[x.ID] = len(out)
		out = append(out, stats.Group{ID: x.ID, State: x.State, Members: int64(x.Members)})
	}
	for _, o := range g.Offsets {
		i, ok := at[o.Group]
		if !ok {
			i = len(out)
			at[o.Group] = i
			out = append(out, stats.Group{ID: o.Group, State: "Empty"})
		}
		out[i].Offsets = append(out[i].Offsets, stats.GroupOffset{
			Topic: o.Topic, Partition: o.Partition, Committed: o.Offset, Lag: stats.Unknown, LagMS: stats.Unknown,
		})
	}
	return out
}

// TimeQuery asks when the record at an offset was written; Time is filled in, in wall milliseconds, or stays below 0.
type TimeQuery struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      int64
}

// maxTimeQueries bounds what one question may make a shard read: a header of 61 bytes each.
const maxTimeQueries = 10_000

// times answers MailTimes: the age of what a group has not read yet. Partitions of other shards are left alone.
func (s *Shard) times(m *step.Mail) {
	qs := append([]TimeQuery(nil), m.Body.([]TimeQuery)...)
	qs = qs[:min(len(qs), maxTimeQueries)]
	token := m.Token
	task.Go(s.env, func(t *task.Task) {
		lease := s.env.Pool.Get(records.HeaderSize)
		for i := range qs {
			qs[i].Time = s.timeOf(t, &qs[i], lease.Bytes[:records.HeaderSize])
			if t.Stopped() {
				return
			}
		}
		lease.Release()
		s.send(step.Mail{Kind: MailTimes, To: step.Outside, Token: token, Body: qs})
	})
}

func (s *Shard) timeOf(t *task.Task, q *TimeQuery, b []byte) int64 {
	topic := s.state.Image.TopicByName(q.Topic)
	if topic == nil {
		return -1
	}
	p := s.state.Partition(topic.ID, q.Partition)
	if p == nil || p.Log == nil || p.Offline() {
		return -1
	}
	sl, _, err := p.Log.LocateSlow(t, max(q.Offset, p.Log.Start()), 1, p.HighWatermark())
	if t.Stopped() || err != disk.OK || sl.Ext.Len < records.HeaderSize {
		return -1
	}
	p.Log.Pin(sl.Ext.File)
	c := t.Disk(disk.Request{Kind: disk.Read, File: sl.Ext.File, Off: sl.Ext.Off, Bytes: b})
	if t.Stopped() {
		return -1
	}
	p.Log.Unpin(sl.Ext.File)
	if c.Err != disk.OK || c.N < records.HeaderSize {
		return -1
	}
	return records.View(b).BaseTimestamp()
}
