package txn

import (
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
)

var (
	errKey   = errors.New("txn: unreadable key")
	errValue = errors.New("txn: unreadable value")
)

// record is the record of an id's metadata; nil deletes the id. level is the cluster's transaction.version, which says how values are written:
// from 1 on with tagged fields.
func record(id string, m *Metadata, level int16) coordinator.Record {
	k := kmsg.TxnMetadataKey{TransactionalID: id}
	r := coordinator.Record{Key: k.AppendTo(nil)}
	if m == nil {
		return r
	}
	v := kmsg.NewTxnMetadataValue()
	if level > 0 {
		v.Version = 1
	}
	v.ProducerID, v.PreviousProducerID, v.NextProducerID, v.ProducerEpoch = m.ProducerID, m.PreviousID, m.NextID, m.Epoch
	v.TimeoutMillis, v.State = m.TimeoutMS, kmsg.TransactionState(m.State)
	v.LastUpdateTimestamp, v.StartTimestamp, v.ClientTransactionVersion = m.UpdatedMS, m.StartMS, m.ClientVer
	if m.State != Empty {
		v.Topics = make([]kmsg.TxnMetadataValueTopic, 0, len(m.Partitions))
	}
	for _, t := range m.Partitions {
		v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: t.Topic, Partitions: t.Numbers})
	}
	r.Value = v.AppendTo(nil)
	return r
}

// readKey decodes a key. known is false for types that this package does not keep.
func readKey(b []byte) (id string, known bool, err error) {
	if len(b) < 2 {
		return "", false, errKey
	}
	if binary.BigEndian.Uint16(b) != 0 {
		return "", false, nil
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(b); err != nil {
		return "", true, errKey
	}
	return k.TransactionalID, true, nil
}

// readValue decodes a value of version 0 or 1. Whatever order its partitions are in, and however often one stands there, the set is one.
func readValue(b []byte) (m Metadata, err error) {
	if len(b) < 2 || binary.BigEndian.Uint16(b) > 1 {
		return m, errValue
	}
	var v kmsg.TxnMetadataValue
	if v.ReadFrom(b) != nil || v.State < 0 || State(v.State) > CompleteAbort || v.ProducerID < 0 || v.ProducerEpoch < 0 {
		return m, errValue
	}
	m = Metadata{
		ProducerID: v.ProducerID, PreviousID: v.PreviousProducerID, NextID: v.NextProducerID, Epoch: v.ProducerEpoch,
		TimeoutMS: v.TimeoutMillis, State: State(v.State), StartMS: v.StartTimestamp, UpdatedMS: v.LastUpdateTimestamp,
		ClientVer: v.ClientTransactionVersion, lastEpoch: noEpoch,
	}
	for _, t := range v.Topics {
		if len(t.Partitions) > 0 && !m.State.Idle() {
			m.Partitions = m.Partitions.With(t.Topic, t.Partitions)
		}
	}
	return m, nil
}
