package coordinator

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Log is the partition's leader.
type Log interface {
	// Append queues one whole record batch and gives the offset of its last record. The batch belongs to the log from then on.
	// Any other code than None says that nothing was appended. It neither moves the high watermark nor calls back.
	Append(batch []byte) (last int64, code kerr.Code)
	// HighWatermark is the offset below which everything is committed.
	HighWatermark() int64
	// End is the next offset to be assigned.
	End() int64
}

// Waiter is a parked request, answered exactly once. Reply does not call back into the coordinator. The connection may have
// died meanwhile: then Reply does nothing.
type Waiter interface{ Reply(kmsg.Response) }

// Reply answers w, or nobody if w is nil.
func Reply(w Waiter, resp kmsg.Response) {
	if w != nil {
		w.Reply(resp)
	}
}

// Record is a key and a value of an internal topic. A nil Value is a tombstone.
type Record struct{ Key, Value []byte }

// Position is where a record stands in the log, and who wrote it. Transactional records count once their marker does.
type Position struct {
	Offset        int64
	ProducerID    int64 // -1: no producer
	ProducerEpoch int16
	Transactional bool
}

// Machine is the state that a Shard keeps. Its calls come from within Load, Write, HighWatermarkMoved and the stall timer.
type Machine interface {
	// Replay applies a record. It is the only place where durable state changes. A record that cannot be read is an error, and
	// changes nothing; one of an unknown type is skipped without an error, since a newer broker may have written it.
	Replay(at Position, rec Record) error
	// ReplayMarker ends the transaction of a producer.
	ReplayMarker(producerID int64, epoch int16, commit bool)
	// Committed says that the high watermark passed the batch that was written under key and ends at last.
	Committed(key string, last int64)
	// Stalled says that it did not within Options.StallMS. Committed may still follow.
	Stalled(key string, last int64)
	// Refuse turns a reply that was to say success into one that says code.
	Refuse(resp kmsg.Response, code kerr.Code)
}

// ClientCode is what a client is told when Append refuses with code. Source: CoordinatorOperationExceptionHelper.
func ClientCode(code kerr.Code) kerr.Code {
	switch code {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError
	}
	return code
}
