package main_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/metadata/link"
)

// join starts a broker that is no controller, on a directory of its own.
func (c *cluster) join(id int, dir string, more ...string) *node {
	c.t.Helper()
	return begin(c.t, filepath.Join(c.dir, dir), append([]string{
		fmt.Sprintf("node.id=%d", id), "process.roles=broker", "listeners=PLAINTEXT://" + freePort(c.t), "controller.quorum.bootstrap.servers=" + strings.Join(c.inner, ","),
	}, append(slices.Clone(c.extra), more...)...)...)
}

// says waits for a line of the log.
func (n *node) says(text string) {
	n.t.Helper()
	eventually(n.t, 20*time.Second, "the log says: "+text, func() bool { return strings.Contains(n.stderr.String(), text) })
}

func TestAnImpostorADirectoryOfAnotherNodeAndAWipedNodeAreRefusedOrBorne(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "t", 3, 3)
	l := newLedger()
	put := func(first uint64) {
		t.Helper()
		if err := produceAll(bounded(t, 30*time.Second), c.dial(), "t", 1, first, 300, l); err != nil || len(l.bad) > 0 {
			t.Fatal(err, l.bad)
		}
	}
	put(0)
	twin := c.join(2, "twin")
	twin.says("node.id=2 is registered by another process")
	put(300)
	if n := strings.Count(twin.stderr.String(), "registered by another process"); n != 1 {
		t.Errorf("the impostor says %d times that it is one", n)
	}
	if code := twin.term(); code != 0 {
		t.Errorf("the impostor ends with code %d", code)
	}
	// The end of the impostor is not the end of the broker whose name it used.
	put(600)
	c.inSync(0, "t", 3)
	if code := c.nodes[1].term(); code != 0 {
		t.Errorf("code %d", code)
	}
	wrong := begin(t, c.nodes[1].dir, "node.id=7", "process.roles=broker", "listeners=PLAINTEXT://127.0.0.1:0", "controller.quorum.bootstrap.servers="+strings.Join(c.inner, ","))
	if code := wrong.wait(); code != 1 || strings.Count(wrong.stderr.String(), "\n") != 1 || !strings.Contains(wrong.stderr.String(), "node.id") {
		t.Errorf("another node's directory: code %d, %s", code, wrong.stderr.String())
	}
	if err := os.RemoveAll(c.nodes[1].dir); err != nil {
		t.Fatal(err)
	}
	put(900)
	c.nodes[1] = c.begin(1).wentReady()
	c.inSync(0, "t", 3)
	put(1200)
	all := readAll(t, c.dial(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 1500)
	same(t, 1, l, all[1])
	// The wiped node is a broker as before, and no voter: what it voted for is forgotten.
	c.nodes[2].kill()
	c.nodes[2] = c.begin(2).wentReady()
	c.inSync(0, "t", 3)
	c.sameLogs(3)
}

// garbage sends bytes and waits for the end of the connection, or a while.
func garbage(t testing.TB, addr string, parts ...[]byte) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	for _, p := range parts {
		_, _ = conn.Write(p) // it may be closed by now, which is what is wanted
	}
	var b [4096]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			return
		}
	}
}

// framed is a frame of the controller listener.
func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// streamHello is the first frame of a raft stream to a node.
func streamHello(want, from, cluster string) []byte {
	b := make([]byte, 10) // a request's header without a client id
	binary.BigEndian.PutUint16(b, uint16(link.KeyStream))
	return framed(link.AppendHello(b, link.Hello{Want: want, From: from, Address: "127.0.0.1:1", Cluster: cluster}))
}

