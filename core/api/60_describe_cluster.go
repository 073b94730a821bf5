package api

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/link"
)

// Kinds of endpoint (KIP-919).
const (
	endpointBrokers     int8 = 1
	endpointControllers int8 = 2
)

// DescribeCluster (key 60): KIP-700; the controllers on their own listener (KIP-919); fenced brokers on demand (KIP-1073).
//
// MISMATCHED_ENDPOINT_TYPE: brokers were asked of a controller, or controllers of a broker; UNSUPPORTED_ENDPOINT_TYPE: something else.
func describeCluster(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeClusterRequest)
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterID, resp.ControllerID, resp.EndpointType = r.s.Image.ClusterID(), -1, q.EndpointType
	refuse := func(c kerr.Code, text string) {
		resp.ErrorCode, resp.ErrorMessage, resp.EndpointType = code(c), &text, endpointBrokers
		r.answer(resp)
	}
	switch {
	case q.EndpointType != endpointBrokers && q.EndpointType != endpointControllers:
		refuse(kerr.UnsupportedEndpointType, "Unsupported endpoint type "+strconv.Itoa(int(q.EndpointType)))
		return
	case q.EndpointType == endpointBrokers && r.Client.Inner:
		refuse(mismatched(r.Version), "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER")
		return
	case q.EndpointType == endpointControllers && !r.Client.Inner:
		refuse(mismatched(r.Version), "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		return
	}
	if q.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = anyClusterOperation
	}
	if r.Client.Inner {
		id, members := r.s.Control.Quorum()
		resp.ControllerID, resp.Brokers = id, controllers(members)
		r.answer(resp)
		return
	}
	resp.ControllerID = r.s.controllerShown()
	for _, b := range r.s.Image.Brokers() {
		l := b.Listener(r.Client.Listener)
		if l == nil || b.Fenced && !q.IncludeFencedBrokers {
			continue
		}
		x := kmsg.NewDescribeClusterResponseBroker()
		x.NodeID, x.Host, x.Port, x.Rack, x.IsFenced = b.ID, l.Host, l.Port, b.Rack, b.Fenced
		resp.Brokers = append(resp.Brokers, x)
	}
	r.answer(resp)
}

// What a client may do where no authorizer says otherwise, as sets of bits by Kafka's AclOperation.
const (
	anyTopicOperation   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	anyClusterOperation = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// mismatched is the code for a request that came to the wrong kind of listener; version 0 knows no kinds.
func mismatched(version int16) kerr.Code {
	if version == 0 {
		return kerr.InvalidRequest
	}
	return kerr.MismatchedEndpointType
}

// controllers lists the voters where they are reached.
func controllers(members []link.Member) (out []kmsg.DescribeClusterResponseBroker) {
	for _, m := range members {
		id, host, port, ok := m.Endpoint()
		if !ok {
			continue
		}
		x := kmsg.NewDescribeClusterResponseBroker()
		x.NodeID, x.Host, x.Port = id, host, int32(port)
		out = append(out, x)
	}
	return out
}
