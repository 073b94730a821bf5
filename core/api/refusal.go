package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/kerr"
)

// refusal is the answer to a request about a group where no coordinator can be asked: the client looks for it again.
func refusal(req kmsg.Request, why kerr.Code) kmsg.Response {
	if _, ok := req.(*kmsg.TxnOffsetCommitRequest); ok {
		return group.ErrorResponse(req, why)
	}
	resp, c := req.ResponseKind(), code(why)
	switch q := req.(type) {
	case *kmsg.OffsetCommitRequest:
		refuseCommit(q, resp.(*kmsg.OffsetCommitResponse), c)
	case *kmsg.OffsetFetchRequest:
		refuseFetch(q, resp.(*kmsg.OffsetFetchResponse), c)
	case *kmsg.DescribeGroupsRequest:
		r := resp.(*kmsg.DescribeGroupsResponse)
		for _, g := range q.Groups {
			x := kmsg.NewDescribeGroupsResponseGroup()
			x.Group, x.ErrorCode = g, c
			r.Groups = append(r.Groups, x)
		}
	case *kmsg.ConsumerGroupDescribeRequest:
		r := resp.(*kmsg.ConsumerGroupDescribeResponse)
		for _, g := range q.Groups {
			x := kmsg.NewConsumerGroupDescribeResponseGroup()
			x.Group, x.ErrorCode = g, c
			r.Groups = append(r.Groups, x)
		}
	case *kmsg.DeleteGroupsRequest:
		r := resp.(*kmsg.DeleteGroupsResponse)
		for _, g := range q.Groups {
			x := kmsg.NewDeleteGroupsResponseGroup()
			x.Group, x.ErrorCode = g, c
			r.Groups = append(r.Groups, x)
		}
	}
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		r.ErrorCode, r.Generation = c, -1
	case *kmsg.SyncGroupResponse:
		r.ErrorCode = c
	case *kmsg.ConsumerGroupHeartbeatResponse:
		r.ErrorCode = c
	case *kmsg.HeartbeatResponse:
		r.ErrorCode = c
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode = c
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode = c
	case *kmsg.ListGroupsResponse:
		r.ErrorCode = c
	}
	return resp
}

func refuseCommit(q *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, c int16) {
	for i := range q.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = q.Topics[i].Topic, q.Topics[i].TopicID
		for j := range q.Topics[i].Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = q.Topics[i].Partitions[j].Partition, c
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
}

// refuseFetch puts the code where each version has a place for it: with the group from 8 on, at the top from 2 on, else with each partition.
func refuseFetch(q *kmsg.OffsetFetchRequest, r *kmsg.OffsetFetchResponse, c int16) {
	for i := range q.Groups {
		g := kmsg.NewOffsetFetchResponseGroup()
		g.Group, g.ErrorCode = q.Groups[i].Group, c
		r.Groups = append(r.Groups, g)
	}
	if q.Version >= 8 {
		return
	}
	if q.Version >= 2 {
		r.ErrorCode = c
		return
	}
	for i := range q.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = q.Topics[i].Topic
		for _, n := range q.Topics[i].Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.ErrorCode = n, -1, c
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
}
