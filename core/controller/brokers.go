package controller

import (
	"encoding/binary"
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ProducerIDBlock is how many producer ids a broker gets at once (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
const ProducerIDBlock = 1000

// Private tagged fields, which Kafka's own controllers and brokers skip.
const (
	tagSyncedEpoch uint32 = 10_000 // of BrokerRegistrationRequest: 8 bytes
	tagTruncated   uint32 = 10_001 // of BrokerHeartbeatRequest: empty
	tagDirAway     uint32 = 10_003 // of BrokerRegistrationRequest: empty

	TagIndex   uint32 = 10_000 // of BrokerHeartbeatResponse, and of the broker's EnvelopeResponse: 8 bytes, the index of the image that the answer speaks of
	tagDamaged uint32 = 10_002 // of a partition of AlterPartitionRequest: empty
)

// SetSyncedEpoch says in a registration that the broker's disk is that of an earlier incarnation: the newest broker epoch that was synced
// there. A broker says it only if flush.policy is ack and was when that epoch was written.
func SetSyncedEpoch(req *kmsg.BrokerRegistrationRequest, epoch int64) {
	req.UnknownTags.Set(tagSyncedEpoch, binary.BigEndian.AppendUint64(nil, uint64(epoch)))
}

func syncedEpoch(req *kmsg.BrokerRegistrationRequest) int64 {
	epoch := int64(-1)
	req.UnknownTags.Each(func(tag uint32, v []byte) {
		if tag == tagSyncedEpoch && len(v) == 8 {
			epoch = int64(binary.BigEndian.Uint64(v))
		}
	})
	return epoch
}

// SetDirectoryAway says in a registration that a directory of the broker is not there. It cannot say which: its id lies in it.
func SetDirectoryAway(req *kmsg.BrokerRegistrationRequest) { req.UnknownTags.Set(tagDirAway, nil) }

func directoryAway(req *kmsg.BrokerRegistrationRequest) bool {
	found := false
	req.UnknownTags.Each(func(tag uint32, _ []byte) { found = found || tag == tagDirAway })
	return found
}

// SetTruncated says in a heartbeat of a fenced broker that recovery found a log that ends before its recovery point: synced bytes are gone.
// A broker says it from then on, until it is unfenced.
func SetTruncated(req *kmsg.BrokerHeartbeatRequest) { req.UnknownTags.Set(tagTruncated, nil) }

func truncated(req *kmsg.BrokerHeartbeatRequest) bool {
	found := false
	req.UnknownTags.Each(func(tag uint32, _ []byte) { found = found || tag == tagTruncated })
	return found
}

// RegisterBroker decides API 62, v0–4: a broker that starts, under a new incarnation (KIP-631). alive says whether the broker that has the
// id now holds its lease. Its records fence what it led before (see the fold). In a cluster they also take it out of each ISR, and after an
// unclean end out of each ELR. The first registration founds the cluster: it names it and finalizes features. The answer's BrokerEpoch is
// the index of the entry; the Machine fills it in. The same incarnation once more keeps its epoch.
//
// INCONSISTENT_CLUSTER_ID; DUPLICATE_BROKER_REGISTRATION: another incarnation is alive; INVALID_REGISTRATION: no listener, no directory, a
// reserved or doubled one, or another broker's; UNSUPPORTED_VERSION: a finalized feature that the broker does not support.
func RegisterBroker(c *Context, req *kmsg.BrokerRegistrationRequest, features []metadata.FeatureLevelRecord, alive bool) (*kmsg.BrokerRegistrationResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = -1
	old := c.Image.Broker(req.BrokerID)
	if code := c.checkRegistration(req, old, alive); code != kerr.None {
		resp.ErrorCode = int16(code)
		return resp, nil
	}
	var records []metadata.Record
	if c.Image.ClusterID() == "" {
		records = append(records, &metadata.ClusterRecord{ClusterID: req.ClusterID})
		for i := range features {
			records = append(records, &features[i])
		}
	}
	r := &metadata.RegisterBrokerRecord{NodeID: req.BrokerID, Incarnation: req.IncarnationID, BrokerEpoch: -1, Rack: req.Rack, LogDirs: req.LogDirs, Fenced: c.Clustered,
		Features: toldFeatures(req)}
	for i := range req.Listeners {
		l := &req.Listeners[i]
		r.Listeners = append(r.Listeners, metadata.Listener{Name: l.Name, Protocol: l.SecurityProtocol, Host: l.Host, Port: int32(l.Port)})
	}
	if c.Clustered && old != nil && old.Incarnation == req.IncarnationID {
		return resp, append(records, amended(old, r)...)
	}
	records = append(records, r)
	if c.Clustered {
		records = append(records, c.commonMinISR()...)
		records = append(records, c.restarted(req, old)...)
	}
	return resp, records
}

// amended gives what the same incarnation says otherwise, if anything: a retry of a registration whose answer was lost says the same.
func amended(old *metadata.Broker, r *metadata.RegisterBrokerRecord) []metadata.Record {
	rack := old.Rack == r.Rack || old.Rack != nil && r.Rack != nil && *old.Rack == *r.Rack
	if rack && slices.Equal(old.Listeners, r.Listeners) && slices.Equal(old.LogDirs, r.LogDirs) && slices.Equal(old.Features, r.Features) {
		return nil
	}
	r.BrokerEpoch, r.Fenced, r.InShutdown, r.ActiveEpoch = old.Epoch, old.Fenced, old.InShutdown, old.ActiveEpoch
	return []metadata.Record{r}
}

// restarted takes a broker whose former incarnation is over out of what it had. Replicas in a directory that it does not have any more lie in
// the one that it has now: its disk was replaced. If it has several, it says which (KIP-858). While one of its directories is not there, that may be
// theirs: they are waited for.
func (c *Context) restarted(req *kmsg.BrokerRegistrationRequest, old *metadata.Broker) []metadata.Record {
	id := req.BrokerID
	missing := func(p *metadata.Partition) bool {
		d := p.Dir(id)
		return d != [16]byte{} && !slices.Contains(req.LogDirs, d)
	}
	now, away := [16]byte{}, directoryAway(req)
	sometimes.If(away, "controller: a broker comes back without a directory")
	if len(req.LogDirs) == 1 {
		now = req.LogDirs[0]
	}
	clean := old != nil && (req.PreviousBrokerEpoch == old.Epoch || plant.On(plant.R11))
	// What it synced is there if the disk has seen the newest epoch in which the broker took part, and no directory is missing.
	intact := old != nil && old.ActiveEpoch >= 0 && syncedEpoch(req) >= old.ActiveEpoch && syncedEpoch(req) <= old.Epoch &&
		!slices.ContainsFunc(old.LogDirs, func(d [16]byte) bool { return !slices.Contains(req.LogDirs, d) })
	return c.sweep(func(_ *metadata.Topic, p *metadata.Partition) bool {
		return p.Leader == id || slices.Contains(p.ISR, id) || !clean && (slices.Contains(p.ELR, id) || slices.Contains(p.LastKnownELR, id)) || missing(p)
	}, func(ch *partitionChange) {
		gone := missing(ch.p)
		if ch.without = id; !clean || gone {
			sometimes.If(intact && !gone, "controller: a broker comes back unclean with the disk that it had")
			sometimes.If(gone && !away, "controller: a broker comes back with another disk")
			ch.lost, ch.intact = id, intact && !gone
		}
		if gone && !away {
			ch.dirs = slices.Clone(ch.dirs)
			ch.dirs[slices.Index(ch.replicas, id)] = now
		}
	})
}

func (c *Context) checkRegistration(req *kmsg.BrokerRegistrationRequest, old *metadata.Broker, alive bool) kerr.Code {
	id := c.Image.ClusterID()
	switch {
	case id != "" && id != req.ClusterID:
		return kerr.InconsistentClusterID
	case alive && old != nil && old.Incarnation != req.IncarnationID:
		sometimes.Hit("controller: a broker comes back before its last process's session is over")
		return kerr.DuplicateBrokerRegistration
	case len(req.Listeners) == 0 || len(req.LogDirs) == 0 || req.BrokerID < 0 || req.ClusterID == "":
		return kerr.InvalidRegistration
	}
	for i, d := range req.LogDirs {
		if reserved(d) || slices.Contains(req.LogDirs[:i], d) {
			return kerr.InvalidRegistration
		}
		for _, b := range c.Image.Brokers() {
			if b.ID != req.BrokerID && slices.Contains(b.LogDirs, d) {
				return kerr.InvalidRegistration
			}
		}
	}
	return c.checkFeatures(toldFeatures(req))
}

// reserved says whether an id can name no directory: 0 to 99 stand for unassigned, lost, migrating and what may come (DirectoryId).
func reserved(d [16]byte) bool {
	return [15]byte(d[:15]) == [15]byte{} && d[15] < 100
}

// staleBroker refuses requests of a broker that is not registered, or in another epoch.
func (c *Context) staleBroker(id int32, epoch int64) bool {
	b := c.Image.Broker(id)
	return b == nil || b.Epoch != epoch
}

// FenceBroker takes a broker out of everything whose lease is over.
func FenceBroker(c *Context, id int32) []metadata.Record {
	b := c.Image.Broker(id)
	if b == nil || b.Fenced {
		return nil
	}
	yes := true
	r := &metadata.BrokerChangeRecord{NodeID: id, Epoch: b.Epoch, Fenced: &yes}
	if b.InShutdown {
		no := false
		r.InShutdown = &no
	}
	return append(c.leave(id), r)
}

// UnregisterBroker decides API 64, v0: the broker's id is free again. It is taken out of every ISR and ELR; replicas that it had stay in
// the assignments until a reassignment moves them, as in Kafka.
//
// BROKER_ID_NOT_REGISTERED.
func UnregisterBroker(c *Context, req *kmsg.UnregisterBrokerRequest) (*kmsg.UnregisterBrokerResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	b := c.Image.Broker(req.BrokerID)
	if b == nil {
		bad := refuse(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", req.BrokerID)
		resp.ErrorCode, resp.ErrorMessage = int16(bad.code), bad.message()
		return resp, nil
	}
	return resp, append(c.lose(b.ID, notIntact), &metadata.UnregisterBrokerRecord{NodeID: b.ID, Epoch: b.Epoch})
}

// AllocateProducerIDs decides API 67: a block of ids that nobody had and nobody gets again, since the record that moves the next id is
// committed before the answer leaves (KIP-730).
//
// BROKER_ID_NOT_REGISTERED; STALE_BROKER_EPOCH.
func AllocateProducerIDs(c *Context, req *kmsg.AllocateProducerIDsRequest) (*kmsg.AllocateProducerIDsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	resp.ProducerIDStart, resp.ProducerIDLen = -1, 0
	next := c.Image.NextProducerID()
	b := c.Image.Broker(req.BrokerID)
	switch {
	case b == nil:
		resp.ErrorCode = int16(kerr.BrokerIDNotRegistered)
	case b.Epoch != req.BrokerEpoch:
		resp.ErrorCode = int16(kerr.StaleBrokerEpoch)
	case next > 1<<63-1-ProducerIDBlock:
		resp.ErrorCode = int16(kerr.UnknownServerError)
	default:
		resp.ProducerIDStart, resp.ProducerIDLen = next, ProducerIDBlock
		return resp, []metadata.Record{&metadata.ProducerIDsRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, NextProducerID: next + ProducerIDBlock}}
	}
	return resp, nil
}
