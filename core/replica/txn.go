package replica

import (
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
)

// Guard stands for one verification of a producer's batches; the zero Guard is none.
type Guard = producers.Guard

// LastStable is the last stable offset: below it every transaction has ended, and its marker stands below the high watermark (KIP-98). It is never
// above the high watermark, never below the log start, and goes back only with a truncation or a leader that knows less.
func (p *Partition) LastStable() int64 {
	if plant.On(plant.R17) && p.Lags() {
		return p.hw
	}
	return max(p.stable, p.Log.Start())
}

// settleStable works the last stable offset out, after the high watermark or the log has changed.
func (p *Partition) settleStable() {
	if p.truncating {
		p.stable = min(p.stable, p.hw) // the log says nothing of transactions while it is cut
		return
	}
	t := p.Log.Producers()
	t.Replicated(p.hw)
	p.stable = p.hw
	if o, some := t.FirstUnstable(); some && o < p.stable {
		p.stable = o
	}
}

// stableGrowth is how many bytes more stand below the last stable offset now that the high watermark has moved by grown bytes, or a guess above
// that where transactions held it back.
func (p *Partition) stableGrowth(before, was, grown int64) int64 {
	switch {
	case p.stable <= before:
		return 0
	case before == was && p.stable == p.hw:
		return grown
	}
	return maxGrowth
}

// Verify says whether a client's transactional batch must be verified by its coordinator before it is appended here, and gives the Guard to append
// it with then (KIP-890). bumps: the client's epoch is greater with each transaction.
func (p *Partition) Verify(v records.View, bumps bool) (Guard, kerr.Code) {
	if c := p.refusal(AcksLeader); c != kerr.None {
		return 0, c
	}
	return p.Log.Producers().Verify(v, bumps, p.env.Now.Wall)
}

// GuardLost says whether a verified batch would be refused because a marker came after its verification began.
func (p *Partition) GuardLost(v records.View, g Guard) bool {
	t := p.Log.Producers()
	return p.refusal(AcksLeader) == kerr.None && !t.Verified(v.ProducerID(), v.ProducerEpoch(), g)
}

// refusal says why nothing is appended here at all, or with these acks.
func (p *Partition) refusal(acks int16) kerr.Code {
	switch {
	case p.failed:
		return kerr.KafkaStorageError
	case p.closed:
		return kerr.NotLeaderForPartition
	}
	return p.refuses(acks)
}

// EndTxn is what a transaction's coordinator says to a partition in WriteTxnMarkers. Version is that of the transaction (0: not told).
type EndTxn struct {
	ProducerID       int64
	ProducerEpoch    int16
	CoordinatorEpoch int32
	Commit           bool
	Version          int8
}

// AppendMarker ends a producer's transaction here, and tells w once the marker is below the high watermark, as acks=all. It is appended where nothing is open, too.
// Codes, as Kafka's: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, or those of an append.
func (p *Partition) AppendMarker(x EndTxn, w Waiter, slot int32) {
	c := p.refusal(AcksAll)
	if c == kerr.None {
		c = p.Log.Producers().CheckMarker(x.ProducerID, x.ProducerEpoch, x.CoordinatorEpoch, x.Version)
	}
	if c != kerr.None {
		w.Appended(slot, Result{Code: c, Base: -1, Time: -1})
		return
	}
	v := records.NewMarker(x.ProducerID, x.ProducerEpoch, records.Marker{Commit: x.Commit, CoordinatorEpoch: x.CoordinatorEpoch}, int64(p.env.Now.Wall))
	base := p.put(v, nil)
	p.wait(base, AcksAll, waiting{w: w, slot: slot, r: Result{Base: base, Time: -1}})
}

// BeginVerify is Verify of what a coordinator is to write here for a producer, in its transaction (TxnOffsetCommit).
func (p *Partition) BeginVerify(producerID int64, epoch int16, bumps bool) (Guard, kerr.Code) {
	if c := p.refusal(AcksAll); c != kerr.None {
		return 0, c
	}
	return p.Log.Producers().VerifyProducer(producerID, epoch, -1, bumps, p.env.Now.Wall)
}

// Admit says whether it may be written now. A marker that came after BeginVerify has ended what the guard stands for.
func (p *Partition) Admit(producerID int64, epoch int16, g Guard) kerr.Code {
	return p.Log.Producers().Admit(producerID, epoch, g)
}

// AdmitMarker says whether a coordinator may end the transaction of a producer, by a marker that AppendOwn writes.
func (p *Partition) AdmitMarker(producerID int64, epoch int16, coordinatorEpoch int32, version int8) kerr.Code {
	return p.Log.Producers().CheckMarker(producerID, epoch, coordinatorEpoch, version)
}
