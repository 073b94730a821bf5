package main_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// recordFrom is an Apache Kafka whose answers are written to testdata.
var recordFrom = flag.String("record-from", "", "host:port of an Apache Kafka whose answers are recorded; -run says which")

// TestTransactionsAreAnsweredAsApacheKafkaAnswers asks, one after the other, what a producer may and may not ask, and compares with what Apache Kafka
// 4.3.1 said to the same. Producer ids are shown in the order in which they came.
func TestTransactionsAreAnsweredAsApacheKafkaAnswers(t *testing.T) {
	compareCodes(t, "testdata/transactions.txt", transactionCodes)
}

// compareCodes asks a broker and compares with what Apache Kafka said, or records what it says.
func compareCodes(t *testing.T, file string, ask func(t *testing.T, addr string) string, settings ...string) {
	if *recordFrom != "" {
		got := ask(t, *recordFrom)
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := start(t, t.TempDir(), append(settings, "group.initial.rebalance.delay.ms=0", "disk.reserve.bytes=0")...)
	diffLines(t, recorded(t, file), ask(t, n.addr))
}

// recorded is what Apache Kafka said.
func recorded(t *testing.T, file string) string {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(want)
}

// saysMore is where this broker tells more than Apache Kafka does: a member that has not heard of its epoch is told its assignment too, since the answer
// that had it was lost. With Kafka's the member would hold nothing.
var saysMore = map[string]string{"ConsumerGroupHeartbeat v1 of the epoch before, with what it owned": " gets [cg-a x 4, cg-b x 2]"}

func diffLines(t *testing.T, want, got string) {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i, line := range a {
		for what, more := range saysMore {
			if strings.HasPrefix(line, what+": ") {
				a[i] += more
			}
		}
	}
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("Kafka %s\n      we  %s", x, y)
		}
	}
}

// asker asks one broker and writes down what it says.
type asker struct {
	*raw
	out []string
	ids []int64
}

func (a *asker) say(what, answer string) { a.out = append(a.out, what+": "+answer) }

// id names a producer id.
func (a *asker) id(pid int64) string {
	if pid < 0 {
		return "-"
	}
	i := slices.Index(a.ids, pid)
	if i < 0 {
		i = len(a.ids)
		a.ids = append(a.ids, pid)
	}
	return fmt.Sprintf("P%d", i)
}

// again asks until the answer is not one for which every client waits.
func (a *asker) again(what string, f func() string) {
	a.t.Helper()
	for range 500 {
		s := f()
		if !strings.HasPrefix(s, "CONCURRENT_TRANSACTIONS") && !strings.HasPrefix(s, "COORDINATOR_") && !strings.HasPrefix(s, "NOT_COORDINATOR") &&
			!strings.HasPrefix(s, "UNSTABLE") && !strings.HasPrefix(s, "NOT_ENOUGH") && !strings.Contains(s, "PrepareCommit") && !strings.Contains(s, "PrepareAbort") {
			a.say(what, s)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.t.Errorf("%s: no answer in 5 s", what)
}

// producer is a transactional id with what InitProducerId gave it.
type producer struct {
	txid  string
	id    int64
	epoch int16
}

// initID sends InitProducerId once.
func (a *asker) initID(version int16, txid *string, timeout int32, pid int64, epoch int16) (producer, string) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = version, txid, timeout, pid, epoch
	r := a.ask(q).(*kmsg.InitProducerIDResponse)
	p := producer{id: r.ProducerID, epoch: r.ProducerEpoch}
	if txid != nil {
		p.txid = *txid
	}
	return p, fmt.Sprintf("%s %s/%d", kerr.Code(r.ErrorCode), a.id(r.ProducerID), r.ProducerEpoch)
}

// begin gets a producer for a transactional id, and again, so that there is an epoch before.
func (a *asker) begin(txid string) producer {
	a.producer(txid)
	return a.producer(txid)
}

func (a *asker) producer(txid string) (p producer) {
	a.again("init "+txid, func() (s string) {
		p, s = a.initID(5, &txid, 60_000, -1, -1)
		return s
	})
	return p
}

func (a *asker) addClient(version int16, p producer, topics ...string) string {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch = version, p.txid, p.id, p.epoch
	for _, s := range topics {
		name, n := topicAndNumber(s)
		q.Topics = append(q.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: name, Partitions: []int32{n}})
	}
	var out []string
	for _, x := range a.ask(q).(*kmsg.AddPartitionsToTxnResponse).Topics {
		for _, y := range x.Partitions {
			out = append(out, fmt.Sprintf("%s-%d %s", x.Topic, y.Partition, kerr.Code(y.ErrorCode)))
		}
	}
	return told(out)
}