func TestAPeerThatSpeaksGarbageIsCutOffAndNothingElseHappens(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "t", 3, 3)
	before := 0
	for _, n := range c.nodes {
		before = max(before, n.residentKiB())
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	ids := c.raftIDs()
	l := newLedger()
	for round := range scale(1, 2, 20) {
		for i := range c.nodes {
			for _, addr := range []string{c.clients[i], c.inner[i]} {
				garbage(t, addr, noise(1000))
				garbage(t, addr, []byte{0x7f, 0xff, 0xff, 0xff}, noise(1000))
				garbage(t, addr, []byte("GET / HTTP/1.1\r\n\r\n"))
				garbage(t, addr, framed(noise(100)))
				garbage(t, addr, framed(append([]byte{0, byte(round), 0, 0, 0, 0, 0, 1, 0, 0}, noise(500)...)))
			}
			hello := streamHello(ids[i], ids[(i+1)%3], c.nodes[0].ready["cluster.id"])
			garbage(t, c.inner[i], hello, framed(noise(2000)))
			for rpc := range byte(6) {
				// A byte array, and a map, of four billion: what is announced is not what is there.
				garbage(t, c.inner[i], hello, framed([]byte{rpc, 0xc6, 0xff, 0xff, 0xff, 0xff}), framed(noise(3000)))
				garbage(t, c.inner[i], hello, framed([]byte{rpc, 0xdf, 0xff, 0xff, 0xff, 0xff}), framed(noise(3000)))
				garbage(t, c.inner[i], hello, framed(append([]byte{rpc, 0x81, 0xa7}, append([]byte("Entries"), 0xdd, 0x7f, 0xff, 0xff, 0xff)...)), framed(noise(3000)))
			}
			garbage(t, c.inner[i], streamHello("9-nobody", ids[0], ""), framed(noise(50)))
			garbage(t, c.inner[i], streamHello(ids[i], ids[0], "another-cluster"), framed(noise(50)))
		}
		if err := produceAll(bounded(t, 30*time.Second), c.dial(), "t", 1, uint64(300*round), 300, l); err != nil || len(l.bad) > 0 {
			t.Fatal(err, l.bad)
		}
	}
	all := readAll(t, c.dial(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), len(l.acked))
	same(t, 1, l, all[1])
	for i, n := range c.nodes {
		if now := n.residentKiB(); now > before+100_000 {
			t.Errorf("node %d has grown from %d KiB to %d", i+1, before, now)
		}
		if lines := strings.Count(n.stderr.String(), "\n"); lines > 400 {
			t.Errorf("node %d has logged %d lines", i+1, lines)
		}
	}
	c.endAll()
}

// raftIDs are the quorum's names of the nodes, as node.id and directory.id make them.
func (c *cluster) raftIDs() (ids []string) {
	c.t.Helper()
	for i, n := range c.nodes {
		dir := directoryID(c.t, n.dir)
		ids = append(ids, fmt.Sprintf("%d-%s", i+1, base64.RawURLEncoding.EncodeToString(dir[:])))
	}
	return ids
}

