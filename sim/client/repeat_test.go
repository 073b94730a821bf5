package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestARequestIsRepeatedOnlyWhereALateCopyDoesNoHarm(t *testing.T) {
	at := func(r kmsg.Request, version int16) kmsg.Request { r.SetVersion(version); return r }
	static := kmsg.NewPtrJoinGroupRequest()
	static.InstanceID = kmsg.StringPtr("i")
	owns := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	owns.MemberEpoch, owns.Topics = 3, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	leaves := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	leaves.MemberEpoch = -1
	lives := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	lives.MemberEpoch = 3
	for _, r := range []kmsg.Request{kmsg.NewPtrProduceRequest(), kmsg.NewPtrInitProducerIDRequest(), kmsg.NewPtrOffsetCommitRequest(),
		kmsg.NewPtrJoinGroupRequest(), lives, at(kmsg.NewPtrEndTxnRequest(), 5), at(kmsg.NewPtrTxnOffsetCommitRequest(), 5)} {
		require.True(t, repeatable(r), "%T", r)
	}
	for _, r := range []kmsg.Request{static, owns, leaves, at(kmsg.NewPtrEndTxnRequest(), 4), at(kmsg.NewPtrTxnOffsetCommitRequest(), 4),
		kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewPtrAddPartitionsToTxnRequest(), kmsg.NewPtrAddOffsetsToTxnRequest()} {
		require.False(t, repeatable(r), "%T", r)
	}
}