// told sorts what an answer lists in no order; one partition alone is its code.
func told(out []string) string {
	sort.Strings(out)
	if len(out) == 1 {
		_, code, _ := strings.Cut(out[0], " ")
		return code
	}
	return strings.Join(out, ", ")
}

func topicAndNumber(s string) (string, int32) {
	i := strings.LastIndexByte(s, '-')
	var n int32
	_, _ = fmt.Sscan(s[i+1:], &n)
	return s[:i], n
}

func (a *asker) addBroker(version int16, verify bool, p producer, topics ...string) string {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.Version = version
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = p.txid, p.id, p.epoch, verify
	for _, s := range topics {
		name, n := topicAndNumber(s)
		t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: name, Partitions: []int32{n}})
	}
	q.Transactions = append(q.Transactions, t)
	var out []string
	for _, x := range a.ask(q).(*kmsg.AddPartitionsToTxnResponse).Transactions {
		for _, y := range x.Topics {
			for _, z := range y.Partitions {
				out = append(out, fmt.Sprintf("%s-%d %s", y.Topic, z.Partition, kerr.Code(z.ErrorCode)))
			}
		}
	}
	return told(out)
}

func (a *asker) addOffsets(version int16, p producer, group string) string {
	q := kmsg.NewPtrAddOffsetsToTxnRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = version, p.txid, p.id, p.epoch, group
	return kerr.Code(a.ask(q).(*kmsg.AddOffsetsToTxnResponse).ErrorCode).String()
}

func (a *asker) end(version int16, p producer, commit bool) string {
	q := kmsg.NewPtrEndTxnRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = version, p.txid, p.id, p.epoch, commit
	r := a.ask(q).(*kmsg.EndTxnResponse)
	if version < 5 {
		return kerr.Code(r.ErrorCode).String()
	}
	return fmt.Sprintf("%s %s/%d", kerr.Code(r.ErrorCode), a.id(r.ProducerID), r.ProducerEpoch)
}

// finish ends a transaction and waits until its markers are written.
func (a *asker) finish(p producer, commit bool) {
	a.say("EndTxn v5", a.end(5, p, commit))
	a.again("EndTxn v5 again", func() string { return a.end(5, p, commit) })
}

func (a *asker) produce(version int16, p producer, seq int32, topic string) string {
	name, n := topicAndNumber(topic)
	b := batch(1, []byte("v"), func(b *kmsg.RecordBatch) {
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = p.id, p.epoch, seq
		b.Attributes |= 1 << 4
	})
	q := produceRequest(version, -1, name, n, b)
	if p.txid != "" {
		q.TransactionID = &p.txid
	}
	return kerr.Code(a.ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode).String()
}

// committer says who commits offsets.
type committer struct {
	generation int32
	id         string
}

func (a *asker) commitOffsets(version int16, p producer, group string, m committer, metadata string, topics ...string) string {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = version, p.txid, p.id, p.epoch, group
	q.Generation, q.MemberID = m.generation, m.id
	for _, s := range topics {
		name, n := topicAndNumber(s)
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = name
		x := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		x.Partition, x.Offset, x.LeaderEpoch, x.Metadata = n, 7, -1, &metadata
		t.Partitions = append(t.Partitions, x)
		q.Topics = append(q.Topics, t)
	}
	var out []string
	for _, x := range a.ask(q).(*kmsg.TxnOffsetCommitResponse).Topics {
		for _, y := range x.Partitions {
			out = append(out, fmt.Sprintf("%s-%d %s", x.Topic, y.Partition, kerr.Code(y.ErrorCode)))
		}
	}
	return told(out)
}

