package broker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// lane is a producer of transactions of one batch, which begins each as soon as the one before is answered.
type lane struct {
	t     testing.TB
	c     *client
	id    string
	pid   int64
	epoch int16
}

// begun is a lane whose producer has an id.
func begun(t testing.TB, c *client, id string) *lane {
	find := findGroup(id)
	find.CoordinatorType = 1
	c.ask(find)
	l := &lane{t: t, c: c, id: id}
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = 5, &l.id, 60_000, -1, -1
	r := c.ask(q).(*kmsg.InitProducerIDResponse)
	l.pid, l.epoch = r.ProducerID, r.ProducerEpoch
	return l
}

func (l *lane) produce() kmsg.Request { return l.batch(0, 0) }

func (l *lane) batch(part, seq int32) *kmsg.ProduceRequest {
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: l.pid, ProducerEpoch: l.epoch, BaseSequence: seq, Transactional: true})
	b.Add(nil, []byte("v"), 1_700_000_000_000)
	q := produceTo("t", part, -1, append([]byte(nil), b.Build()...))
	q.TransactionID = &l.id
	return q
}

func (l *lane) end() kmsg.Request {
	q := kmsg.NewPtrEndTxnRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = 5, l.id, l.pid, l.epoch, true
	return q
}

// waves runs the node until a request is answered, and counts how often everything waits for a sync.
func (l *lane) waves(req kmsg.Request) (resp kmsg.Response, n int) {
	l.t.Helper()
	node := l.c.n
	corr := l.c.send(req)
	for ; n < 50; n++ {
		node.holdDisk = func(r *disk.Request) bool { return r.Kind == disk.Sync }
		node.run()
		if resp := l.c.answer(corr); resp != nil {
			node.holdDisk = nil
			return resp, n
		}
		let := map[disk.Token]bool{} // those that stand now, and what comes of them no more
		for _, x := range node.shards {
			for i := range x.disk {
				let[x.disk[i].Token] = true
			}
		}
		node.holdDisk = func(r *disk.Request) bool { return r.Kind == disk.Sync && !let[r.Token] }
		node.run()
	}
	l.t.Fatalf("%s is not answered", kmsg.NameForKey(req.Key()))
	return nil, 0
}

func TestATransactionTakesFourSyncsInSequence(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1, "transaction.state.log.num.partitions=1")
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	l := begun(t, c, "x")
	const transactions = 20
	total := 0
	for i := range transactions + 1 {
		p, produced := l.waves(l.produce())
		if code := kerr.Code(p.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); code != kerr.None {
			t.Fatal(code)
		}
		e, ended := l.waves(l.end())
		x := e.(*kmsg.EndTxnResponse)
		if x.ErrorCode != 0 {
			t.Fatal(kerr.Code(x.ErrorCode))
		}
		l.pid, l.epoch = x.ProducerID, x.ProducerEpoch
		if i > 0 { // the first one waits for nobody
			total += produced + ended
		}
	}
	if total > 4*transactions {
		t.Errorf("%d syncs in sequence for %d transactions, want at most 4 each", total, transactions)
	}
	t.Logf("%d syncs in sequence for %d transactions", total, transactions)
	n.run()
	n.stop()
}

// A producer has several batches on their way. When the first is refused for the moment and the second is not, the second does not take its place
// (KAFKA-14920): the first would be out of order for ever.
func TestABatchBehindOneThatWasRefusedForTheMomentDoesNotTakeItsPlace(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2, "transaction.state.log.num.partitions=1")
	c := n.connect(0)
	n.mustCreate(c, "t", 8)
	free := func(bytes int64) {
		n.disk.free = bytes
		n.wait(20 * clock.Second)
	}
	for _, version := range []int16{11, 12} {
		for shard := range 2 {
			part := n.partOn("t", shard)
			l := begun(t, c, fmt.Sprint("x", version, shard))
			if version < 12 {
				q := kmsg.NewPtrAddPartitionsToTxnRequest()
				q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch = 3, l.id, l.pid, l.epoch
				q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{part}}}
				if got := c.ask(q).(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode; got != 0 {
					t.Fatal(kerr.Code(got))
				}
			}
			told := func(seq int32, want kerr.Code) {
				t.Helper()
				q := l.batch(part, seq)
				q.Version = version
				if got := kerr.Code(c.ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); got != want {
					t.Fatalf("version %d, partition of shard %d, batch %d: got %v, want %v", version, shard, seq, got, want)
				}
			}
			free(0)
			told(0, kerr.KafkaStorageError)
			free(1 << 40)
			told(1, kerr.OutOfOrderSequenceNumber)
			told(0, kerr.None)
			told(1, kerr.None)
		}
	}
	n.stop()
}
