package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// workload is what goes on while nodes of a cluster fail: paced idempotent producers with acks=all, a group of two members that commits what
// it has read, and a witness of the group's commits.
type workload struct {
	t          testing.TB
	c          *cluster
	topic      string
	partitions int32
	dialer     kgo.Opt
	streams    []*stream
	group      *readers
	members    []*kgo.Client
	witness    *witness
}

// newWorkload makes a topic with three replicas and starts to use it.
func newWorkload(t testing.TB, c *cluster, topic string, partitions int32, opts ...kgo.Opt) *workload {
	t.Helper()
	w := &workload{t: t, c: c, topic: topic, partitions: partitions, group: &readers{at: map[uint64]place{}}}
	createReplicated(t, c.dial(opts...), topic, partitions, 3, "segment.bytes=1048576", "min.insync.replicas=2")
	eager := append([]kgo.Opt{kgo.SeedBrokers(c.clients...), kgo.MetadataMaxAge(2 * time.Second), kgo.DialTimeout(time.Second)}, opts...)
	for i := range 2 {
		w.streams = append(w.streams, newPacedStream(t, c.clients[i], topic, uint32(i), eager...))
	}
	for range 2 {
		cl := c.dial(append(slices.Clone(eager), kgo.ConsumeTopics(topic), kgo.ConsumerGroup("workers"), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
			kgo.DisableAutoCommit(), kgo.FetchMaxWait(200*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		go w.group.consume(cl, 1)
		w.members = append(w.members, cl)
	}
	w.witness = newWitness(t, c.dial(eager...), "workers", topic, partitions)
	return w
}

// witness looks at a group's commits again and again: none may go back.
type witness struct {
	cl         *kgo.Client
	group      string
	topic      string
	partitions int32
	stop       chan struct{}
	once       sync.Once
	done       sync.WaitGroup
	mu         sync.Mutex
	at         map[int32]int64
	looks      int
	weak       bool // a node may take itself for the coordinator that it was
	stale      int
	err        error
}

func newWitness(t testing.TB, cl *kgo.Client, group, topic string, partitions int32) *witness {
	w := &witness{cl: cl, group: group, topic: topic, partitions: partitions, stop: make(chan struct{}), at: map[int32]int64{}}
	t.Cleanup(w.end)
	w.done.Add(1)
	go func() {
		defer w.done.Done()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				w.look()
			}
		}
	}()
	return w
}

// look asks once; that nobody answers is no matter.
func (w *witness) look() {
	q := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = w.group
	x := kmsg.NewOffsetFetchRequestGroupTopic()
	x.Topic = w.topic
	for p := range w.partitions {
		x.Partitions = append(x.Partitions, p)
	}
	g.Topics = append(g.Topics, x)
	q.Groups = append(q.Groups, g)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	resp, err := q.RequestWith(ctx, w.cl)
	if err != nil || len(resp.Groups) != 1 || resp.Groups[0].ErrorCode != 0 || len(resp.Groups[0].Topics) != 1 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	for _, p := range resp.Groups[0].Topics[0].Partitions {
		if p.ErrorCode != 0 {
			continue
		}
		switch before, ok := w.at[p.Partition]; {
		case !ok || p.Offset >= before:
		case w.weak:
			w.stale++
		case w.err == nil:
			w.err = fmt.Errorf("the commit of partition %d went from %d back to %d", p.Partition, before, p.Offset)
		}
		w.at[p.Partition] = p.Offset
	}
}

// mayBeStale says whether a look may be answered by a node that was the coordinator before it was cut off, and has not heard yet that it is not:
// it shows what was committed then, as Kafka's does. One that was stopped knows that it was.
func (w *witness) mayBeStale(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weak = yes
}

// end stops the looking.
func (w *witness) end() {
	w.once.Do(func() { close(w.stop) })
	w.done.Wait()
}

// total is the sum of what is committed.
func (w *witness) total() (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.at {
		n += max(0, o)
	}
	return n
}

// goesOn waits until every partition has acknowledged anew, and gives how long that took.
func (w *workload) goesOn(within time.Duration, what string) time.Duration {
	w.t.Helper()
	began := time.Now()
	before := w.ends()
	eventually(w.t, within, what, func() bool {
		now := w.ends()
		for p := range w.partitions {
			if now[p] <= before[p] {
				return false
			}
		}
		return true
	})
	return time.Since(began).Round(time.Millisecond)
}

// ends is the highest acknowledged offset of each partition.
func (w *workload) ends() map[int32]int64 {
	ends := map[int32]int64{}
	for p := range w.partitions {
		ends[p] = -1
	}
	for _, s := range w.streams {
		s.l.mu.Lock()
		for p, o := range s.l.ends {
			ends[p] = max(ends[p], o)
		}
		s.l.mu.Unlock()
	}
	return ends
}

// finish ends the workload and judges it: nothing acknowledged missing, doubled or moved, nothing read that is not there, commits never back.
func (w *workload) finish(opts ...kgo.Opt) {
	t := w.t
	t.Helper()
	total, all := settle(t, w.streams, w.c.dial(append(opts, kgo.ConsumeTopics(w.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...))
	eventually(t, time.Minute, "the group has read and committed everything", func() bool { return w.group.count() >= total && w.witness.total() >= int64(total) })
	w.witness.end()
	for _, m := range w.members {
		m.Close()
	}
	w.group.mu.Lock()
	defer w.group.mu.Unlock()
	wrong := 0
	for source, s := range all {
		for n, p := range s.at {
			if q, ok := w.group.at[key(source, n)]; !ok || p != q {
				if wrong++; wrong == 1 {
					t.Errorf("the group read record %d of source %d at %v, the log has it at %v", n, source, q, p)
				}
			}
		}
	}
	if len(w.group.at) != total {
		t.Errorf("the group read %d records, there are %d", len(w.group.at), total)
	}
	for _, err := range []error{w.group.err, w.witness.err} {
		if err != nil {
			t.Error(err)
		}
	}
	if w.witness.looks == 0 {
		t.Error("nobody ever saw the group's commits")
	}
	t.Logf("%d records acknowledged, %d read more than once, %d looks at commits, %d of them at what a deposed coordinator had", total, w.group.again, w.witness.looks, w.witness.stale)
}

// leader is the index of the node that leads a partition, as node i says.
func (c *cluster) leader(i int, topic string, partition int32) int {
	c.t.Helper()
	at := -1
	eventually(c.t, 30*time.Second, "the partition has a leader", func() bool {
		_, _, parts := c.describe(i, topic)
		for _, p := range parts {
			if p.Partition == partition {
				at = int(p.Leader) - 1
			}
		}
		return at >= 0
	})
	return at
}

// controller is the index of the node that leads the quorum, as node i says.
func (c *cluster) controller(i int) int {
	c.t.Helper()
	at := -1
	eventually(c.t, 30*time.Second, "there is a controller", func() bool {
		id, _, _ := c.describe(i, "none")
		at = int(id) - 1
		return at >= 0
	})
	return at
}

// sameLogs stops every node and compares the replicas' logs byte by byte; each of a node's logs begins at offset 0.
func (c *cluster) sameLogs(partitions int) {
	t := c.t
	t.Helper()
	c.endAll()
	compared, size := 0, 0
	names, err := filepath.Glob(filepath.Join(c.dir, "0", "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if s, err := os.Stat(name); err != nil || !s.IsDir() {
			continue
		}
		first := logBytes(t, name)
		compared++
		size += len(first)
		for i := 1; i < len(c.nodes); i++ {
			other := filepath.Join(c.dir, fmt.Sprint(i), filepath.Base(name))
			if b := logBytes(t, other); !bytes.Equal(first, b) {
				t.Errorf("%s: %d bytes on node 1, %d on node %d, which differ at byte %d", filepath.Base(name), len(first), len(b), i+1, differAt(first, b))
			}
		}
	}
	if compared < partitions {
		t.Errorf("%d logs were compared, want at least %d", compared, partitions)
	}
	t.Logf("%d logs with %d bytes are equal on %d nodes", compared, size, len(c.nodes))
}

// endAll stops all nodes at once and wants exit code 0 of each.
func (c *cluster) endAll() {
	c.t.Helper()
	for _, n := range c.nodes {
		n.signal(sigterm)
	}
	for i, n := range c.nodes {
		if code := n.wait(); code != 0 {
			c.t.Errorf("node %d ends with code %d", i+1, code)
		}
	}
}

// logBytes is the whole log of a partition's directory.
func logBytes(t testing.TB, dir string) (b []byte) {
	t.Helper()
	segments, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		t.Error(err)
	}
	for _, s := range segments {
		if strings.HasSuffix(s.Name(), ".log") {
			part, err := os.ReadFile(filepath.Join(dir, s.Name()))
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, part...)
		}
	}
	return b
}

func differAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
