package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

const testDir = "data"

// node is a whole broker, stepped by hand: mail between shards waits in a queue for each pair, disk requests wait to be executed, and
// what a connection is sent waits to leave. run does all of it until nothing is left to do, but for what holdDisk and holdMail keep.
type node struct {
	t        testing.TB
	disk     *memDisk
	cfg      *config.Node
	shards   []*driver
	mail     [][][]step.Mail // by sender and receiver
	now      clock.Now
	conns    []*client
	log      []string
	fatal    string
	code     int // the exit code that comes with it
	seed     uint64
	holdDisk func(r *disk.Request) bool // kept back while it says so
	holdMail func(from, to int) bool
	holdSent bool // responses do not leave
	steps    int
}

// driver is one shard's.
type driver struct {
	n      *node
	id     int
	s      *Shard
	pool   *buf.Pool
	out    step.Effects
	disk   []disk.Request
	sent   []disk.Token // of responses that have not left
	nConns int
}

// client is the other end of a connection.
type client struct {
	n       *node
	shard   int
	id      network.Conn
	name    string
	corr    int32
	asked   map[int32]kmsg.Request // by correlation id
	order   []int32                // that expect an answer
	bytes   []byte                 // received and not whole
	answers []answered
	pending [][]byte // frames that wait since the connection is held
	held    bool
	closed  bool
	raw     bool // whoever made it reads bytes
}

type answered struct {
	corr int32
	resp kmsg.Response
}

func newNode(t testing.TB, d *memDisk, shards int, set ...string) *node {
	t.Helper()
	return newNodeOf(t, d, testDir, shards, set...)
}

// newNodeOf makes a node on a data directory, "": those of log.dirs.
func newNodeOf(t testing.TB, d *memDisk, data string, shards int, set ...string) *node {
	t.Helper()
	set = append([]string{"listeners=PLAINTEXT://127.0.0.1:9092", fmt.Sprintf("shards=%d", shards)}, set...)
	cfg, _, err := config.Load(config.Args{Set: set, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, disk: d, cfg: cfg, seed: 7, now: clock.Now{Mono: 1e9, Wall: 1_700_000_000_000}}
	for i := range shards {
		x := &driver{n: n, id: i, pool: &buf.Pool{Mangle: true}}
		x.s = New(Options{Node: cfg, Shard: i, Shards: shards, Pool: x.pool, Seed: n.seed + uint64(i)})
		n.shards = append(n.shards, x)
		n.mail = append(n.mail, make([][]step.Mail, shards))
	}
	return n
}

// bootNode starts a node and waits until it serves.
func bootNode(t testing.TB, d *memDisk, shards int, set ...string) *node {
	t.Helper()
	n := newNode(t, d, shards, set...)
	n.start()
	n.run()
	for _, x := range n.shards {
		if !x.out.Ready {
			t.Fatalf("shard %d is not ready: %s %v", x.id, n.fatal, n.log)
		}
	}
	return n
}

func (n *node) start() {
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Start})
	}
}

func (x *driver) step(ev step.Event) {
	n := x.n
	if n.steps++; n.steps > 5_000_000 {
		n.t.Fatal("the node does not come to rest")
	}
	x.s.Step(n.now, &ev, &x.out)
	ev = step.Event{Kind: step.Flush}
	x.s.Step(n.now, &ev, &x.out)
	x.s.checkInvariants()
	x.execute()
}

// execute takes the effects over.
func (x *driver) execute() {
	n, o := x.n, &x.out
	x.disk = append(x.disk, o.Disk...)
	for _, m := range o.Mail {
		if m.To != step.Outside {
			n.mail[x.id][m.To] = append(n.mail[x.id][m.To], m)
		}
	}
	for i := range o.Send {
		x.send(&o.Send[i])
	}
	for _, id := range o.Hold {
		if c := n.conn(x.id, id); c != nil {
			c.held = true
		}
	}
	for _, id := range o.Resume {
		if c := n.conn(x.id, id); c != nil {
			c.held = false
		}
	}
	for _, l := range o.Log {
		n.log = append(n.log, l.Text)
	}
	closed := append([]network.Conn(nil), o.Close...)
	if o.Fatal != "" && n.fatal == "" {
		n.fatal, n.code = o.Fatal, o.FatalCode
	}
	o.Reset()
	for _, id := range closed {
		if c := n.conn(x.id, id); c != nil {
			c.close()
		}
	}
}

func (x *driver) send(s *network.Send) {
	c := x.n.conn(x.id, s.Conn)
	if c != nil {
		c.bytes = append(c.bytes, x.out.Arena[s.A:s.B]...)
		if s.Ext.Len > 0 {
			f := x.n.disk.open[s.Ext.File]
			if f == nil || s.Ext.Off+int64(s.Ext.Len) > int64(len(f.data)) {
				x.n.t.Fatalf("extent %+v is not of an open file", s.Ext)
			}
			c.bytes = append(c.bytes, f.data[s.Ext.Off:s.Ext.Off+int64(s.Ext.Len)]...)
		}
		c.parse()
	}
	if s.Token != 0 {
		x.sent = append(x.sent, s.Token)
	}
}