func (a *asker) committed(group, topic string, stable bool) string {
	name, n := topicAndNumber(topic)
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version, q.RequireStable = 8, stable
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.Topics = group, []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, Partitions: []int32{n}}}
	q.Groups = append(q.Groups, g)
	r := a.ask(q).(*kmsg.OffsetFetchResponse).Groups[0]
	if r.ErrorCode != 0 {
		return kerr.Code(r.ErrorCode).String()
	}
	x := r.Topics[0].Partitions[0]
	return fmt.Sprintf("%s %d", kerr.Code(x.ErrorCode), x.Offset)
}

func (a *asker) describe(txid string) string {
	q := kmsg.NewPtrDescribeTransactionsRequest()
	q.TransactionalIDs = []string{txid}
	x := a.ask(q).(*kmsg.DescribeTransactionsResponse).TransactionStates[0]
	var topics []string
	for _, t := range x.Topics {
		slices.Sort(t.Partitions)
		topics = append(topics, fmt.Sprintf("%s%v", t.Topic, t.Partitions))
	}
	sort.Strings(topics)
	return fmt.Sprintf("%s %s %s/%d %dms started=%v %v", kerr.Code(x.ErrorCode), x.State, a.id(x.ProducerID), x.ProducerEpoch, x.TimeoutMillis, x.StartTimestamp > 0, topics)
}

func (a *asker) list(version int16, change func(*kmsg.ListTransactionsRequest)) string {
	q := kmsg.NewPtrListTransactionsRequest()
	q.Version = version
	q.DurationFilterMillis = -1
	change(q)
	r := a.ask(q).(*kmsg.ListTransactionsResponse)
	var out []string
	for _, x := range r.TransactionStates {
		if strings.HasPrefix(x.TransactionalID, "list") {
			out = append(out, x.TransactionalID+"="+x.TransactionState)
		}
	}
	sort.Strings(out)
	return fmt.Sprintf("%s unknown=%v %v", kerr.Code(r.ErrorCode), r.UnknownStateFilters, out)
}

func (a *asker) mark(version int16, p producer, coordinator int32, commit bool, topics ...string) string {
	q := kmsg.NewPtrWriteTxnMarkersRequest()
	q.Version = version
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch = p.id, p.epoch, commit, coordinator
	for _, s := range topics {
		name, n := topicAndNumber(s)
		m.Topics = append(m.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: name, Partitions: []int32{n}})
	}
	q.Markers = append(q.Markers, m)
	var out []string
	for _, x := range a.ask(q).(*kmsg.WriteTxnMarkersResponse).Markers {
		for _, t := range x.Topics {
			for _, y := range t.Partitions {
				out = append(out, fmt.Sprintf("%s-%d %s", t.Topic, y.Partition, kerr.Code(y.ErrorCode)))
			}
		}
	}
	return told(out)
}

// with gives the producer with another id or epoch.
func (p producer) with(id, epoch int) producer {
	p.id += int64(id)
	p.epoch += int16(epoch)
	return p
}

func (p producer) named(txid string) producer {
	p.txid = txid
	return p
}

// transactionCodes asks everything and gives what was said.
func transactionCodes(t *testing.T, addr string) string {
	a := &asker{raw: rawTo(t, addr)}
	a.prepare()
	a.inits()
	a.adds()
	a.endsOfTheFirstVersion()
	a.endsOfTheSecondVersion()
	a.produces()
	a.offsets()
	a.fences()
	a.shows()
	a.partitions()
	return strings.Join(a.out, "\n") + "\n"
}

// prepare makes the topics, the internal ones too.
func (a *asker) prepare() {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 10_000
	for _, name := range []string{"txn-a", "txn-b"} {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, 4, 1
		q.Topics = append(q.Topics, t)
	}
	a.ask(q)
	a.find()
}

// find waits until there are coordinators of groups and of transactions.
func (a *asker) find() {
	for kind := range int8(2) {
		a.again(fmt.Sprint("find ", kind), func() string {
			q := kmsg.NewPtrFindCoordinatorRequest()
			q.Version, q.CoordinatorType, q.CoordinatorKeys = 4, kind, []string{"x"}
			return kerr.Code(a.ask(q).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode).String()
		})
	}
}

