package controller

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ProducerIDBlock is how many producer ids a broker gets at once (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
const ProducerIDBlock = 1000

// RegisterBroker decides API 62: a broker that starts, under a new incarnation. Its records fence what it led before (see the fold).
// The first registration also founds the cluster: it names it and finalizes features. The answer's BrokerEpoch is the index of the
// entry; the Machine fills it in.
//
// INCONSISTENT_CLUSTER_ID; INVALID_REGISTRATION: no listener, or no directory.
func RegisterBroker(c *Context, req *kmsg.BrokerRegistrationRequest, features []metadata.FeatureLevelRecord) (*kmsg.BrokerRegistrationResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = -1
	id := c.Image.ClusterID()
	switch {
	case id != "" && id != req.ClusterID:
		resp.ErrorCode = int16(kerr.InconsistentClusterID)
		return resp, nil
	case len(req.Listeners) == 0 || len(req.LogDirs) == 0 || req.BrokerID < 0 || req.ClusterID == "":
		resp.ErrorCode = int16(kerr.InvalidRegistration)
		return resp, nil
	}
	var records []metadata.Record
	if id == "" {
		records = append(records, &metadata.ClusterRecord{ClusterID: req.ClusterID})
		for i := range features {
			records = append(records, &features[i])
		}
	}
	r := &metadata.RegisterBrokerRecord{NodeID: req.BrokerID, Incarnation: req.IncarnationID, BrokerEpoch: -1, Rack: req.Rack, LogDirs: req.LogDirs}
	for i := range req.Listeners {
		l := &req.Listeners[i]
		r.Listeners = append(r.Listeners, metadata.Listener{Name: l.Name, Protocol: l.SecurityProtocol, Host: l.Host, Port: int32(l.Port)})
	}
	return resp, append(records, r)
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
