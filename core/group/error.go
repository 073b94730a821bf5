package group

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrorResponse is the answer to one of this package's requests where no coordinator handles it: code, wherever the response has
// a place for one.
func ErrorResponse(req kmsg.Request, code kerr.Code) kmsg.Response {
	resp := req.ResponseKind()
	switch q := req.(type) {
	case *kmsg.JoinGroupRequest:
		r := resp.(*kmsg.JoinGroupResponse)
		r.MemberID, r.ErrorCode = q.MemberID, int16(code)
	case *kmsg.SyncGroupRequest:
		resp.(*kmsg.SyncGroupResponse).ErrorCode = int16(code)
	case *kmsg.HeartbeatRequest:
		resp.(*kmsg.HeartbeatResponse).ErrorCode = int16(code)
	case *kmsg.LeaveGroupRequest:
		resp.(*kmsg.LeaveGroupResponse).ErrorCode = int16(code)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		resp.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode = int16(code)
	case *kmsg.ConsumerGroupDescribeRequest:
		r := resp.(*kmsg.ConsumerGroupDescribeResponse)
		for _, id := range q.Groups {
			r.Groups = append(r.Groups, consumerError(id, code, ""))
		}
	case *kmsg.ListGroupsRequest:
		resp.(*kmsg.ListGroupsResponse).ErrorCode = int16(code)
	case *kmsg.OffsetDeleteRequest:
		resp.(*kmsg.OffsetDeleteResponse).ErrorCode = int16(code)
	case *kmsg.OffsetCommitRequest:
		commitError(q, resp.(*kmsg.OffsetCommitResponse), code)
	case *kmsg.TxnOffsetCommitRequest:
		txnCommitError(q, resp.(*kmsg.TxnOffsetCommitResponse), code)
	case *kmsg.OffsetFetchRequest:
		fetchError(q, resp.(*kmsg.OffsetFetchResponse), code)
	case *kmsg.DescribeGroupsRequest:
		r := resp.(*kmsg.DescribeGroupsResponse)
		for _, id := range q.Groups {
			r.Groups = append(r.Groups, describedError(id, code))
		}
	case *kmsg.DeleteGroupsRequest:
		r := resp.(*kmsg.DeleteGroupsResponse)
		for _, id := range q.Groups {
			r.Groups = append(r.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: int16(code)})
		}
	}
	return resp
}

func commitError(q *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, code kerr.Code) {
	for i := range q.Topics {
		t := &q.Topics[i]
		out := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		for j := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: t.Partitions[j].Partition, ErrorCode: int16(code)})
		}
		r.Topics = append(r.Topics, out)
	}
}

func txnCommitError(q *kmsg.TxnOffsetCommitRequest, r *kmsg.TxnOffsetCommitResponse, code kerr.Code) {
	for i := range q.Topics {
		out := kmsg.TxnOffsetCommitResponseTopic{Topic: q.Topics[i].Topic}
		for _, p := range q.Topics[i].Partitions {
			out.Partitions = append(out.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(code)})
		}
		r.Topics = append(r.Topics, out)
	}
}

// fetchError: up to v1 an error can only stand at each partition, up to v7 once, and from v8 on at each group.
func fetchError(q *kmsg.OffsetFetchRequest, r *kmsg.OffsetFetchResponse, code kerr.Code) {
	switch {
	case q.Version < 2:
		for i := range q.Topics {
			out := kmsg.OffsetFetchResponseTopic{Topic: q.Topics[i].Topic}
			for _, p := range q.Topics[i].Partitions {
				o := kmsg.OffsetFetchResponseTopicPartition(none(p))
				o.ErrorCode = int16(code)
				out.Partitions = append(out.Partitions, o)
			}
			r.Topics = append(r.Topics, out)
		}
	case q.Version < 8:
		r.ErrorCode = int16(code)
	default:
		for i := range q.Groups {
			r.Groups = append(r.Groups, kmsg.OffsetFetchResponseGroup{Group: q.Groups[i].Group, ErrorCode: int16(code)})
		}
	}
}
