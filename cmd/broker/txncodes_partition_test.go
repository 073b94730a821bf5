package main_test

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// partitions asks leaders what a partition may and may not be told of transactions.
func (a *asker) partitions() {
	p := a.begin("partitions")
	a.say("Produce v12 of a transaction without its id", a.produce(12, p.named(""), 0, "txn-a-1"))
	a.say("Produce v9 of a transaction without its id", a.produce(9, p.named(""), 0, "txn-a-1"))
	a.say("Produce v12 of two producers", a.produceTwo(12, p, p.with(99, 0), true, true))
	a.say("Produce v12 of two epochs", a.produceTwo(12, p, p.with(0, 1), true, true))
	a.again("Produce v12, of which one is not transactional", func() string { return a.produceTwo(12, p, p.with(1000, 0), true, false) })
	a.say("Produce v12 beside the transaction", a.plain(12, p, 1, "txn-a-1"))
	a.say("DescribeProducers", a.producers("txn-a", 1))
	a.say("DescribeProducers of a partition that is not there", a.producers("txn-a", 77))
	a.say("DescribeProducers of a topic that is not there", a.producers("none", 0))
	a.say("DescribeProducers of a name that is none", a.producers("no/name", 0))
	a.say("the last stable offset", a.latest("txn-a", 1))
	a.say("WriteTxnMarkers v2 of the same epoch", a.endHere(2, p, 2, "txn-a-1"))
	a.say("WriteTxnMarkers v2 of the next epoch, of an earlier coordinator", a.endHere(2, p.with(0, 1), -1, "txn-a-1"))
	a.finish(p, true)
	a.again("DescribeProducers then", func() string {
		s := a.producers("txn-a", 1)
		if strings.Contains(s, "open") && !strings.Contains(s, "open -1") {
			return "CONCURRENT_TRANSACTIONS"
		}
		return s
	})
	a.say("WriteTxnMarkers v2 once more", a.endHere(2, p.with(0, 1), 0, "txn-a-1"))
	a.say("WriteTxnMarkers v2 of the epoch before", a.endHere(2, p, 0, "txn-a-1"))
	a.say("the last stable offset then", a.latest("txn-a", 1))
}

// produceTwo sends a batch of each of two producers, to two partitions, in one request.
func (a *asker) produceTwo(version int16, p, q producer, one, two bool) string {
	x, y := a.request(version, p, 0, "txn-a-1", one), a.request(version, q, 0, "txn-a-0", two)
	x.Topics[0].Partitions = append(x.Topics[0].Partitions, y.Topics[0].Partitions...)
	var out []string
	for _, r := range a.ask(x).(*kmsg.ProduceResponse).Topics[0].Partitions {
		out = append(out, kerr.Code(r.ErrorCode).String())
	}
	return strings.Join(out, " ")
}

func (a *asker) request(version int16, p producer, seq int32, topic string, transactional bool) *kmsg.ProduceRequest {
	name, n := topicAndNumber(topic)
	q := produceRequest(version, -1, name, n, batch(1, []byte("v"), func(b *kmsg.RecordBatch) {
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = p.id, p.epoch, seq
		if transactional {
			b.Attributes |= 1 << 4
		}
	}))
	q.TransactionID = &p.txid
	return q
}

func (a *asker) plain(version int16, p producer, seq int32, topic string) string {
	return kerr.Code(a.ask(a.request(version, p, seq, topic, false)).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode).String()
}

// producers asks DescribeProducers. Times, and what other producers left, are not shown.
func (a *asker) producers(topic string, n int32) string {
	q := kmsg.NewPtrDescribeProducersRequest()
	t := kmsg.NewDescribeProducersRequestTopic()
	t.Topic, t.Partitions = topic, []int32{n}
	q.Topics = append(q.Topics, t)
	x := a.ask(q).(*kmsg.DescribeProducersResponse).Topics[0].Partitions[0]
	out := []string{kerr.Code(x.ErrorCode).String()}
	for _, p := range x.ActiveProducers {
		if p.ProducerID == a.ids[len(a.ids)-1] {
			out = append(out, fmt.Sprintf("%s/%d sequence %d coordinator %d open %d", a.id(p.ProducerID), p.ProducerEpoch, p.LastSequence, p.CoordinatorEpoch, p.CurrentTxnStartOffset))
		}
	}
	return strings.Join(out, " ")
}

// latest asks ListOffsets at both isolation levels.
func (a *asker) latest(topic string, n int32) string {
	var out []string
	for level := range int8(2) {
		q := kmsg.NewPtrListOffsetsRequest()
		q.Version, q.ReplicaID, q.IsolationLevel = 7, -1, level
		t := kmsg.NewListOffsetsRequestTopic()
		x := kmsg.NewListOffsetsRequestTopicPartition()
		x.Partition, x.Timestamp, x.CurrentLeaderEpoch = n, -1, -1
		t.Topic, t.Partitions = topic, append(t.Partitions, x)
		q.Topics = append(q.Topics, t)
		out = append(out, fmt.Sprint(a.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset))
	}
	return strings.Join(out, " of ")
}

// endHere sends a commit marker of transaction version 2.
func (a *asker) endHere(version int16, p producer, coordinator int32, topic string) string {
	name, n := topicAndNumber(topic)
	q := kmsg.NewPtrWriteTxnMarkersRequest()
	q.Version = version
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch, m.TransactionVersion = p.id, p.epoch, true, coordinator, 2
	m.Topics = append(m.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: name, Partitions: []int32{n}})
	q.Markers = append(q.Markers, m)
	return kerr.Code(a.ask(q).(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode).String()
}