func (n *node) conn(shard int, id network.Conn) *client {
	for _, c := range n.conns {
		if c.shard == shard && c.id == id && !c.closed {
			return c
		}
	}
	return nil
}

// once does one thing that can be done, and says whether there was one.
func (n *node) once() bool {
	for _, x := range n.shards {
		for i := range x.disk {
			if n.holdDisk != nil && n.holdDisk(&x.disk[i]) {
				continue
			}
			r := x.disk[i]
			x.disk = append(x.disk[:i:i], x.disk[i+1:]...)
			x.step(step.Event{Kind: step.DiskDone, Disk: n.disk.do(&r)})
			return true
		}
		if len(x.sent) > 0 && !n.holdSent {
			x.leave()
			return true
		}
	}
	for from := range n.mail {
		for to := range n.mail[from] {
			if len(n.mail[from][to]) > 0 && (n.holdMail == nil || !n.holdMail(from, to)) {
				n.deliver(from, to)
				return true
			}
		}
	}
	for _, c := range n.conns {
		if c.feed() {
			return true
		}
	}
	for _, x := range n.shards {
		if d := x.out.Deadline; d != 0 && d <= n.now.Mono {
			x.step(step.Event{Kind: step.Tick})
			return true
		}
	}
	return false
}

func (x *driver) leave() {
	tok := x.sent[0]
	x.sent = x.sent[1:]
	x.step(step.Event{Kind: step.SendDone, Sent: tok})
}

// deliver hands over the oldest mail of a pair.
func (n *node) deliver(from, to int) {
	m := n.mail[from][to][0]
	n.mail[from][to] = n.mail[from][to][1:]
	m.From = int32(from)
	n.shards[to].step(step.Event{Kind: step.MailArrived, Mail: m})
}

func (n *node) run() {
	for n.once() {
	}
}

// wait lets time pass, a timer at a time.
func (n *node) wait(d clock.Duration) {
	n.run()
	end := n.now.Mono.Add(d)
	for {
		next := end
		for _, x := range n.shards {
			if t := x.out.Deadline; t != 0 && t < next {
				next = t
			}
		}
		n.pass(next)
		n.run()
		if n.now.Mono >= end {
			return
		}
	}
}

func (n *node) pass(to clock.Time) {
	if to > n.now.Mono {
		n.now.Wall += clock.Wall((to - n.now.Mono) / 1e6)
		n.now.Mono = to
	}
}

func (n *node) connect(shard int) *client {
	x := n.shards[shard]
	x.nConns++
	c := &client{n: n, shard: shard, id: network.Conn(x.nConns)<<32 | network.Conn(x.nConns), asked: map[int32]kmsg.Request{}}
	c.name = fmt.Sprintf("c%d", len(n.conns)+1)
	n.conns = append(n.conns, c)
	x.step(step.Event{Kind: step.ConnOpened, Conn: network.Info{Conn: c.id, Listener: "PLAINTEXT", Peer: "127.0.0.1:5000"}})
	return c
}

// close ends a connection from either side: what was on its way is answered first.
func (c *client) close() {
	if c.closed {
		return
	}
	x := c.n.shards[c.shard]
	for len(x.sent) > 0 {
		x.leave()
	}
	c.closed = true
	x.step(step.Event{Kind: step.ConnClosed, Conn: network.Info{Conn: c.id}})
}

func frameOf(req kmsg.Request, corr int32) []byte {
	b := wire.AppendRequestHeader(nil, req.Key(), req.GetVersion(), corr, "test")
	return req.AppendTo(b)
}

// send sends a request and gives its correlation id.
func (c *client) send(req kmsg.Request) int32 {
	c.corr++
	c.asked[c.corr] = req
	if p, ok := req.(*kmsg.ProduceRequest); !ok || p.Acks != 0 {
		c.order = append(c.order, c.corr)
	}
	c.pending = append(c.pending, frameOf(req, c.corr))
	c.feed()
	return c.corr
}

func (c *client) feed() bool {
	if c.closed || c.held || len(c.pending) == 0 {
		return false
	}
	x, b := c.n.shards[c.shard], c.pending[0]
	c.pending = c.pending[1:]
	l := x.pool.Get(len(b))
	copy(l.Bytes, b)
	x.step(step.Event{Kind: step.FrameArrived, Frame: network.Frame{Conn: c.id, Bytes: l.Bytes[:len(b)], Lease: l}})
	l.Release()
	return true
}

