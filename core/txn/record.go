package txn

import (
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/wire"
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

// readValue decodes a value of version 0 or 1. Whatever order its partitions are in, and however often one stands there, the set is one. What follows the
// known fields is passed over, as Kafka's readers do. kmsg would count to whatever number of tagged fields is announced.
func readValue(b []byte) (m Metadata, err error) {
	if len(b) < 2 || binary.BigEndian.Uint16(b) > 1 {
		return m, errValue
	}
	r, flexible := wire.Reader{B: b[2:]}, b[1] == 1
	m = Metadata{PreviousID: -1, NextID: -1, lastEpoch: noEpoch}
	m.ProducerID, m.Epoch, m.TimeoutMS, m.State = r.Int64(), r.Int16(), r.Int32(), State(r.Int8())
	if m.State < 0 || m.State > CompleteAbort || m.ProducerID < 0 || m.Epoch < 0 {
		return m, errValue
	}
	for n := r.NullableArray(flexible); n > 0 && r.OK(); n-- {
		topic, numbers := string(r.String(flexible)), readInt32s(&r, flexible)
		r.SkipTags(flexible)
		if len(numbers) > 0 && !m.State.Idle() {
			m.Partitions = m.Partitions.With(topic, numbers)
		}
	}
	m.UpdatedMS, m.StartMS = r.Int64(), r.Int64()
	for n := valueTags(&r, flexible); n > 0 && r.OK(); n-- {
		m.readTag(&r)
	}
	if !r.OK() {
		return m, errValue
	}
	return m, nil
}

func readInt32s(r *wire.Reader, flexible bool) []int32 {
	list := make([]int32, max(0, r.Array(flexible)))
	for i := range list {
		list[i] = r.Int32()
	}
	return list
}

func valueTags(r *wire.Reader, flexible bool) int {
	if !flexible {
		return 0
	}
	return r.Tags()
}

// readTag reads one of the tagged fields of version 1. A field of another length than it has makes the value unreadable.
func (m *Metadata) readTag(r *wire.Reader) {
	tag, f := r.Tag()
	switch tag {
	case 0:
		m.PreviousID = f.Int64()
	case 1:
		m.NextID = f.Int64()
	case 2:
		m.ClientVer = f.Int16()
	default:
		return
	}
	if !f.OK() || len(f.B) > 0 {
		r.Fail()
	}
}
