package broker

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// chooser drives a node in an order that rapid draws: any mail that is first of its pair, any disk request but that writes of a file stay
// in order, any response that leaves.
type chooser struct {
	*node
	t *rapid.T
}

func (n chooser) one() bool {
	var can []func()
	for _, x := range n.shards {
		for i := range x.disk {
			can = append(can, func() {
				r := x.disk[i]
				x.disk = append(x.disk[:i:i], x.disk[i+1:]...)
				x.step(step.Event{Kind: step.DiskDone, Disk: n.disk.do(&r)})
			})
		}
		if len(x.sent) > 0 {
			can = append(can, x.leave)
		}
	}
	for from := range n.mail {
		for to := range n.mail[from] {
			if len(n.mail[from][to]) > 0 {
				can = append(can, func() { n.deliver(from, to) })
			}
		}
	}
	for _, c := range n.conns {
		if !c.closed && !c.held && len(c.pending) > 0 {
			can = append(can, func() { c.feed() })
		}
	}
	for _, x := range n.shards {
		if d := x.out.Deadline; d != 0 && d <= n.now.Mono {
			can = append(can, func() { x.step(step.Event{Kind: step.Tick}) })
		}
	}
	if len(can) == 0 {
		return false
	}
	can[rapid.IntRange(0, len(can)-1).Draw(n.t, "which")]()
	return true
}

// sentBatch is a batch that a client produced: its value is its number.
type sentBatch struct {
	c     *client
	corr  int32
	id    [16]byte
	part  int32
	value uint64
}

func numbered(v uint64) []byte {
	b := records.NewBuilder(records.Options{})
	b.Add(nil, binary.BigEndian.AppendUint64(nil, v), 1_700_000_000_000)
	return append([]byte(nil), b.Build()...)
}

func TestWhateverClientsDoEachRequestIsAnsweredInTurnAndNothingIsLeft(t *testing.T) {
	rapid.Check(t, anything)
}

func anything(t *rapid.T) {
	shards := rapid.IntRange(1, 3).Draw(t, "shards")
	n := chooser{bootNode(drawn{t: t}, newMemDisk(), shards, "disk.reserve.bytes=0"), t}
	var sent []sentBatch
	topics := []string{"a", "b"}
	admin := n.connect(0)
	for _, name := range topics {
		n.mustCreate(admin, name, 3)
	}
	for range 4 {
		n.connect(rapid.IntRange(0, shards-1).Draw(t, "shard"))
	}
	full := false
	n.disk.fail = func(r *disk.Request) disk.Err {
		if full && r.Kind == disk.Write && strings.HasSuffix(n.pathOf(r), ".log") && !strings.Contains(n.pathOf(r), "__") {
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	conn := func() *client {
		c := n.conns[rapid.IntRange(1, len(n.conns)-1).Draw(t, "conn")]
		if c.closed {
			c = n.connect(rapid.IntRange(0, shards-1).Draw(t, "shard"))
		}
		return c
	}
	for range rapid.IntRange(5, 80).Draw(t, "steps") {
		topic := topics[rapid.IntRange(0, 1).Draw(t, "topic")]
		part := int32(rapid.IntRange(0, 3).Draw(t, "part"))
		switch rapid.IntRange(0, 11).Draw(t, "what") {
		case 0, 1, 2:
			c := conn()
			q := produceTo(topic, part, int16(rapid.IntRange(-1, 1).Draw(t, "acks")), numbered(uint64(len(sent))))
			q.TimeoutMillis = int32(rapid.SampledFrom([]int{0, 50, 10_000}).Draw(t, "timeout"))
			var id [16]byte
			if x := n.shards[0].s.state.Image.TopicByName(topic); x != nil {
				id = x.ID
			}
			q.Version, q.Topics[0].TopicID = 13, id
			sent = append(sent, sentBatch{c, c.send(q), id, part, uint64(len(sent))})
		case 3, 4:
			q := fetchFrom(topic, part, int64(rapid.IntRange(0, 8).Draw(t, "offset")), int32(rapid.SampledFrom([]int{0, 10, 1 << 30}).Draw(t, "wait")), int32(rapid.IntRange(0, 300).Draw(t, "min")))
			for range rapid.IntRange(0, 4).Draw(t, "more") {
				addFetch(q, topics[rapid.IntRange(0, 1).Draw(t, "topic")], int32(rapid.IntRange(0, 2).Draw(t, "part")), int64(rapid.IntRange(0, 5).Draw(t, "offset")))
			}
			q.MaxBytes = int32(rapid.SampledFrom([]int{0, 100, 1 << 20}).Draw(t, "max"))
			conn().send(q)
		case 5:
			conn().close()
		case 6:
			admin.send(deleteTopic(topic))
		case 7:
			admin.send(createTopic(topic, 3))
		case 8:
			full = !full
		case 9:
			q := kmsg.NewPtrDeleteRecordsRequest()
			q.Version = 2
			q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: part, Offset: -1}}}}
			conn().send(q)
		case 10:
			n.pass(n.now.Mono.Add(clock.MS(int64(rapid.IntRange(1, 1500).Draw(t, "ms")))))
		case 11:
		}
		for range rapid.IntRange(0, 12).Draw(t, "things") {
			n.one()
		}
	}
	full = false
	n.settle(t, sent)
}

