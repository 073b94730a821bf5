package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
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

func (l *lane) produce() kmsg.Request {
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: l.pid, ProducerEpoch: l.epoch, Transactional: true})
	b.Add(nil, []byte("v"), 1_700_000_000_000)
	q := produceTo("t", 0, -1, append([]byte(nil), b.Build()...))
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
	find := findGroup("x")
	find.CoordinatorType = 1
	c.ask(find)
	l := &lane{t: t, c: c, id: "x"}
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = 5, &l.id, 60_000, -1, -1
	r := c.ask(q).(*kmsg.InitProducerIDResponse)
	l.pid, l.epoch = r.ProducerID, r.ProducerEpoch
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
