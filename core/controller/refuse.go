package controller

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse gives the answer to a request that was not decided: code for everything that it asked, and what may be done, where the answer has
// room for that.
func Refuse(req kmsg.Request, code kerr.Code) kmsg.Response {
	return refuseWith(req, refusal{code, undecided(code)})
}

func refuseWith(req kmsg.Request, why refusal) kmsg.Response {
	resp := req.ResponseKind()
	if at, text := whole(resp); at != nil {
		*at = int16(why.code)
		if text != nil {
			*text = why.message()
		}
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
	refuseEach(req, resp, why)
	return resp
}

// CodeOf gives the error of a response as a whole, or that of the first thing that it answers: a refusal has the same everywhere.
func CodeOf(resp kmsg.Response) kerr.Code {
	if at, _ := whole(resp); at != nil {
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

// whole gives the places of the one code, and of its text if there is one, that some responses have for all that was asked; nil for those that
// have one for each thing.
func whole(resp kmsg.Response) (*int16, **string) {
	switch r := resp.(type) {
	case *kmsg.AllocateProducerIDsResponse:
		return &r.ErrorCode, nil
	case *kmsg.BrokerRegistrationResponse:
		return &r.ErrorCode, nil
	case *kmsg.BrokerHeartbeatResponse:
		return &r.ErrorCode, nil
	case *kmsg.AlterPartitionResponse:
		return &r.ErrorCode, nil
	case *kmsg.ElectLeadersResponse:
		return &r.ErrorCode, nil
	case *kmsg.AlterPartitionAssignmentsResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.ListPartitionReassignmentsResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.AssignReplicasToDirsResponse:
		return &r.ErrorCode, nil
	case *kmsg.UpdateFeaturesResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.UnregisterBrokerResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.DescribeQuorumResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.AddRaftVoterResponse:
		return &r.ErrorCode, &r.ErrorMessage
	case *kmsg.RemoveRaftVoterResponse:
		return &r.ErrorCode, &r.ErrorMessage
	}
	return nil, nil
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

// refuseEach fills a response that has a code for each thing that was asked.
func refuseEach(req kmsg.Request, resp kmsg.Response, why refusal) {
	e := int16(why.code)
	switch r := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for i := range req.(*kmsg.CreateTopicsRequest).Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.NumPartitions, t.ReplicationFactor = req.(*kmsg.CreateTopicsRequest).Topics[i].Topic, e, -1, -1
			t.ErrorMessage = why.message()
			r.Topics = append(r.Topics, t)
		}
	case *kmsg.DeleteTopicsResponse:
		refuseDelete(req.(*kmsg.DeleteTopicsRequest), r, why)
	case *kmsg.CreatePartitionsResponse:
		for i := range req.(*kmsg.CreatePartitionsRequest).Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = req.(*kmsg.CreatePartitionsRequest).Topics[i].Topic, e, why.message()
			r.Topics = append(r.Topics, t)
		}
	case *kmsg.AlterConfigsResponse, *kmsg.IncrementalAlterConfigsResponse:
		fillConfigs(req, resp, func(int) refusal { return why })
	default:
		assert.Never("controller: a request that nobody decides")
	}
}

func refuseDelete(req *kmsg.DeleteTopicsRequest, r *kmsg.DeleteTopicsResponse, why refusal) {
	for i := range req.Topics {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = req.Topics[i].Topic, req.Topics[i].TopicID, int16(why.code)
		t.ErrorMessage = why.message()
		r.Topics = append(r.Topics, t)
	}
	if req.Version >= 6 {
		return
	}
	r.Topics = nil
	for i := range req.TopicNames {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = &req.TopicNames[i], int16(why.code), why.message()
		r.Topics = append(r.Topics, t)
	}
}