func TestALostMajorityIsToldAndWhatIsLeftServesWhatItMay(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "alone", 3, 1)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "alone", 1, 0, 300, l); err != nil {
		t.Fatal(err)
	}
	_, _, parts := c.describe(0, "alone")
	left := int(parts[0].Leader) - 1
	led := map[int32]bool{}
	for _, p := range parts {
		led[p.Partition] = int(p.Leader)-1 == left
	}
	for k := 1; k < 3; k++ {
		c.nodes[(left+k)%3].kill()
	}
	n := c.nodes[left]
	eventually(t, 20*time.Second, "the probe says that there is no controller", func() bool {
		code, text := health(t, n.ready["admin"], "/readyz")
		return code == 503 && strings.Contains(text, "no-controller")
	})
	if code, text := health(t, n.ready["admin"], "/healthz"); code != 200 || !strings.Contains(text, "no-controller") {
		t.Errorf("/healthz: %d %s", code, text)
	}
	n.says("there is no controller")
	// What needs no controller goes on: this broker leads a partition of which it has the only replica.
	// Without idempotence, since a new producer's id may come of a block that only a controller gives.
	cl := dial(t, c.clients[left], kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite())
	for p, mine := range led {
		if !mine {
			continue
		}
		r := number(1, 1000)
		r.Topic, r.Partition = "alone", p
		if err := cl.ProduceSync(bounded(t, 10*time.Second), r).FirstErr(); err != nil {
			t.Fatalf("a write to partition %d without a controller: %v", p, err)
		}
		l.ack(1000, r, nil)
		break
	}
	q := kmsg.NewPtrCreateTopicsRequest()
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = "late", 1, 1
	q.Topics, q.TimeoutMillis = append(q.Topics, x), 1_000
	if resp, err := q.RequestWith(bounded(t, 20*time.Second), cl.SeedBrokers()[0]); err != nil || resp.Topics[0].ErrorCode == 0 {
		t.Errorf("a topic was created without a controller: %v %+v", err, resp)
	}
	for k := 1; k < 3; k++ {
		c.nodes[(left+k)%3] = c.begin((left + k) % 3)
	}
	for _, n := range c.nodes {
		if n.ready == nil {
			n.wentReady()
		}
	}
	n.says("there is a controller again")
	if lines := strings.Count(n.stderr.String(), "controller"); lines > 12 {
		t.Errorf("%d lines are about controllers", lines)
	}
	eventually(t, 20*time.Second, "the probe says that it is ready", func() bool { code, _ := health(t, n.ready["admin"], "/readyz"); return code == 200 })
	createReplicated(t, c.dial(), "later", 1, 3)
	all := readAll(t, c.dial(kgo.ConsumeTopics("alone"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 301)
	same(t, 1, l, all[1])
	c.endAll()
}

func TestAFullDiskOfOneNodeOfThreeLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	small := filepath.Dir(smallDisk(t, "48m"))
	c := newCluster(t, 0, "min.insync.replicas=2", "disk.reserve.bytes=8388608", "replica.lag.time.max.ms=2000", "broker.heartbeat.interval.ms=500")
	for i := range 3 {
		c.clients, c.inner = append(c.clients, freePort(t)), append(c.inner, freePort(t))
		if i == 1 {
			if err := os.Symlink(small, filepath.Join(c.dir, "1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 3 {
		c.nodes = append(c.nodes, c.begin(i))
	}
	for _, n := range c.nodes {
		n.wentReady()
	}
	x := &nemesis{t: t, c: c, w: newWorkload(t, c, "n", 6)}
	x.w.goesOn(30*time.Second, "records are acknowledged")
	filler := filepath.Join(small, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<16); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	c.nodes[1].says("is full")
	// The brokers with space go on with what they lead.
	_, _, parts := c.describe(0, "n")
	before := x.w.ends()
	eventually(t, 40*time.Second, "partitions of other leaders are acknowledged", func() bool {
		now := x.w.ends()
		for _, p := range parts {
			if p.Leader != 2 && now[p.Partition] < before[p.Partition]+50 {
				return false
			}
		}
		return true
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.nodes[1].done: // a vote that cannot be stored ends it, as metadata that cannot be; a supervisor starts it again
		c.nodes[1].says("no space left on device")
		c.nodes[1] = c.begin(1).wentReady()
	default:
	}
	x.heal("a full disk", 0)
	x.w.finish()
	c.inSync(0, "n", 3)
	c.sameLogs(6)
}

func TestAFourthBrokerIsGivenEverythingOfAnotherWhichThenLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	x := &nemesis{t: t, c: c, w: newWorkload(t, c, "n", 6)}
	x.w.goesOn(30*time.Second, "records are acknowledged")
	four := c.join(4, "4").wentReady()
	cl := c.dial()
	q := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	q.TimeoutMillis = 20_000
	for _, name := range []string{"n", "__consumer_offsets"} {
		_, _, parts := c.describe(0, name)
		a := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		a.Topic = name
		for _, p := range parts {
			r := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			r.Partition = p.Partition
			for _, id := range p.Replicas {
				if id == 2 {
					id = 4
				}
				r.Replicas = append(r.Replicas, id)
			}
			a.Partitions = append(a.Partitions, r)
		}
		q.Topics = append(q.Topics, a)
	}
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	left := []string{}
	defer func() { t.Logf("left on broker 2: %v", left) }()
	eventually(t, 40*time.Second, "nothing is left on broker 2", func() bool {
		names, err := os.ReadDir(c.nodes[1].dir)
		left = left[:0]
		for _, e := range names {
			if e.IsDir() && strings.Contains(e.Name(), "-") && e.Name() != "__cluster_metadata-0" {
				left = append(left, e.Name())
			}
		}
		_, _, parts := c.describe(0, "n")
		return err == nil && len(left) == 0 && !slices.ContainsFunc(parts, func(p kmsg.MetadataResponseTopicPartition) bool {
			return len(p.ISR) != 3 || slices.Contains(p.Replicas, 2)
		})
	})
	x.w.goesOn(30*time.Second, "records are acknowledged by the new replicas")
	if code := c.nodes[1].term(); code != 0 {
		t.Errorf("code %d", code)
	}
	u := kmsg.NewPtrUnregisterBrokerRequest()
	u.BrokerID = 2
	if resp, err := u.RequestWith(bounded(t, 20*time.Second), c.dial()); err != nil || resp.ErrorCode != 0 {
		t.Errorf("UnregisterBroker: %v %+v", err, resp)
	}
	eventually(t, 20*time.Second, "broker 2 is forgotten", func() bool { _, brokers, _ := c.describe(0, "n"); return brokers == 3 })
	x.w.goesOn(30*time.Second, "records are acknowledged without broker 2")
	x.w.finish()
	if code := four.term(); code != 0 {
		t.Errorf("broker 4 ends with code %d", code)
	}
}

func TestOneControllerAloneAndTwoBrokersMakeACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	inner, dir := freePort(t), t.TempDir()
	list := "controller.quorum.bootstrap.servers=" + inner
	controller := func() *node {
		return begin(t, filepath.Join(dir, "c"), "node.id=100", "process.roles=controller", "listeners=CONTROLLER://"+inner, list)
	}
	addrs := []string{freePort(t), freePort(t)}
	broker := func(i int) *node {
		return begin(t, filepath.Join(dir, fmt.Sprint(i)), fmt.Sprintf("node.id=%d", i+1), "process.roles=broker", "listeners=PLAINTEXT://"+addrs[i], list)
	}
	k, one, two := controller(), broker(0), broker(1)
	for _, n := range []*node{k, one, two} {
		n.wentReady()
	}
	cl := dial(t, addrs[0], kgo.SeedBrokers(addrs...))
	createReplicated(t, cl, "t", 4, 2)
	l := newLedger()
	for round := range uint64(4) {
		switch round {
		case 1: // the only controller is away: leaders stay what they are
			k.kill()
		case 2:
			k = controller().wentReady()
		case 3:
			two.kill()
		}
		if err := produceAll(bounded(t, 40*time.Second), cl, "t", 1, 200*round, 200, l); err != nil || len(l.bad) > 0 {
			t.Fatalf("round %d: %v %v", round, err, l.bad)
		}
	}
	two = broker(1).wentReady()
	all := readAll(t, dial(t, addrs[1], kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 800)
	same(t, 1, l, all[1])
	for _, n := range []*node{one, two, k} {
		if code := n.term(); code != 0 {
			t.Errorf("%s ends with code %d", n.dir, code)
		}
	}
}

func TestSIGTERMOfAllNodesEndsEachAndFreesItsPorts(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "t", 6, 3)
	s := newPacedStream(t, c.clients[0], "t", 0, kgo.SeedBrokers(c.clients...))
	eventually(t, 30*time.Second, "records are acknowledged", func() bool { return s.acked() > 500 })
	for round := range scale(1, 2, 5) {
		began := time.Now()
		c.endAll()
		took := time.Since(began)
		t.Logf("round %d: all have ended after %v", round, took.Round(time.Millisecond))
		if took > 17*time.Second { // leaveTime, transferTime and drainTime one after another
			t.Errorf("the end took %v", took)
		}
		for _, addr := range append(slices.Clone(c.clients), c.inner...) {
			conn, err := net.Listen("tcp", addr)
			if err != nil {
				t.Errorf("%s is not free: %v", addr, err)
				continue
			}
			conn.Close()
		}
		for i := range c.nodes {
			c.nodes[i] = c.begin(i)
		}
		for _, n := range c.nodes {
			n.wentReady()
		}
		before := s.acked()
		eventually(t, 30*time.Second, "records are acknowledged after the restart", func() bool { return s.acked() > before+100 })
	}
	s.end(t)
	all := readAll(t, c.dial(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), len(s.l.acked))
	same(t, 0, s.l, all[0])
}
