package coordinator

import "github.com/seedlog/seedlog/core/kerr"

// VerifyCall asks the coordinator of a transactional id whether partitions of one topic are in its open transaction, or with Add puts them
// there and begins the transaction if none is open (KIP-890).
type VerifyCall struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	Add             bool // Produce from version 12, TxnOffsetCommit from version 5 on; without it only looked at
	Topic           string
	Partitions      []int32 // not to be changed by whoever is asked, and his until he has answered
	Waiter          VerifyWaiter
}

// VerifyWaiter is told once, at once or later, on the shard that asked. codes has one for each partition, in the order of the call, and is
// valid during Verified alone. They are what a coordinator answers in AddPartitionsToTxn version 5; NETWORK_EXCEPTION stands for one that
// cannot be reached, COORDINATOR_NOT_AVAILABLE for one that is not known. Who asked turns them into what its own client understands.
type VerifyWaiter interface{ Verified(codes []kerr.Code) }