func (a *asker) inits() {
	empty, id := "", "init"
	for _, x := range []struct {
		what    string
		version int16
		txid    *string
		timeout int32
		pid     int64
		epoch   int16
	}{
		{"an empty id", 5, &empty, 60_000, -1, -1},
		{"a time-out of 0", 5, &id, 0, -1, -1},
		{"a negative time-out", 5, &id, -1, -1, -1},
		{"too long a time-out", 5, &id, 900_001, -1, -1},
		{"too long a time-out, v0", 0, &id, 900_001, -1, -1},
		{"a producer id without epoch", 5, &id, 60_000, 5, -1},
		{"an epoch without producer id", 5, &id, 60_000, -1, 5},
		{"an empty id and half a producer", 5, &empty, 60_000, -1, 5},
	} {
		_, s := a.initID(x.version, x.txid, x.timeout, x.pid, x.epoch)
		a.say("InitProducerId with "+x.what, s)
	}
	a.again("InitProducerId with no id and a producer", func() string {
		_, s := a.initID(5, nil, 60_000, 5, 5)
		return s
	})
	a.again("InitProducerId of a new id that goes on from a producer of another life", func() string {
		_, s := a.initID(5, &id, 60_000, 123_456_789, 3)
		return s
	})
	p := a.begin(id)
	for _, x := range []struct {
		what    string
		version int16
		p       producer
	}{
		{"goes on", 5, p}, {"retries that", 5, p}, {"goes on from what it got", 4, p.with(0, 1)}, {"goes on from too old an epoch", 4, p},
		{"goes on from too old an epoch, v3", 3, p}, {"goes on from a later epoch", 4, p.with(0, 9)}, {"goes on from another id", 4, p.with(77, 0)},
	} {
		_, s := a.initID(x.version, &id, 60_000, x.p.id, x.p.epoch)
		a.say("InitProducerId that "+x.what, s)
	}
	_, s := a.initID(0, &id, 60_000, -1, -1)
	a.say("InitProducerId v0", s)
}

func (a *asker) adds() {
	p := a.begin("add")
	for v := range int16(4) {
		a.say(fmt.Sprintf("AddPartitionsToTxn v%d of an old epoch", v), a.addClient(v, p.with(0, -1), "txn-a-0"))
		a.say(fmt.Sprintf("AddOffsetsToTxn v%d of an old epoch", v), a.addOffsets(v, p.with(0, -1), "g"))
	}
	a.say("AddPartitionsToTxn of a later epoch", a.addClient(3, p.with(0, 1), "txn-a-0"))
	a.say("AddPartitionsToTxn of another producer", a.addClient(3, p.with(99, 0), "txn-a-0"))
	a.say("AddPartitionsToTxn of an unknown id", a.addClient(3, p.named("nobody"), "txn-a-0"))
	a.say("AddPartitionsToTxn of an empty id", a.addClient(3, p.named(""), "txn-a-0"))
	a.say("AddPartitionsToTxn of partitions of which one is not there", a.addClient(3, p, "txn-a-0", "txn-a-9", "none-0"))
	a.say("AddPartitionsToTxn of what is not there, by an unknown id", a.addClient(3, p.named("nobody"), "none-0"))
	a.say("DescribeTransactions after that", a.describe("add"))
	for v := range int16(4) {
		a.say(fmt.Sprintf("AddPartitionsToTxn v%d", v), a.addClient(v, p, "txn-a-0", fmt.Sprintf("txn-b-%d", v)))
	}
	a.say("AddOffsetsToTxn of an unknown id", a.addOffsets(3, p.named("nobody"), "g"))
	a.say("AddOffsetsToTxn of an empty id", a.addOffsets(3, p.named(""), "g"))
	a.say("AddOffsetsToTxn of another producer", a.addOffsets(3, p.with(99, 0), "g"))
	for v := range int16(5) {
		a.say(fmt.Sprintf("AddOffsetsToTxn v%d", v), a.addOffsets(v, p, "g"))
	}
	for _, v := range []int16{4, 5} {
		for _, verify := range []bool{true, false} {
			what := fmt.Sprintf("AddPartitionsToTxn v%d, verify=%v, ", v, verify)
			a.say(what+"of an unknown id", a.addBroker(v, verify, p.named("nobody"), "txn-a-0"))
			a.say(what+"of an empty id", a.addBroker(v, verify, p.named(""), "txn-a-0"))
			a.say(what+"of another producer", a.addBroker(v, verify, p.with(99, 0), "txn-a-0"))
			a.say(what+"of an old epoch", a.addBroker(v, verify, p.with(0, -1), "txn-a-0"))
			a.say(what+"of what is not there", a.addBroker(v, verify, p, "txn-a-0", "none-0"))
			a.say(what+"of one that is in and one that is not", a.addBroker(v, verify, p, "txn-a-0", fmt.Sprintf("txn-a-%d", v-3)))
		}
	}
	a.say("DescribeTransactions then", a.describe("add"))
	a.say("EndTxn then", a.end(4, p, false))
	a.again("EndTxn then, once more", func() string { return a.end(4, p, false) })
}

