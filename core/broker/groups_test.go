package broker

import "github.com/twmb/franz-go/pkg/kmsg"

func findGroup(id string) *kmsg.FindCoordinatorRequest {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.Version, q.CoordinatorKeys = 4, []string{id}
	return q
}

func joinGroup(id string) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.ProtocolType, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 9, id, "consumer", 10_000, 60_000
	q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0}}}
	return q
}

func memberID(r kmsg.Response) string { return r.(*kmsg.JoinGroupResponse).MemberID }
