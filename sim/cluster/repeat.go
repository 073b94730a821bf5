package cluster

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// markersFence is the transaction.version from which on a marker has an epoch of its own, so that a late one does not end the next transaction
// (KIP-890, KIP-1228).
const markersFence = 2

// MayRepeat says which requests to another broker may arrive once more, late, on a second connection (F:N4), or late alone (F:N3): those that are fenced
// by an epoch.
//
//	AlterPartition        partition epoch        AddPartitionsToTxn of a leader    producer epoch
//	AllocateProducerIds   takes a block more     WriteTxnMarkers                   producer epoch, where the transaction has one of its own
//
// What is left out: a follower's Fetch, whose session ends by it; registrations and heartbeats, of which a late one speaks for a process that is over.
func (n *Node) MayRepeat(frame []byte) bool {
	req := decode(frame)
	switch r := req.(type) {
	case *kmsg.AlterPartitionRequest, *kmsg.AllocateProducerIDsRequest:
		return true
	case *kmsg.AddPartitionsToTxnRequest:
		return !anyVerifies(r)
	case *kmsg.WriteTxnMarkersRequest:
		for i := range r.Markers {
			if r.Markers[i].TransactionVersion < markersFence {
				return false
			}
		}
		return true
	}
	return false
}

// anyVerifies says whether a transaction of the first version is among those that are asked for: its epoch is that of the next one too.
func anyVerifies(r *kmsg.AddPartitionsToTxnRequest) bool {
	for i := range r.Transactions {
		if r.Transactions[i].VerifyOnly {
			return true
		}
	}
	return false
}

// decode reads a request of those APIs, nil where it is none: a stream of raft's has no frames.
func decode(frame []byte) kmsg.Request {
	if len(frame) < 10 {
		return nil
	}
	key, version := int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
	switch kmsg.Key(key) {
	case kmsg.AlterPartition, kmsg.AllocateProducerIDs, kmsg.AddPartitionsToTxn, kmsg.WriteTxnMarkers:
	default:
		return nil
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	body := frame[10:]
	if size := int16(binary.BigEndian.Uint16(frame[8:])); size > 0 { // the client's name
		body = body[min(int(size), len(body)):]
	}
	if req.IsFlexible() {
		if len(body) == 0 || body[0] != 0 {
			return nil
		}
		body = body[1:]
	}
	if req.ReadFrom(body) != nil {
		return nil
	}
	return req
}
