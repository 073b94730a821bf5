package controller

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse gives the answer to a request that was not decided: code for everything that it asked, and what the operator may do, where the
// answer has room for that.
func Refuse(req kmsg.Request, code kerr.Code) kmsg.Response {
	why := refusal{code, undecided(code)}
	e := int16(code)
	switch r := req.ResponseKind().(type) {
	case *kmsg.CreateTopicsResponse:
		for i := range req.(*kmsg.CreateTopicsRequest).Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.NumPartitions, t.ReplicationFactor = req.(*kmsg.CreateTopicsRequest).Topics[i].Topic, e, -1, -1
			t.ErrorMessage = why.message()
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.DeleteTopicsResponse:
		return refuseDelete(req.(*kmsg.DeleteTopicsRequest), r, why)
	case *kmsg.CreatePartitionsResponse:
		for i := range req.(*kmsg.CreatePartitionsRequest).Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = req.(*kmsg.CreatePartitionsRequest).Topics[i].Topic, e, why.message()
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.AlterConfigsResponse, *kmsg.IncrementalAlterConfigsResponse:
		return configAnswer(req, func(int) refusal { return why })
	case *kmsg.AllocateProducerIDsResponse:
		r.ErrorCode, r.ProducerIDStart = e, -1
		return r
	case *kmsg.BrokerRegistrationResponse:
		r.ErrorCode, r.BrokerEpoch = e, -1
		return r
	}
	return refuseCluster(req, why)
}

// NotController is what a node that does not lead the quorum says to who asks it for a decision.
const NotController = "This node is not the active controller: ask again, or ask the node that DescribeQuorum or Metadata names."

// undecided says what a refusal means to whoever reads it, "" if the code says enough.
func undecided(code kerr.Code) string {
	switch code {
	case kerr.NotController:
		return NotController
	case kerr.RequestTimedOut:
		return "No controller took the request in time: see whether a majority of controller.quorum.bootstrap.servers is up, and ask again."
	case kerr.ThrottlingQuotaExceeded:
		return "Too many requests wait for the controller: ask again later."
	case kerr.KafkaStorageError:
		return "The controller cannot write its log: see the log of the node that leads the quorum."
	}
	return ""
}

// refuseCluster refuses what brokers and operators of a cluster ask. Each of these answers has one code for all.
func refuseCluster(req kmsg.Request, why refusal) kmsg.Response {
	e := int16(why.code)
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
		r.ErrorCode, r.ErrorMessage = e, why.message()
		return r
	case *kmsg.ListPartitionReassignmentsResponse:
		r.ErrorCode, r.ErrorMessage = e, why.message()
		return r
	case *kmsg.AssignReplicasToDirsResponse:
		r.ErrorCode = e
		return r
	case *kmsg.UnregisterBrokerResponse:
		r.ErrorCode, r.ErrorMessage = e, why.message()
		return r
	case *kmsg.DescribeQuorumResponse:
		r.ErrorCode, r.ErrorMessage = e, why.message()
		return r
	}
	assert.Never("controller: a request that nobody decides")
	return nil
}

func refuseDelete(req *kmsg.DeleteTopicsRequest, r *kmsg.DeleteTopicsResponse, why refusal) kmsg.Response {
	for i := range req.Topics {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = req.Topics[i].Topic, req.Topics[i].TopicID, int16(why.code)
		t.ErrorMessage = why.message()
		r.Topics = append(r.Topics, t)
	}
	if req.Version >= 6 {
		return r
	}
	r.Topics = nil
	for i := range req.TopicNames {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = &req.TopicNames[i], int16(why.code), why.message()
		r.Topics = append(r.Topics, t)
	}
	return r
}
