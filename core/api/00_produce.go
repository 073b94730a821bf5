package api

import (
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
)

// Produce (key 0). Bytes: the batch is read once from the socket and written from the same buffer; nothing is copied unless
// compression.type asks for another codec. System calls: one read and one pwritev for all frames of a round, one send for all answers of a
// connection (measured by `make bench ONLY=raw-produce`).
const keyProduce = 0

func produce(r *Request) {
	s, p := r.s, &r.produce
	if !p.Decode(r.Version, r.body) {
		r.Close()
		return
	}
	r.NoReply = p.Acks == replica.AcksNone
	r.finish = (*Request).produced
	r.remain++ // ourselves, so that synchronous answers do not finish early
	for range p.Parts {
		r.items = append(r.items, Item{})
	}
	txn, refused := r.transaction()
	for i := range p.Parts {
		if refused != kerr.None {
			r.items[i] = Item{Code: refused, ROff: -1, RTime: -1, Start: -1}
			continue
		}
		if c, text := r.producePart(i, txn); c != kerr.None {
			r.items[i] = Item{Code: c, ROff: -1, RTime: -1, Start: -1, text: text, blamed: r.items[i].blamed}
		}
	}
	if r.remain > 1 && p.Acks == replica.AcksAll {
		r.timer.Owner = r
		s.Env.After(&r.timer, clock.MS(int64(max(p.TimeoutMS, 0))))
	}
	r.part()
}

// producePart checks one partition's batch and hands it to the partition's owner; a code other than None is the answer.
func (r *Request) producePart(i int, txn *producing) (kerr.Code, string) {
	s, q := r.s, &r.produce
	part := &q.Parts[i]
	if q.Acks < replica.AcksAll || q.Acks > replica.AcksLeader {
		return kerr.InvalidRequiredAcks, ""
	}
	t, c := s.topicOf(part.Topic, part.TopicID, r.Version >= 13)
	if c != kerr.None {
		return c, ""
	}
	if part.Partition < 0 || int(part.Partition) >= len(t.Partitions) {
		return kerr.UnknownTopicOrPartition, ""
	}
	if controller.IsInternal(t.Name) { // the coordinators' own; Kafka lets its admin client alone write there
		return kerr.InvalidTopicException, "this topic is the broker's own; clients cannot write to it"
	}
	set := s.Settings(t)
	held := kerr.None // what refuses it for the moment; its owner is to know of a batch of a transaction all the same
	if x := &t.Partitions[part.Partition]; q.Acks == replica.AcksAll && x.Leader == s.Node.NodeID && len(x.ISR) < x.RequiredISR(set.MinInsyncReplicas) {
		if held = kerr.NotEnoughReplicas; txn == nil {
			return held, ""
		}
	}
	lim := s.limits(set)
	if c, text, record := records.Check(part.Records, lim); c != kerr.None {
		r.items[i].blamed = record + 1
		return c, text
	}
	v := records.View(part.Records)
	lease := r.lease
	if set.LogAppendTime {
		records.SetLogAppendTime(v, int64(s.Env.Now.Wall))
	}
	if set.Compression >= 0 && set.Compression != v.Codec() {
		b, err := records.Recompress(v, set.Compression, s.Scratch)
		if err != nil {
			return kerr.CorruptMessage, "the batch does not decompress"
		}
		v, lease = append(records.View(nil), b...), nil // b is the scratch's
	}
	if int32(len(v)) > set.MaxMessageBytes {
		return kerr.MessageTooLarge, ""
	}
	it := &r.items[i]
	if d := s.dirOf(&t.Partitions[part.Partition]); d != nil && held == kerr.None {
		if d.full(s.Node.DiskReserveBytes) {
			held, it.text = kerr.KafkaStorageError, "the broker's disk is full: free space in "+d.Path
			if txn == nil {
				return held, it.text
			}
		} else {
			d.SinceFree += int64(len(v))
		}
	}
	it.ID, it.Number = t.ID, part.Partition
	r.remain++
	r.handOver(Owner(t.Name, part.Partition, s.Shards), int32(i), v, lease, txn, held)
	return kerr.None, ""
}

// handOver gives an item's batch to the shard that owns its partition.
func (r *Request) handOver(owner int, i int32, v records.View, lease *buf.Lease, txn *producing, held kerr.Code) {
	s, it, acks := r.s, &r.items[i], r.produce.Acks
	if owner == s.Shard {
		s.appendTo(it.ID, it.Number, v, lease, acks, r, i, txn, held)
		return
	}
	if acks == replica.AcksNone {
		acks = replica.AcksLeader // the answer says when the frame may be used again
	}
	s.mail(step.Mail{Kind: MailAppend, To: int32(owner), Token: s.flights.Put(r), Slot: i,
		Body: &remoteAppend{acks: acks, id: it.ID, num: it.Number, batch: v, txn: txn, held: held}})
}

