package main

import (
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/seedlog/seedlog/admin"
	"github.com/seedlog/seedlog/core/broker"
	"github.com/seedlog/seedlog/core/stats"
	"github.com/seedlog/seedlog/core/step"
)

// askTimeout bounds how long a question to a shard may wait; a shard that does not answer by then is busy recovering or stuck.
const askTimeout = 2 * time.Second

// figures is admin.Source over the shards.
type figures struct {
	r      *running
	shards int
	ready  atomic.Bool
	down   atomic.Bool // the log directory is offline
}

// Status says what /healthz and /readyz answer.
func (f *figures) Status() (status, detail string) {
	switch {
	case f.down.Load():
		return "dir-offline", "the log directory failed; see the log"
	case f.r.node.Clustered:
		return f.clusterStatus()
	case !f.ready.Load():
		return admin.Recovering, "logs are being recovered"
	}
	return admin.Ready, ""
}

// clusterStatus asks shard 0, which knows how the node stands with the controller.
func (f *figures) clusterStatus() (status, detail string) {
	net := f.r.net.Load()
	m, ok := net.Ask(step.Mail{Kind: broker.MailStatus}, askTimeout)
	if !ok {
		return "", "the broker does not answer"
	}
	switch status = m.Body.(string); status {
	case admin.Recovering:
		detail = "logs are being recovered"
	case admin.Fenced:
		detail = "the controller lets no client near this broker"
	case admin.NoController:
		detail = "no controller is known, or none has taken the registration; a majority of controller.quorum.bootstrap.servers must run"
	}
	return status, detail
}

// Snapshot gathers every shard's figures and puts together what no shard knows alone: how far groups lag.
func (f *figures) Snapshot() stats.Snapshot {
	var all stats.Snapshot
	for i := range f.shards {
		if m, ok := f.r.net.Load().Ask(step.Mail{Kind: broker.MailStats, To: int32(i)}, askTimeout); ok {
			all.Merge(m.Body.(*stats.Snapshot))
		}
	}
	all.DiskSyncs = f.r.disk.Syncs()
	all.Build.GoVersion = runtime.Version()
	if b, ok := debug.ReadBuildInfo(); ok {
		all.Build.Version = b.Main.Version
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				all.Build.Revision = s.Value
			}
		}
	}
	f.lag(&all)
	return all
}

type tp struct {
	topic string
	part  int32
}

// lag fills in records and milliseconds.
func (f *figures) lag(all *stats.Snapshot) {
	parts := map[tp]*stats.Partition{}
	for i := range all.Partitions {
		p := &all.Partitions[i]
		parts[tp{p.Topic, p.Partition}] = p
	}
	var asked []broker.TimeQuery
	var places []*stats.GroupOffset
	for i := range all.Groups {
		for j := range all.Groups[i].Offsets {
			o := &all.Groups[i].Offsets[j]
			p := parts[tp{o.Topic, o.Partition}]
			if p == nil {
				continue
			}
			if o.Lag = max(0, p.HighWatermark-o.Committed); o.Lag == 0 {
				o.LagMS = 0
				continue
			}
			asked = append(asked, broker.TimeQuery{Topic: o.Topic, Partition: o.Partition, Offset: o.Committed, Time: -1})
			places = append(places, o)
		}
	}
	if len(asked) == 0 {
		return
	}
	now := time.Now().UnixMilli()
	for i := range f.shards {
		m, ok := f.r.net.Load().Ask(step.Mail{Kind: broker.MailTimes, To: int32(i), Body: asked}, askTimeout)
		if !ok {
			continue
		}
		for k, q := range m.Body.([]broker.TimeQuery) {
			if q.Time >= 0 {
				places[k].LagMS = max(0, now-q.Time)
			}
		}
	}
}

// serveAdmin opens the admin listener before the shards start, so that health can be asked while they recover.
func (r *running) serveAdmin(shards int) error {
	l, err := net.Listen("tcp", r.node.Admin)
	if err != nil {
		return fmt.Errorf("cannot listen on %s for admin.listener: %v; stop the other process or set admin.listener to a free address", r.node.Admin, err)
	}
	r.admin = l.Addr().String()
	r.figures = &figures{r: r, shards: shards}
	admin.Serve(l, r.figures)
	return nil
}

func (r *running) clusterID() string {
	m, ok := r.net.Load().Ask(step.Mail{Kind: broker.MailStats}, askTimeout)
	if !ok {
		return ""
	}
	return m.Body.(*stats.Snapshot).ClusterID
}
