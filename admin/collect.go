package admin

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seedlog/seedlog/core/stats"
)

// collector turns a Snapshot into metrics at each scrape. It keeps nothing between scrapes.
type collector struct{ src Source }

// Describe names all metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d
	}
}

// Collect takes one snapshot and shows it.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	out := sink{ch}
	now, _ := c.src.Status()
	for _, s := range [...]string{Ready, Recovering, Fenced, NoController, DirOffline} {
		out.flag(status, now == s, s)
	}
	s := c.src.Snapshot()
	out.node(&s)
	for i := range s.APIs {
		out.api(&s.APIs[i])
	}
	out.partitions(s.Partitions)
	for i := range s.Groups {
		out.group(&s.Groups[i])
	}
}

// sink shows values.
type sink struct{ ch chan<- prometheus.Metric }

func (o sink) float(m metric, v float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD") // a group id is any bytes; Prometheus takes UTF-8 only
	}
	o.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

func (o sink) value(m metric, v int64, labels ...string) { o.float(m, float64(v), labels...) }

func (o sink) flag(m metric, v bool, labels ...string) {
	if v {
		o.value(m, 1, labels...)
	} else {
		o.value(m, 0, labels...)
	}
}

func (o sink) node(s *stats.Snapshot) {
	o.float(uptime, float64(s.UptimeNS)/1e9)
	o.value(buildInfo, 1, s.Build.Version, s.Build.Revision, s.Build.GoVersion, strconv.Itoa(int(s.NodeID)), s.ClusterID)
	o.value(brokers, s.Brokers)
	o.value(connectionsOpen, s.Connections)
	o.value(connectionsTotal, s.ConnectionsAccepted)
	o.value(connectionsRefused, s.ConnectionsRefused)
	o.value(diskSyncs, s.DiskSyncs)
	o.value(underReplicated, s.UnderReplicated)
	o.value(underMinISR, s.UnderMinISR)
	o.value(offlineLogDirs, s.OfflineLogDirs)
	o.cleaner(&s.Cleaner)
}

func (o sink) cleaner(c *stats.Cleaner) {
	o.value(cleans, c.Cleans)
	o.value(cleanFailures, c.Failures)
	o.value(cleanRead, c.ReadBytes)
	o.value(cleanRemoved, c.RemovedBytes)
	o.float(recopyPercent, 100*float64(c.LastAfter)/float64(max(c.LastBefore, 1)))
	o.float(maxCleanTime, float64(c.LastNS)/1e9)
	o.float(maxBufferUse, float64(c.LastMapPPM)/1e4)
	o.float(maxDelay, float64(c.MaxOverdueMS)/1e3)
	o.float(maxDirty, float64(c.MaxDirtyPPM)/1e4)
	o.value(sinceLastRun, c.SinceRunNS/1e6)
	o.value(uncleanable, c.Uncleanable)
	o.value(uncleanableBytes, c.UncleanableBytes)
}

func (o sink) api(a *stats.API) {
	name := strings.ToValidUTF8(a.Name, "\uFFFD")
	o.value(requests, a.Requests, name)
	o.value(errorsByRequest, a.Errors, name)
	buckets := make(map[float64]uint64, len(stats.Bounds))
	sum := uint64(0)
	for i, bound := range stats.Bounds {
		sum += uint64(a.Latency.Buckets[i])
		buckets[float64(bound)/1e9] = sum
	}
	o.ch <- prometheus.MustNewConstHistogram(requestDuration.desc, uint64(a.Latency.Count), float64(a.Latency.SumNS)/1e9, buckets, name)
}

// topicSum is what a topic's partitions on this broker add up to.
type topicSum struct {
	led, messagesIn, bytesIn, bytesOut int64
}

func (o sink) partitions(list []stats.Partition) {
	topics := map[string]*topicSum{}
	leaders := int64(0)
	for i := range list {
		p := &list[i]
		t := topics[p.Topic]
		if t == nil {
			t = &topicSum{}
			topics[p.Topic] = t
		}
		t.messagesIn += p.MessagesIn
		t.bytesIn += p.BytesIn
		t.bytesOut += p.BytesOut
		o.replica(p)
		if p.Leader {
			leaders++
			t.led++
			o.leader(p)
		}
	}
	o.value(partitionCount, int64(len(list)))
	o.value(leaderCount, leaders)
	for name, t := range topics { // Prometheus sorts
		o.value(messagesIn, t.messagesIn, name)
		o.value(bytesIn, t.bytesIn, name)
		o.value(bytesOut, t.bytesOut, name)
		o.value(topicPartitions, t.led, name)
	}
}

// replica shows what each replica has, leader or not.
func (o sink) replica(p *stats.Partition) {
	number := strconv.Itoa(int(p.Partition))
	o.value(logSize, p.SizeBytes, p.Topic, number)
	o.value(logStart, p.LogStartOffset, p.Topic, number)
	o.value(logEnd, p.LogEndOffset, p.Topic, number)
	o.value(partitionHW, p.HighWatermark, p.Topic, number)
	o.value(partitionEpoch, int64(p.LeaderEpoch), p.Topic, number)
	o.value(partitionMessages, p.MessagesIn, p.Topic, number)
	o.value(partitionMessagesIO, p.MessagesOut, p.Topic, number)
	o.value(partitionBytesIn, p.BytesIn, p.Topic, number)
	o.value(partitionBytesOut, p.BytesOut, p.Topic, number)
}

// leader shows what is told once in a cluster.
func (o sink) leader(p *stats.Partition) {
	number := strconv.Itoa(int(p.Partition))
	o.value(partitionCurrent, p.HighWatermark, p.Topic, number)
	o.value(partitionOldest, p.LogStartOffset, p.Topic, number)
	o.value(partitionLeader, int64(p.LeaderID), p.Topic, number)
	o.value(partitionReplicas, int64(p.Replicas), p.Topic, number)
	o.value(partitionISR, int64(p.ISR), p.Topic, number)
	o.flag(partitionUnder, p.ISR < p.Replicas, p.Topic, number)
}

func (o sink) group(g *stats.Group) {
	o.value(groupMembers, g.Members, g.ID)
	if g.State != "" {
		o.value(groupState, 1, g.ID, g.State)
	}
	type sum struct{ committed, lag int64 }
	topics := map[string]sum{}
	for i := range g.Offsets {
		at := &g.Offsets[i]
		number := strconv.Itoa(int(at.Partition))
		t := topics[at.Topic]
		t.committed += at.Committed
		t.lag += max(at.Lag, 0)
		topics[at.Topic] = t
		o.value(groupCurrent, at.Committed, g.ID, at.Topic, number)
		if at.Lag != stats.Unknown {
			o.value(groupLag, at.Lag, g.ID, at.Topic, number)
		}
		if at.LagMS != stats.Unknown {
			o.float(groupLagSeconds, float64(at.LagMS)/1e3, g.ID, at.Topic, number)
		}
	}
	for name, t := range topics {
		o.value(groupCurrentSum, t.committed, g.ID, name)
		o.value(groupLagSum, t.lag, g.ID, name)
	}
}
