package controller

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse gives the answer to a request that was not decided: code for everything that it asked.
func Refuse(req kmsg.Request, code kerr.Code) kmsg.Response {
	e := int16(code)
	switch r := req.ResponseKind().(type) {
	case *kmsg.CreateTopicsResponse:
		for i := range req.(*kmsg.CreateTopicsRequest).Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.NumPartitions, t.ReplicationFactor = req.(*kmsg.CreateTopicsRequest).Topics[i].Topic, e, -1, -1
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.DeleteTopicsResponse:
		return refuseDelete(req.(*kmsg.DeleteTopicsRequest), r, e)
	case *kmsg.CreatePartitionsResponse:
		for i := range req.(*kmsg.CreatePartitionsRequest).Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode = req.(*kmsg.CreatePartitionsRequest).Topics[i].Topic, e
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.AlterConfigsResponse:
		for i := range req.(*kmsg.AlterConfigsRequest).Resources {
			q := &req.(*kmsg.AlterConfigsRequest).Resources[i]
			t := kmsg.NewAlterConfigsResponseResource()
			t.ResourceType, t.ResourceName, t.ErrorCode = q.ResourceType, q.ResourceName, e
			r.Resources = append(r.Resources, t)
		}
		return r
	case *kmsg.IncrementalAlterConfigsResponse:
		for i := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			q := &req.(*kmsg.IncrementalAlterConfigsRequest).Resources[i]
			t := kmsg.NewIncrementalAlterConfigsResponseResource()
			t.ResourceType, t.ResourceName, t.ErrorCode = q.ResourceType, q.ResourceName, e
			r.Resources = append(r.Resources, t)
		}
		return r
	case *kmsg.AllocateProducerIDsResponse:
		r.ErrorCode, r.ProducerIDStart = e, -1
		return r
	case *kmsg.BrokerRegistrationResponse:
		r.ErrorCode, r.BrokerEpoch = e, -1
		return r
	}
	return refuseCluster(req, e)
}

// refuseCluster refuses what brokers and operators of a cluster ask. Each of these answers has one code for all.
func refuseCluster(req kmsg.Request, e int16) kmsg.Response {
	switch r := req.ResponseKind().(type) {
	case *kmsg.BrokerHeartbeatResponse:
		r.ErrorCode, r.IsFenced = e, true
		return r
	case *kmsg.AlterPartitionResponse:
		r.ErrorCode = e
		return r
	case *kmsg.ElectLeadersResponse:
		r.ErrorCode = e
		return r
	case *kmsg.AlterPartitionAssignmentsResponse:
		r.ErrorCode = e
		return r
	case *kmsg.ListPartitionReassignmentsResponse:
		r.ErrorCode = e
		return r
	case *kmsg.AssignReplicasToDirsResponse:
		r.ErrorCode = e
		return r
	case *kmsg.UnregisterBrokerResponse:
		r.ErrorCode = e
		return r
	case *kmsg.DescribeQuorumResponse:
		r.ErrorCode = e
		return r
	}
	assert.Never("controller: a request that nobody decides")
	return nil
}

func refuseDelete(req *kmsg.DeleteTopicsRequest, r *kmsg.DeleteTopicsResponse, code int16) kmsg.Response {
	for i := range req.Topics {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = req.Topics[i].Topic, req.Topics[i].TopicID, code
		r.Topics = append(r.Topics, t)
	}
	if req.Version >= 6 {
		return r
	}
	r.Topics = nil
	for i := range req.TopicNames {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.ErrorCode = &req.TopicNames[i], code
		r.Topics = append(r.Topics, t)
	}
	return r
}