// drawn makes rapid's T a testing.TB, as far as the node uses it.
type drawn struct {
	testing.TB
	t *rapid.T
}

func (d drawn) Helper()                   {}
func (d drawn) Fatal(a ...any)            { d.t.Fatal(a...) }
func (d drawn) Fatalf(f string, a ...any) { d.t.Fatalf(f, a...) }

func (n *node) pathOf(r *disk.Request) string {
	f := n.disk.open[r.File]
	for p, g := range n.disk.files {
		if f == g {
			return p
		}
	}
	return ""
}

// settle heals the node and checks that everything was answered, that what was acknowledged is there, and that nothing is held.
func (n *node) settle(t *rapid.T, sent []sentBatch) {
	n.run()
	n.wait(12 * clock.Second)
	for _, c := range n.conns {
		if !c.closed && len(c.order) > 0 {
			if q, ok := c.asked[c.order[0]].(*kmsg.FetchRequest); ok && q.MaxWaitMillis == 1<<30 {
				c.close()
				continue
			}
			t.Fatalf("%s: %d requests are not answered: first %T %v", c.name, len(c.order), c.asked[c.order[0]], n.log)
		}
	}
	n.run()
	c := n.connect(0)
	for _, s := range sent {
		r, ok := s.c.answer(s.corr).(*kmsg.ProduceResponse)
		if !ok || r.Topics[0].Partitions[0].ErrorCode != 0 {
			continue
		}
		img := n.shards[0].s.state.Image.TopicByID(s.id)
		if img == nil {
			continue
		}
		q := fetchFrom(img.Name, s.part, r.Topics[0].Partitions[0].BaseOffset, 0, 1)
		p := fetched(drawn{t: t}, c.ask(q))
		if p.ErrorCode == int16(kerr.OffsetOutOfRange) && p.HighWatermark < 0 {
			l := n.shards[n.ownerOf(img.Name, s.part)].s.state.Partition(s.id, s.part).Log
			if q.Topics[0].Partitions[0].FetchOffset < l.Start() {
				continue // deleted by a client
			}
		}
		v, _, ok := records.Split(p.RecordBatches)
		if !ok {
			t.Fatalf("batch %d of %s-%d is not there: %s, hw %d", s.value, img.Name, s.part, kerr.Code(p.ErrorCode), p.HighWatermark)
		}
		rec, _, _ := records.NewReader(v, &records.Scratch{}).Next()
		if got := binary.BigEndian.Uint64(rec.Value); got != s.value || v.BaseOffset() != r.Topics[0].Partitions[0].BaseOffset {
			t.Fatalf("%s-%d at %d: want batch %d, got %d", img.Name, s.part, v.BaseOffset(), s.value, got)
		}
	}
	for _, c := range n.conns {
		c.close()
	}
	n.wait(clock.Second)
	for i, x := range n.shards {
		if k := x.s.state.Pending(); k != 0 {
			t.Fatalf("shard %d: %d requests are left", i, k)
		}
		if k := x.s.opening.running; k != 0 {
			t.Fatalf("shard %d: %d logs are being opened", i, k)
		}
	}
	want := map[string]bool{}
	for _, x := range n.shards[0].s.state.Image.Topics() {
		for p := range x.Partitions {
			want[fmt.Sprintf("%s-%d/", x.Name, p)] = true
		}
	}
	for _, name := range append(n.disk.dirsOf("a"), n.disk.dirsOf("b")...) {
		if !want[name] {
			t.Fatalf("%s is left: %v", name, n.log)
		}
	}
	if !n.stop() || !n.hasFile(cleanName) { // a pin without its unpin would hold the logs open
		t.Fatalf("the node does not stop cleanly: %v", n.log)
	}
}
