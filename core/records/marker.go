package records

import "github.com/seedlog/seedlog/core/records/compress"

// Marker is what the one record of a control batch says of its producer's transaction: that it ended, and how (KIP-98).
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// MarkerMax bounds a control batch with a marker, in bytes; Kafka's have 78.
const MarkerMax = 256

// Marker reads a control batch, which must be whole. It is false for any other batch, for control records of another type, and for what
// compaction leaves once nothing of the transaction is in the log: a control batch without records.
func (v View) Marker() (m Marker, ok bool) {
	if !v.IsControl() || v.Codec() != compress.None || v.Count() <= 0 || len(v) < v.Size() || v.Size() < HeaderSize {
		return m, false
	}
	var r Reader
	r.Reset(v[:v.Size()], nil)
	rec, ok, err := r.Next()
	if !ok || err != nil || len(rec.Key) < 4 || len(rec.Value) < 6 {
		return m, false
	}
	kind := int16(be.Uint16(rec.Key[2:]))
	return Marker{kind == ControlCommit, int32(be.Uint32(rec.Value[2:]))}, kind == ControlCommit || kind == ControlAbort
}

// NewMarker makes the control batch that ends a producer's transaction. ts is in milliseconds.
func NewMarker(producerID int64, producerEpoch int16, m Marker, ts int64) View {
	b := NewBuilder(Options{LeaderEpoch: -1, HasProducer: true, ProducerID: producerID, ProducerEpoch: producerEpoch, BaseSequence: -1, Transactional: true, Control: true})
	kind := ControlAbort
	if m.Commit {
		kind = ControlCommit
	}
	b.AddMarker(kind, m.CoordinatorEpoch, ts)
	return b.Build()
}