func (a *asker) endsOfTheFirstVersion() {
	p := a.begin("end1")
	for v := range int16(5) {
		a.say(fmt.Sprintf("EndTxn v%d of an old epoch", v), a.end(v, p.with(0, -1), true))
	}
	a.say("EndTxn v4 of a later epoch", a.end(4, p.with(0, 1), true))
	a.say("EndTxn v4 of another producer", a.end(4, p.with(99, 0), true))
	a.say("EndTxn v4 of an unknown id", a.end(4, p.named("nobody"), true))
	a.say("EndTxn v4 of an empty id", a.end(4, p.named(""), true))
	a.say("EndTxn v4 commits nothing", a.end(4, p, true))
	a.say("EndTxn v4 aborts nothing", a.end(4, p, false))
	for _, commit := range []bool{true, false} {
		a.again("AddPartitionsToTxn", func() string { return a.addClient(3, p, "txn-a-1") })
		what := fmt.Sprintf("EndTxn v4 commit=%v", commit)
		a.say(what, a.end(4, p, commit))
		a.again(what+" again", func() string { return a.end(4, p, commit) })
		a.say(what+" and then the other", a.end(4, p, !commit))
		a.say("DescribeTransactions then", a.describe("end1"))
	}
}

func (a *asker) endsOfTheSecondVersion() {
	p := a.begin("end2")
	a.say("EndTxn v5 of an old epoch", a.end(5, p.with(0, -1), true))
	a.say("EndTxn v5 of a later epoch", a.end(5, p.with(0, 1), true))
	a.say("EndTxn v5 of another producer", a.end(5, p.with(99, 0), true))
	a.say("EndTxn v5 of an unknown id", a.end(5, p.named("nobody"), true))
	a.say("EndTxn v5 of an empty id", a.end(5, p.named(""), true))
	a.say("EndTxn v5 commits nothing", a.end(5, p, true))
	a.say("EndTxn v5 aborts nothing", a.end(5, p, false))
	a.again("EndTxn v5 aborts nothing, again", func() string { return a.end(5, p, false) })
	a.say("EndTxn v5 commits what was aborted", a.end(5, p, true))
	p.epoch++
	for _, commit := range []bool{true, false} {
		a.again("AddPartitionsToTxn v5", func() string { return a.addBroker(5, false, p, "txn-a-1") })
		what := fmt.Sprintf("EndTxn v5 commit=%v", commit)
		a.say(what, a.end(5, p, commit))
		a.again(what+" again", func() string { return a.end(5, p, commit) })
		a.say(what+" and then the other", a.end(5, p, !commit))
		a.say(what+" two epochs later", a.end(5, p.with(0, 2), commit))
		a.say(what+" an epoch before", a.end(5, p.with(0, -1), commit))
		p.epoch++
		a.say("EndTxn v5 commits the next, which is empty", a.end(5, p, true))
		a.say("EndTxn v4 of the epoch before", a.end(4, p.with(0, -1), commit))
		a.say("EndTxn v4 of this epoch", a.end(4, p, commit))
		a.say("AddPartitionsToTxn of the epoch before", a.addClient(3, p.with(0, -1), "txn-a-0"))
		a.say("DescribeTransactions then", a.describe("end2"))
	}
	a.say("EndTxn v5 aborts the next, which is empty", a.end(5, p, false))
}

