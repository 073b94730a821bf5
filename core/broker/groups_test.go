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

// commitOf commits an offset of partition 0 of topic t.
func commitOf(id string, offset int64) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.Generation = 8, id, -1
	q.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
	return q
}

func committedOf(id string) *kmsg.OffsetFetchRequest {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version = 8
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.Topics = id, []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}
	q.Groups = append(q.Groups, g)
	return q
}
