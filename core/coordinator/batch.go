package coordinator

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/seedlog/seedlog/core/records"
)

// ErrBatch is a batch of an internal topic that cannot be read.
var ErrBatch = errors.New("coordinator: unreadable batch")

// buildBatch makes one batch in memory of its own: the log keeps it until it is written. Base offset and leader epoch are the
// log's to patch.
func buildBatch(b *records.Builder, by Position, nowMS int64, recs []Record) []byte {
	b.Reset(records.Options{
		LeaderEpoch: -1, HasProducer: by.ProducerID >= 0, ProducerID: by.ProducerID, ProducerEpoch: by.ProducerEpoch,
		BaseSequence: -1, Transactional: by.Transactional,
	})
	for i := range recs {
		b.Add(recs[i].Key, recs[i].Value, nowMS)
	}
	return bytes.Clone(b.Build())
}

// replayBatch feeds a batch to m. Compaction leaves batches with fewer records than their header spans, or none.
func replayBatch(m Machine, v records.View, s *records.Scratch) error {
	v, ok := records.Header(v)
	if !ok {
		return ErrBatch
	}
	at := Position{ProducerID: v.ProducerID(), ProducerEpoch: v.ProducerEpoch(), Transactional: v.IsTransactional()}
	r := records.NewReader(v, s)
	for {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			return err
		}
		at.Offset = v.BaseOffset() + int64(rec.OffsetDelta)
		if err := replayRecord(m, at, v.IsControl(), Record{rec.Key, rec.Value}); err != nil {
			return err
		}
	}
}

// replayRecord applies one record. The key of a control record is its version and its type, int16 both.
func replayRecord(m Machine, at Position, control bool, rec Record) error {
	if !control {
		return m.Replay(at, rec)
	}
	if len(rec.Key) < 4 {
		return ErrBatch
	}
	switch kind := int16(binary.BigEndian.Uint16(rec.Key[2:])); kind {
	case records.ControlAbort, records.ControlCommit:
		m.ReplayMarker(at.ProducerID, at.ProducerEpoch, kind == records.ControlCommit)
	}
	return nil
}
