package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Seen is what the controller knows of brokers beyond the image.
type Seen struct {
	ShutdownAt   int64 // of the broker that beats: the index since which it leads nothing, while it shuts down; -1: not known
	LowestActive int64 // the lowest metadata offset of the other active brokers; -1: one has not said yet
}

// BrokerHeartbeat decides API 63, v0–2 (KIP-631, KIP-841, KIP-858).
//
//	fenced ──wants no fence and has seen its registration──▶ unfenced ──wants to shut down──▶ shutting down ──leads nothing, all know──▶ fenced
//	   ▲  └──wants to shut down: may──┐                            │
//	   └──────────────────────────────┴────────wants fence─────────┘
//
// A broker that shuts down is taken out of each ISR and leadership first, and told to go when the others have the metadata that says so.
// OfflineLogDirs move what lies there. No records: nothing changes, and the answer can leave at once.
//
// STALE_BROKER_EPOCH: also if it is not registered.
func BrokerHeartbeat(c *Context, req *kmsg.BrokerHeartbeatRequest, seen Seen) (*kmsg.BrokerHeartbeatResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	resp.IsFenced = true
	if c.staleBroker(req.BrokerID, req.BrokerEpoch) {
		resp.ErrorCode = int16(kerr.StaleBrokerEpoch)
		return resp, nil
	}
	b := c.Image.Broker(req.BrokerID)
	resp.IsCaughtUp = req.CurrentMetadataOffset >= b.Epoch
	var records []metadata.Record
	switch {
	case b.Fenced:
		records = c.beatFenced(b, req, resp)
	case req.WantFence:
		records, resp.ShouldShutdown = FenceBroker(c, b.ID), req.WantShutdown
	case b.InShutdown:
		records = c.beatShutdown(b, seen, resp)
	case req.WantShutdown:
		records = c.beginShutdown(b, resp)
	default:
		resp.IsFenced = false
		records = c.told(logEnds(req))
	}
	return resp, append(records, c.after(records).offline(req.BrokerID, req.OfflineLogDirs)...)
}

func (c *Context) beatFenced(b *metadata.Broker, req *kmsg.BrokerHeartbeatRequest, resp *kmsg.BrokerHeartbeatResponse) []metadata.Record {
	if req.WantShutdown {
		resp.ShouldShutdown = true
		return nil
	}
	var records []metadata.Record
	if truncated(req) {
		sometimes.Hit("controller: a broker says that synced bytes are gone")
		records = c.lose(b.ID, notIntact)
	}
	if req.WantFence || !resp.IsCaughtUp {
		return records
	}
	resp.IsFenced = false
	no := false
	records = append(records, &metadata.BrokerChangeRecord{NodeID: b.ID, Epoch: b.Epoch, Fenced: &no})
	return append(records, c.after(records).leaderless()...)
}

func (c *Context) beginShutdown(b *metadata.Broker, resp *kmsg.BrokerHeartbeatResponse) []metadata.Record {
	if !c.leads(b.ID) {
		resp.ShouldShutdown = true
		return FenceBroker(c, b.ID)
	}
	resp.IsFenced = false
	yes := true
	return append(c.leave(b.ID), &metadata.BrokerChangeRecord{NodeID: b.ID, Epoch: b.Epoch, InShutdown: &yes})
}

func (c *Context) beatShutdown(b *metadata.Broker, seen Seen, resp *kmsg.BrokerHeartbeatResponse) []metadata.Record {
	if c.leads(b.ID) || seen.ShutdownAt < 0 || seen.LowestActive < seen.ShutdownAt {
		sometimes.Hit("controller: a broker that leaves waits for the others")
		resp.IsFenced = false
		return c.leave(b.ID)
	}
	resp.ShouldShutdown = true
	return FenceBroker(c, b.ID)
}

// offline takes directories of a broker out of use, and the broker out of each ISR of what lies there.
func (c *Context) offline(id int32, dirs [][16]byte) []metadata.Record {
	b := c.Image.Broker(id)
	gone := func(d [16]byte) bool { return slices.Contains(dirs, d) && slices.Contains(b.LogDirs, d) }
	if !slices.ContainsFunc(dirs, gone) {
		return nil
	}
	sometimes.Hit("controller: a broker's directory is offline")
	records := c.sweep(func(_ *metadata.Topic, p *metadata.Partition) bool {
		return slices.Contains(p.ISR, id) && gone(p.Dir(id))
	},
		func(ch *partitionChange) { ch.without = id })
	left := make([][16]byte, 0, len(b.LogDirs))
	for _, d := range b.LogDirs {
		if !gone(d) {
			left = append(left, d)
		}
	}
	return append(records, &metadata.BrokerChangeRecord{NodeID: id, Epoch: b.Epoch, LogDirs: left})
}