func (a *asker) produces() {
	p := a.begin("produce")
	for v := int16(3); v <= 12; v++ {
		if v != 12 {
			a.say(fmt.Sprintf("Produce v%d to what was not added", v), a.produce(v, p, 0, "txn-a-2"))
		}
	}
	a.say("Produce v12 of an unknown id", a.produce(12, p.named("nobody"), 0, "txn-a-2"))
	a.say("Produce v12 of another producer", a.produce(12, p.with(99, 0), 0, "txn-a-2"))
	a.say("Produce v12 of a later epoch", a.produce(12, p.with(0, 1), 0, "txn-a-2"))
	a.say("Produce v11 of an unknown id", a.produce(11, p.named("nobody"), 0, "txn-a-2"))
	a.say("Produce v9 of an unknown id", a.produce(9, p.named("nobody"), 0, "txn-a-2"))
	a.say("DescribeTransactions then", a.describe("produce"))
	a.again("Produce v12 adds", func() string { return a.produce(12, p, 0, "txn-a-2") })
	a.say("DescribeTransactions then", a.describe("produce"))
	a.say("Produce v12 goes on", a.produce(12, p, 1, "txn-a-2"))
	a.finish(p, true)
	a.again("Produce v12 of the epoch before", func() string { return a.produce(12, p, 2, "txn-a-2") })
	p.epoch++
	a.again("Produce v12 of the next", func() string { return a.produce(12, p, 0, "txn-a-2") })
	a.finish(p, false)
	old := a.begin("old")
	a.say("AddPartitionsToTxn v3", a.addClient(3, old, "txn-b-0"))
	a.again("Produce v9", func() string { return a.produce(9, old, 0, "txn-b-0") })
	a.say("Produce v9 to what was not added", a.produce(9, old, 0, "txn-b-1"))
	a.say("EndTxn v4", a.end(4, old, true))
	a.again("EndTxn v4 again", func() string { return a.end(4, old, true) })
	a.again("Produce v9 after the end", func() string { return a.produce(9, old, 1, "txn-b-0") })
	a.say("Produce v9 after the end of an old epoch", a.produce(9, old.with(0, -1), 1, "txn-b-0"))
	a.say("WriteTxnMarkers to a topic that is not there", a.mark(1, old, 5, true, "none-0"))
	a.say("WriteTxnMarkers of an old coordinator", a.mark(1, old, -1, true, "txn-b-0"))
	a.say("WriteTxnMarkers of an old epoch", a.mark(1, old.with(0, -1), 5, true, "txn-b-0"))
	a.say("WriteTxnMarkers to a partition that never saw the producer", a.mark(1, old, 0, false, "txn-b-3"))
}

func (a *asker) offsets() {
	const g = "txn-group"
	p := a.begin("offsets")
	none := committer{-1, ""}
	a.say("TxnOffsetCommit v3 without AddOffsetsToTxn", a.commitOffsets(3, p, g, none, "", "txn-a-0"))
	a.say("TxnOffsetCommit v4 without AddOffsetsToTxn", a.commitOffsets(4, p, g, none, "", "txn-a-0"))
	a.say("TxnOffsetCommit v5 of an unknown id", a.commitOffsets(5, p.named("nobody"), g, none, "", "txn-a-0"))
	a.say("TxnOffsetCommit v5 of an old epoch", a.commitOffsets(5, p.with(0, -1), g, none, "", "txn-a-0"))
	a.say("TxnOffsetCommit v5 of a topic that is not there", a.commitOffsets(5, p, g, none, "", "none-0"))
	a.say("TxnOffsetCommit v5 of an empty group", a.commitOffsets(5, p, "", none, "", "txn-a-0"))
	a.again("TxnOffsetCommit v5 of a generation of no group", func() string { return a.commitOffsets(5, p, g, committer{3, "m"}, "", "txn-a-0") })
	a.again("TxnOffsetCommit v5 of a member of no group", func() string { return a.commitOffsets(5, p, g, committer{-1, "m"}, "", "txn-a-0") })
	a.again("TxnOffsetCommit v5", func() string { return a.commitOffsets(5, p, g, none, "", "txn-a-0", "none-0") })
	a.say("TxnOffsetCommit v5 with too much metadata", a.commitOffsets(5, p, g, none, strings.Repeat("x", 5000), "txn-a-1", "txn-a-0"))
	a.say("OffsetFetch", a.committed(g, "txn-a-0", false))
	a.say("OffsetFetch of what is stable", a.committed(g, "txn-a-0", true))
	a.say("TxnOffsetCommit v5 of an old epoch, while it is open", a.commitOffsets(5, p.with(0, -1), g, none, "", "txn-a-0"))
	a.say("TxnOffsetCommit v5 of a generation, while nobody has joined", a.commitOffsets(5, p, g, committer{5, "m"}, "", "txn-a-0"))
	a.finish(p, true)
	a.again("OffsetFetch of what is stable", func() string { return a.committed(g, "txn-a-0", true) })
	a.again("TxnOffsetCommit v5 after the end", func() string { return a.commitOffsets(5, p, g, none, "", "txn-a-0") })
	p.epoch++
	a.again("TxnOffsetCommit v5 of the next", func() string { return a.commitOffsets(5, p, g, none, "", "txn-a-3") })
	a.finish(p, false)
	a.again("OffsetFetch of what was aborted", func() string { return a.committed(g, "txn-a-3", true) })
	old := a.begin("old-offsets")
	for _, v := range []int16{0, 2, 3} {
		a.again("AddOffsetsToTxn v3", func() string { return a.addOffsets(3, old, g) })
		a.again(fmt.Sprintf("TxnOffsetCommit v%d", v), func() string { return a.commitOffsets(v, old, g, none, "", "txn-b-0") })
		a.say("EndTxn v3", a.end(3, old, true))
		a.again("EndTxn v3 again", func() string { return a.end(3, old, true) })
	}
}

