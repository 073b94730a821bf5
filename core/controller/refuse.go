package controller

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse gives the answer to a request that was not decided: code for everything that it asked.
func Refuse(req kmsg.Request, code kerr.Code) kmsg.Response {
	resp := req.ResponseKind()
	if at := whole(resp); at != nil {
		*at = int16(code)
		switch r := resp.(type) {
		case *kmsg.AllocateProducerIDsResponse:
			r.ProducerIDStart = -1
		case *kmsg.BrokerRegistrationResponse:
			r.BrokerEpoch = -1
		case *kmsg.BrokerHeartbeatResponse:
			r.IsFenced = true
		}
		return resp
	}
	refuseEach(req, resp, int16(code))
	return resp
}

// CodeOf gives the error of a response as a whole, or that of the first thing that it answers: a refusal has the same everywhere.
func CodeOf(resp kmsg.Response) kerr.Code {
	if at := whole(resp); at != nil {
		return kerr.Code(*at)
	}
	code := int16(0)
	switch r := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		if len(r.Topics) > 0 {
			code = r.Topics[0].ErrorCode
		}
	case *kmsg.DeleteTopicsResponse:
		if len(r.Topics) > 0 {
			code = r.Topics[0].ErrorCode
		}
	case *kmsg.CreatePartitionsResponse:
		if len(r.Topics) > 0 {
			code = r.Topics[0].ErrorCode
		}
	case *kmsg.AlterConfigsResponse:
		if len(r.Resources) > 0 {
			code = r.Resources[0].ErrorCode
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		if len(r.Resources) > 0 {
			code = r.Resources[0].ErrorCode
		}
	}
	return kerr.Code(code)
}

// whole gives the place of the one code that some responses have for all that was asked; nil for those that have one for each thing.
func whole(resp kmsg.Response) *int16 {
	switch r := resp.(type) {
	case *kmsg.AllocateProducerIDsResponse:
		return &r.ErrorCode
	case *kmsg.BrokerRegistrationResponse:
		return &r.ErrorCode
	case *kmsg.BrokerHeartbeatResponse:
		return &r.ErrorCode
	case *kmsg.AlterPartitionResponse:
		return &r.ErrorCode
	case *kmsg.ElectLeadersResponse:
		return &r.ErrorCode
	case *kmsg.AlterPartitionAssignmentsResponse:
		return &r.ErrorCode
	case *kmsg.ListPartitionReassignmentsResponse:
		return &r.ErrorCode
	case *kmsg.AssignReplicasToDirsResponse:
		return &r.ErrorCode
	case *kmsg.UnregisterBrokerResponse:
		return &r.ErrorCode
	case *kmsg.DescribeQuorumResponse:
		return &r.ErrorCode
	case *kmsg.AddRaftVoterResponse:
		return &r.ErrorCode
	case *kmsg.RemoveRaftVoterResponse:
		return &r.ErrorCode
	}
	return nil
}

// refuseEach fills a response that has a code for each thing that was asked.
func refuseEach(req kmsg.Request, resp kmsg.Response, e int16) {
	switch r := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for i := range req.(*kmsg.CreateTopicsRequest).Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.NumPartitions, t.ReplicationFactor = req.(*kmsg.CreateTopicsRequest).Topics[i].Topic, e, -1, -1
			r.Topics = append(r.Topics, t)
		}
	case *kmsg.DeleteTopicsResponse:
		refuseDelete(req.(*kmsg.DeleteTopicsRequest), r, e)
	case *kmsg.CreatePartitionsResponse:
		for i := range req.(*kmsg.CreatePartitionsRequest).Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode = req.(*kmsg.CreatePartitionsRequest).Topics[i].Topic, e
			r.Topics = append(r.Topics, t)
		}
	case *kmsg.AlterConfigsResponse:
		for i := range req.(*kmsg.AlterConfigsRequest).Resources {
			q := &req.(*kmsg.AlterConfigsRequest).Resources[i]
			t := kmsg.NewAlterConfigsResponseResource()
			t.ResourceType, t.ResourceName, t.ErrorCode = q.ResourceType, q.ResourceName, e
			r.Resources = append(r.Resources, t)
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for i := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			q := &req.(*kmsg.IncrementalAlterConfigsRequest).Resources[i]
			t := kmsg.NewIncrementalAlterConfigsResponseResource()
			t.ResourceType, t.ResourceName, t.ErrorCode = q.ResourceType, q.ResourceName, e
			r.Resources = append(r.Resources, t)
		}
	default:
		assert.Never("controller: a request that nobody decides")
	}
}

func refuseDelete(req *kmsg.DeleteTopicsRequest, r *kmsg.DeleteTopicsResponse, code int16) {
	for i := range req.Topics {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = req.Topics[i].Topic, req.Topics[i].TopicID, code
		r.Topics = append(r.Topics, t)
	}
	if req.Version >= 6 {
		return
	}
	r.Topics = nil
	for i := range req.TopicNames {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.ErrorCode = &req.TopicNames[i], code
		r.Topics = append(r.Topics, t)
	}
}
