package client

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// slotRepeat is the process on which operations stand that the network may carry out once more.
const slotRepeat = 14

// MayRepeat says of the frame that is being sent whether the network may send it once more on a second connection (F:N4), where it arrives some
// seconds late and is answered to nobody.
func (b *base) MayRepeat([]byte) bool {
	b.repeated = b.repeats && b.sending != nil && repeatable(b.sending)
	return b.repeated
}

// repeatable says of which requests a late copy does nothing that Apache Kafka promises not to happen. What is left out:
//
//	EndTxn, TxnOffsetCommit, AddPartitionsToTxn, AddOffsetsToTxn of the first version: the next transaction has the same epoch and takes them for its own (KIP-890)
//	JoinGroup of a static member: one that does not know its id yet fences the member (KIP-345)
//	ConsumerGroupHeartbeat that joins, leaves, or tells what is owned: it takes back what the member has said since (KIP-848)
//	DeleteTopics and settings: they undo what was asked for later
//
// What a copy does beyond that the history tells: a Produce is one more attempt of its send, an OffsetCommit, an EndTxn and the InitProducerId of a
// transactional id are operations of their own, of unknown end.
func repeatable(req kmsg.Request) bool {
	switch r := req.(type) {
	case *kmsg.ProduceRequest, *kmsg.InitProducerIDRequest, *kmsg.OffsetCommitRequest, *kmsg.HeartbeatRequest, *kmsg.SyncGroupRequest:
		return true
	case *kmsg.EndTxnRequest:
		return r.Version >= endTxnBumps
	case *kmsg.TxnOffsetCommitRequest:
		return r.Version >= offsetsAdd
	case *kmsg.JoinGroupRequest:
		return r.InstanceID == nil
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return r.MemberEpoch > 0 && r.Topics == nil
	}
	return false
}

// twice records what a repeated request may do once more, at any time from now on.
func (b *base) twice(ops ...history.Op) {
	b.record(slotRepeat, history.Invoke, "", ops...)
	b.record(slotRepeat, history.Info, "repeated", ops...)
}
