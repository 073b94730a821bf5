package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stream is an idempotent producer that goes on until it is stopped, over as many lives of the broker as there are.
type stream struct {
	source uint32
	cl     *kgo.Client
	l      *ledger
	sent   uint64
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

// newStream is a stream that sends as fast as it is answered, in small batches.
func newStream(t testing.TB, addr, topic string, source uint32, codec kgo.CompressionCodec, opts ...kgo.Opt) *stream {
	s := dialStream(t, addr, topic, source, codec, append([]kgo.Opt{kgo.ProducerBatchMaxBytes(20_000)}, opts...)...)
	always := make(chan time.Time)
	close(always)
	go s.run(always, 1)
	return s
}

// newPacedStream is a stream of some thousand records a second, so that a run's length is in time and not in bytes.
func newPacedStream(t testing.TB, addr, topic string, source uint32, opts ...kgo.Opt) *stream {
	s := dialStream(t, addr, topic, source, codecs[int(source)%len(codecs)].codec, opts...)
	tick := time.NewTicker(10 * time.Millisecond)
	t.Cleanup(tick.Stop)
	go s.run(tick.C, 12)
	return s
}

func dialStream(t testing.TB, addr, topic string, source uint32, codec kgo.CompressionCodec, opts ...kgo.Opt) *stream {
	s := &stream{source: source, l: newLedger(), stop: make(chan struct{})}
	s.cl = dial(t, addr, append([]kgo.Opt{kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(2_000), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })}, opts...)...)
	t.Cleanup(s.halt) // a test that failed leaves nothing that burns the next one's time
	s.done.Add(1)
	return s
}

// run sends some records at each beat.
func (s *stream) run(beat <-chan time.Time, some int) {
	defer s.done.Done()
	for {
		select {
		case <-s.stop:
			return
		case <-beat:
		}
		for range some {
			n := s.sent
			s.sent++
			s.cl.Produce(context.Background(), number(s.source, n), func(r *kgo.Record, err error) { s.l.ack(n, r, err) })
		}
	}
}

// halt lets nothing more be sent. It does not wait: a Produce may be held up by its own full buffer.
func (s *stream) halt() { s.once.Do(func() { close(s.stop) }) }

// acked counts the answers so far.
func (s *stream) acked() int {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return len(s.l.acked)
}

