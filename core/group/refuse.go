package group

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse turns a reply that was to say success into one that says code: nothing of what it held may be told.
func (c *Coordinator) Refuse(resp kmsg.Response, code kerr.Code) {
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		refused := kmsg.NewJoinGroupResponse()
		refused.Version, refused.MemberID, refused.ErrorCode = r.Version, r.MemberID, int16(code)
		*r = refused
	case *kmsg.SyncGroupResponse:
		*r = kmsg.SyncGroupResponse{Version: r.Version, ErrorCode: int16(code)}
	case *kmsg.OffsetCommitResponse:
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				if p := &r.Topics[i].Partitions[j]; p.ErrorCode == 0 {
					p.ErrorCode = int16(code)
				}
			}
		}
	case *kmsg.OffsetFetchResponse:
		refuseFetch(r, fetchCode(code))
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode, r.Members = int16(code), nil
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode, r.Topics = int16(code), nil
	case *kmsg.DeleteGroupsResponse:
		for i := range r.Groups {
			r.Groups[i].ErrorCode = int16(code)
		}
	case *kmsg.DescribeGroupsResponse:
		for i := range r.Groups {
			r.Groups[i] = describedError(r.Groups[i].Group, code)
		}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		refuseConsumer(r, code, "")
	case *kmsg.ConsumerGroupDescribeResponse:
		for i := range r.Groups {
			r.Groups[i] = consumerError(r.Groups[i].Group, code, "")
		}
	case *kmsg.HeartbeatResponse:
		r.ErrorCode = int16(code)
	case *kmsg.ListGroupsResponse:
		r.ErrorCode, r.Groups = int16(code), nil
	case *kmsg.TxnOffsetCommitResponse:
		refuseTxnCommit(r, code)
	case *kmsg.EndTxnResponse:
		r.ErrorCode = int16(code)
	}
}

// fetchCode: clients before 3.9 do not expect COORDINATOR_NOT_AVAILABLE of an OffsetFetch; NOT_COORDINATOR they try again on.
func fetchCode(code kerr.Code) kerr.Code {
	if plant.On(plant.G4) {
		return kerr.RequestTimedOut
	}
	if code == kerr.CoordinatorNotAvailable {
		return kerr.NotCoordinator
	}
	return code
}

func refuseFetch(r *kmsg.OffsetFetchResponse, code kerr.Code) {
	if r.Version >= 2 && r.Version < 8 {
		r.ErrorCode, r.Topics = int16(code), nil
	}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			p := &r.Topics[i].Partitions[j]
			*p = kmsg.OffsetFetchResponseTopicPartition(none(p.Partition))
			p.ErrorCode = int16(code)
		}
	}
	for i := range r.Groups {
		r.Groups[i] = kmsg.OffsetFetchResponseGroup{Group: r.Groups[i].Group, ErrorCode: int16(code)}
	}
}