// appendTo appends on the owner, what begins a transaction there once its coordinator has been asked. What is held is refused; a producer that has
// more batches on their way has been heard of then, and none of them takes the place of the first.
func (s *State) appendTo(id [16]byte, n int32, v records.View, lease *buf.Lease, acks int16, w replica.Waiter, slot int32, txn *producing, held kerr.Code) {
	it := Item{ID: id, Number: n, Epoch: -1}
	p := s.leaderOf(&it)
	if p == nil {
		w.Appended(slot, replica.Result{Code: it.Code, Base: -1, Time: -1})
		return
	}
	if held != kerr.None {
		if v.IsTransactional() {
			_, _ = p.Verify(v, txn.adds())
		}
		w.Appended(slot, replica.Result{Code: held, Base: -1, Time: -1})
		return
	}
	if txn != nil && v.IsTransactional() && s.verify(p, unverified{v: v, lease: lease, acks: acks, w: w, slot: slot}, txn) {
		return
	}
	p.Append(v, lease, acks, w, slot)
}

// Appended is replica.Waiter: one partition's append is answered.
func (r *Request) Appended(slot int32, res replica.Result) {
	if !r.done {
		it := &r.items[slot]
		it.Code, it.ROff, it.RTime = res.Code, res.Base, res.Time
		if p := r.s.Partition(it.ID, it.Number); p != nil && p.Log != nil {
			it.Start = p.Log.Start()
		}
		it.Arg = 1 // answered
	}
	r.remain--
	if r.remain == 0 {
		r.produced()
	}
}

// tellsNoStart says whether an answer with a code has no log start offset, as where there was no log to append to.
func tellsNoStart(c kerr.Code) bool {
	return c == kerr.NotLeaderForPartition || c == kerr.UnknownTopicOrPartition || c == kerr.KafkaStorageError
}

func (r *Request) produced() {
	if r.NoReply && !r.done {
		for i := range r.items {
			// Without an answer the only way to tell the producer is to close: it then asks for metadata.
			r.CloseAfter = r.CloseAfter || r.items[i].Code != kerr.None
		}
	}
	r.complete()
}

// produceTimedOut answers what is still waiting for acks=all. The records stay: the answer says only that nobody knows.
func (r *Request) produceTimedOut() {
	for i := range r.items {
		if it := &r.items[i]; it.Code == kerr.None && it.Arg == 0 {
			it.Code, it.ROff, it.RTime, it.Start = kerr.RequestTimedOut, -1, -1, -1
			if plant.On(plant.B2) {
				it.Code, it.ROff = kerr.None, 0
			}
		}
	}
	r.complete()
}

// limits is what a batch from a producer must keep to.
func (s *State) limits(set *config.Topic) records.Limits {
	return records.Limits{
		MaxMessageBytes: set.MaxMessageBytes, NeedKeys: set.Compact, NowMS: int64(s.Env.Now.Wall),
		BeforeMaxMS: set.TimestampBeforeMaxMS, AfterMaxMS: set.TimestampAfterMaxMS, CreateTime: !set.LogAppendTime,
		MaxDecompressed: maxDecompressed, Scratch: s.Scratch,
	}
}

// maxDecompressed bounds what the records of one batch may decompress to, so that a small bomb cannot hold up a shard.
const maxDecompressed = 512 << 20

// topicOf finds a topic by name or by id.
func (s *State) topicOf(name []byte, id [16]byte, byID bool) (*metadata.Topic, kerr.Code) {
	if byID {
		if t := s.Image.TopicByID(id); t != nil {
			return t, kerr.None
		}
		return nil, kerr.UnknownTopicID
	}
	if t := s.Image.TopicByNameBytes(name); t != nil {
		return t, kerr.None
	}
	return nil, kerr.UnknownTopicOrPartition
}

// produceLeaderHints is the version from which on an answer names the leader (KIP-951).
const produceLeaderHints = 10

func (r *Request) encodeProduce(dst []byte) []byte {
	resp := &r.s.produceResp
	resp.Parts, resp.Nodes = resp.Parts[:0], resp.Nodes[:0]
	for i := range r.produce.Parts {
		part, it := &r.produce.Parts[i], &r.items[i]
		var leader wire.CurrentLeader
		if it.Code == kerr.NotLeaderForPartition && r.Version >= produceLeaderHints {
			leader = r.s.leaderHint(it.ID, it.Number)
			resp.Nodes = r.s.endpoint(resp.Nodes, leader, r.Client.Listener)
		}
		start := it.Start
		if tellsNoStart(it.Code) {
			start = -1
		}
		var blamed []wire.RecordError
		if it.blamed > 0 {
			blamed = []wire.RecordError{{Index: it.blamed - 1, Message: it.text}}
		}
		resp.Parts = append(resp.Parts, wire.ProduceResult{
			CurrentLeader: leader,
			Topic:         part.Topic, TopicID: part.TopicID, NewTopic: part.NewTopic, Partition: part.Partition,
			Code: it.Code, BaseOffset: it.ROff, LogAppendTime: it.RTime, LogStartOffset: start, Message: it.text, ErrorRecords: blamed,
		})
	}
	return wire.AppendProduceResponse(dst, r.Version, r.Corr, resp)
}