// end stops the stream and waits for every answer.
func (s *stream) end(t testing.TB) {
	t.Helper()
	s.halt()
	s.done.Wait()
	if err := s.cl.Flush(bounded(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if len(s.l.bad) > 0 {
		t.Errorf("source %d: %d records were refused, the first with: %v", s.source, len(s.l.bad), s.l.bad[0])
	}
}

// settle ends streams and compares what they were told with what a client reads from the start. It gives how much that is, and what was read.
func settle(t testing.TB, streams []*stream, reader *kgo.Client) (total int, all map[uint32]*seen) {
	t.Helper()
	for _, s := range streams {
		s.end(t)
		total += len(s.l.acked)
	}
	all = readAll(t, reader, total)
	for _, s := range streams {
		same(t, s.source, s.l, all[s.source])
	}
	return total, all
}

func TestNothingAcknowledgedIsMissingDoubledOrMovedAcrossKillsOfTheBroker(t *testing.T) {
	for _, policy := range []string{"ack", "os"} {
		t.Run(policy, func(t *testing.T) { killRounds(t, policy) })
	}
}

func killRounds(t *testing.T, policy string) {
	dir, addr := t.TempDir(), freePort(t)
	settings := []string{at(addr), "flush.policy=" + policy}
	n := start(t, dir, settings...)
	createTopic(t, n.client(), "kills", 4, "segment.bytes=1048576")
	var streams []*stream
	for i := range 4 {
		streams = append(streams, newStream(t, addr, "kills", uint32(i), codecs[i%len(codecs)].codec))
	}
	facts := newFacts()
	for round := range scale(2, 4, 25) {
		goal := make([]int, len(streams))
		for i, s := range streams {
			goal[i] = s.acked() + 500 + rand.IntN(1500)
		}
		facts.add(t, n, round)
		eventually(t, time.Minute, "the streams go on", func() bool {
			for i, s := range streams {
				if s.acked() < goal[i] {
					return false
				}
			}
			return true
		})
		n.kill()
		n = start(t, dir, settings...)
		facts.check(t, n)
	}
	total, _ := settle(t, streams, n.client(kgo.ConsumeTopics("kills"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	t.Logf("%d records acknowledged", total)
}

// facts are what a broker has answered and must know in its next life.
type facts struct {
	ids     map[int64]int // producer id to round
	topics  map[string][16]byte
	commits map[string]int64 // by group
}

func newFacts() *facts {
	return &facts{ids: map[int64]int{}, topics: map[string][16]byte{}, commits: map[string]int64{}}
}

// add makes new facts, right before a kill.
func (f *facts) add(t testing.TB, n *node, round int) {
	t.Helper()
	cl := n.client()
	defer cl.Close()
	ctx := bounded(t, 30*time.Second)
	for range 20 {
		resp, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, cl)
		if err != nil || resp.ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		if before, twice := f.ids[resp.ProducerID]; twice {
			t.Errorf("producer id %d was given in round %d and again in round %d", resp.ProducerID, before, round)
		}
		f.ids[resp.ProducerID] = round
	}
	name := fmt.Sprintf("fact-%d", round)
	f.topics[name] = createTopic(t, cl, name, 2, "retention.ms=123456", "max.message.bytes=54321")
	for g := range 3 {
		group := fmt.Sprintf("group-%d", g)
		f.commits[group] = int64(1000*round + g)
		if c := commit(t, cl, group, "kills", 0, f.commits[group], fmt.Sprintf("meta %d", round)); c != 0 {
			t.Fatalf("OffsetCommit: code %d", c)
		}
	}
}

// check asks for all of them.
func (f *facts) check(t testing.TB, n *node) {
	t.Helper()
	cl := n.client()
	defer cl.Close()
	ctx := bounded(t, 30*time.Second)
	for name, id := range f.topics {
		q := kmsg.NewPtrMetadataRequest()
		x := kmsg.NewMetadataRequestTopic()
		x.Topic = &name
		q.Topics = append(q.Topics, x)
		resp, err := q.RequestWith(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		if r := resp.Topics[0]; r.ErrorCode != 0 || len(r.Partitions) != 2 || r.TopicID != id {
			t.Errorf("topic %s after the restart: code %d, %d partitions, id %x want %x", name, r.ErrorCode, len(r.Partitions), r.TopicID, id)
		}
		if v := topicConfig(t, cl, name, "retention.ms"); v != "123456" {
			t.Errorf("topic %s after the restart: retention.ms is %q", name, v)
		}
	}
	for group, want := range f.commits {
		if got, _ := committed(t, cl, group, "kills", 0); got != want {
			t.Errorf("group %s: committed %d, after the restart %d", group, want, got)
		}
	}
}

// commit commits one offset without a membership.
func commit(t testing.TB, cl *kgo.Client, group, topic string, partition int32, offset int64, meta string) int16 {
	t.Helper()
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group, q.Generation = group, -1
	x := kmsg.NewOffsetCommitRequestTopic()
	x.Topic, x.TopicID = topic, topicID(t, cl, topic)
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = partition, offset, &meta
	x.Partitions = append(x.Partitions, p)
	q.Topics = append(q.Topics, x)
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

// committed fetches one committed offset and its metadata string.
func committed(t testing.TB, cl *kgo.Client, group, topic string, partition int32) (int64, string) {
	t.Helper()
	q := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	x := kmsg.NewOffsetFetchRequestGroupTopic()
	x.Topic, x.TopicID, x.Partitions = topic, topicID(t, cl, topic), []int32{partition}
	g.Topics = append(g.Topics, x)
	q.Groups = append(q.Groups, g)
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Groups[0]; r.ErrorCode != 0 || len(r.Topics) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("OffsetFetch of %s: %+v", group, r)
	}
	p := resp.Groups[0].Topics[0].Partitions[0]
	return p.Offset, deref(p.Metadata)
}

func topicID(t testing.TB, cl *kgo.Client, topic string) [16]byte {
	t.Helper()
	q := kmsg.NewPtrMetadataRequest()
	x := kmsg.NewMetadataRequestTopic()
	x.Topic = &topic
	q.Topics = append(q.Topics, x)
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].TopicID
}

// topicConfig is one setting of a topic as DescribeConfigs has it.
func topicConfig(t testing.TB, cl *kgo.Client, topic, key string) string {
	t.Helper()
	q := kmsg.NewPtrDescribeConfigsRequest()
	x := kmsg.NewDescribeConfigsRequestResource()
	x.ResourceType, x.ResourceName, x.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{key}
	q.Resources = append(q.Resources, x)
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Resources[0]; r.ErrorCode == 0 && len(r.Configs) == 1 {
		return deref(r.Configs[0].Value)
	}
	return fmt.Sprintf("%+v", resp.Resources[0])
}