// parse takes whole responses: each must answer the oldest request that is not answered.
func (c *client) parse() {
	t := c.n.t
	for len(c.bytes) >= 4 && !c.raw {
		size := int(c.bytes[0])<<24 | int(c.bytes[1])<<16 | int(c.bytes[2])<<8 | int(c.bytes[3])
		if len(c.bytes) < 4+size {
			return
		}
		frame := c.bytes[4 : 4+size]
		c.bytes = append([]byte(nil), c.bytes[4+size:]...)
		if len(c.order) == 0 {
			t.Fatalf("%s: an answer that nobody waits for", c.name)
		}
		corr := c.order[0]
		req := c.asked[corr]
		got, body, ok := wire.ParseResponseHeader(frame, req.Key(), req.GetVersion())
		if !ok || got != corr {
			t.Fatalf("%s: want an answer to %d, got one to %d", c.name, corr, got)
		}
		c.order = c.order[1:]
		resp := req.ResponseKind()
		resp.SetVersion(req.GetVersion())
		if err := resp.ReadFrom(body); err != nil {
			t.Fatalf("%s: the answer to %s v%d cannot be read: %v", c.name, kmsg.NameForKey(req.Key()), req.GetVersion(), err)
		}
		c.answers = append(c.answers, answered{corr, resp})
	}
}

func (c *client) answer(corr int32) kmsg.Response {
	for _, a := range c.answers {
		if a.corr == corr {
			return a.resp
		}
	}
	return nil
}

// ask sends a request and runs the node until the answer is there.
func (c *client) ask(req kmsg.Request) kmsg.Response {
	c.n.t.Helper()
	corr := c.send(req)
	c.n.run()
	for i := 0; c.answer(corr) == nil && i < 100 && !c.closed; i++ {
		c.n.wait(100 * clock.Millisecond)
	}
	resp := c.answer(corr)
	if resp == nil {
		c.n.t.Fatalf("%s: no answer to %s v%d (closed: %v) %v", c.name, kmsg.NameForKey(req.Key()), req.GetVersion(), c.closed, c.n.log)
	}
	return resp
}

// --- requests that tests often need

func createTopic(name string, parts int32, configs ...string) *kmsg.CreateTopicsRequest {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 1000
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = name, parts, 1
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		y := kmsg.NewCreateTopicsRequestTopicConfig()
		y.Name, y.Value = k, &v
		x.Configs = append(x.Configs, y)
	}
	q.Topics = append(q.Topics, x)
	return q
}

func deleteTopic(name string) *kmsg.DeleteTopicsRequest {
	q := kmsg.NewPtrDeleteTopicsRequest()
	q.Version, q.TimeoutMillis = 6, 1000
	x := kmsg.NewDeleteTopicsRequestTopic()
	x.Topic = &name
	q.Topics = append(q.Topics, x)
	return q
}

func (n *node) mustCreate(c *client, name string, parts int32, configs ...string) {
	n.t.Helper()
	r := c.ask(createTopic(name, parts, configs...)).(*kmsg.CreateTopicsResponse)
	if r.Topics[0].ErrorCode != 0 {
		n.t.Fatalf("create %s: %d", name, r.Topics[0].ErrorCode)
	}
}

func batchOf(count, size int) []byte {
	b := records.NewBuilder(records.Options{})
	value := make([]byte, size)
	for range count {
		b.Add([]byte("k"), value, 1_700_000_000_000)
	}
	return append([]byte(nil), b.Build()...)
}

func produceTo(topic string, part int32, acks int16, batch []byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 12, acks, 5000
	x := kmsg.NewProduceRequestTopic()
	x.Topic = topic
	y := kmsg.NewProduceRequestTopicPartition()
	y.Partition, y.Records = part, batch
	x.Partitions = append(x.Partitions, y)
	q.Topics = append(q.Topics, x)
	return q
}

func fetchFrom(topic string, part int32, offset int64, waitMS, minBytes int32) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 12, waitMS, minBytes, 1<<20, -1
	addFetch(q, topic, part, offset)
	return q
}

func addFetch(q *kmsg.FetchRequest, topic string, part int32, offset int64) {
	x := kmsg.NewFetchRequestTopic()
	x.Topic = topic
	y := kmsg.NewFetchRequestTopicPartition()
	y.Partition, y.FetchOffset, y.PartitionMaxBytes = part, offset, 1<<20
	x.Partitions = append(x.Partitions, y)
	q.Topics = append(q.Topics, x)
}

// ownerOf gives the shard of a partition.
func (n *node) ownerOf(topic string, part int32) int {
	t := n.shards[0].s.state.Image.TopicByName(topic)
	return api.Owner(t.Name, part, len(n.shards))
}

// partOn gives a partition of a topic that the shard owns.
func (n *node) partOn(topic string, shard int) int32 {
	for p := int32(0); ; p++ {
		if n.ownerOf(topic, p) == shard {
			return p
		}
	}
}

// stop stops a node, and says whether it has ended.
func (n *node) stop() bool {
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.wait(20 * clock.Second)
	return n.stopped()
}

func (n *node) stopped() bool {
	for _, x := range n.shards {
		if !x.out.Stopped {
			return false
		}
	}
	return true
}

// kill ends the process at once.
func (n *node) kill() {
	for _, x := range n.shards {
		x.s.env.Out = &step.Effects{}
		x.s.env.StopTasks()
	}
	n.disk.kill()
}

// sequenced is a batch of one record of an idempotent producer.
func sequenced(pid int64, epoch int16, seq int32) []byte {
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: pid, ProducerEpoch: epoch, BaseSequence: seq})
	b.Add([]byte("k"), []byte("v"), 1_700_000_000_000)
	return append([]byte(nil), b.Build()...)
}