// fences has another producer of the same id begin while a transaction is open.
func (a *asker) fences() {
	p := a.begin("fence")
	a.again("Produce v12", func() string { return a.produce(12, p, 0, "txn-a-3") })
	a.begin("fence")
	a.say("Produce v12 of the zombie", a.produce(12, p, 1, "txn-a-3"))
	a.say("AddPartitionsToTxn of the zombie", a.addClient(3, p, "txn-a-3"))
	a.say("EndTxn v5 of the zombie", a.end(5, p, true))
	a.say("EndTxn v4 of the zombie", a.end(4, p, true))
	a.say("EndTxn v1 of the zombie", a.end(1, p, true))
	_, s := a.initID(5, &p.txid, 60_000, p.id, p.epoch)
	a.say("InitProducerId of the zombie", s)
	a.say("TxnOffsetCommit of the zombie", a.commitOffsets(5, p, "fenced", committer{-1, ""}, "", "txn-a-0"))
	a.say("DescribeTransactions then", a.describe("fence"))
}

func (a *asker) shows() {
	a.say("DescribeTransactions of an unknown id", a.describe("nobody"))
	a.say("DescribeTransactions of an empty id", a.describe(""))
	p := a.begin("list-1")
	a.begin("list-2")
	a.say("AddPartitionsToTxn", a.addClient(3, p, "txn-a-0"))
	all := func(q *kmsg.ListTransactionsRequest) {}
	pattern := func(s string) func(*kmsg.ListTransactionsRequest) {
		return func(q *kmsg.ListTransactionsRequest) { q.TransactionalIDPattern = &s }
	}
	for v := range int16(3) {
		a.say(fmt.Sprintf("ListTransactions v%d", v), a.list(v, all))
	}
	a.say("ListTransactions by state", a.list(0, func(q *kmsg.ListTransactionsRequest) { q.StateFilters = []string{"Ongoing"} }))
	a.say("ListTransactions by an unknown state", a.list(0, func(q *kmsg.ListTransactionsRequest) { q.StateFilters = []string{"Ongoing", "Whatever"} }))
	a.say("ListTransactions by unknown states alone", a.list(0, func(q *kmsg.ListTransactionsRequest) { q.StateFilters = []string{"ongoing"} }))
	a.say("ListTransactions by producer", a.list(0, func(q *kmsg.ListTransactionsRequest) { q.ProducerIDFilters = []int64{p.id} }))
	a.say("ListTransactions by nobody", a.list(0, func(q *kmsg.ListTransactionsRequest) { q.ProducerIDFilters = []int64{1 << 40} }))
	a.say("ListTransactions by duration", a.list(1, func(q *kmsg.ListTransactionsRequest) { q.DurationFilterMillis = 3_600_000 }))
	a.say("ListTransactions by pattern", a.list(2, pattern("list-[13]")))
	a.say("ListTransactions by part of an id", a.list(2, pattern("ist-1")))
	a.say("ListTransactions by an empty pattern", a.list(2, pattern("")))
	a.say("ListTransactions by a broken pattern", a.list(2, pattern("(")))
	a.say("EndTxn", a.end(4, p, true))
}
