package main_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// written tells of each request that was written to a socket.
type written chan struct{}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (w written) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == int16(kmsg.OffsetFetch) && err == nil && len(w) < cap(w) {
		w <- struct{}{}
	}
}

// A coordinator that was stopped while another was elected is asked while it is stopped, so that this is what it sees first when it goes on. It
// must not show the commit that it knew.
func TestACoordinatorThatWasStoppedShowsNoCommitThatIsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", "offsets.topic.num.partitions=1")
	id := createReplicated(t, c.dial(), "t", 1, 3)
	commit := func(cl *kgo.Client, to int64) kerr.Code {
		q := kmsg.NewPtrOffsetCommitRequest()
		q.Group, q.Generation = "g", -1
		x := kmsg.NewOffsetCommitRequestTopic()
		x.Topic, x.TopicID = "t", id
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset = to
		x.Partitions = append(x.Partitions, p)
		q.Topics = append(q.Topics, x)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := q.RequestWith(ctx, cl)
		if err != nil || len(r.Topics) != 1 {
			return kerr.RequestTimedOut
		}
		return kerr.Code(r.Topics[0].Partitions[0].ErrorCode)
	}
	fetch := func() *kmsg.OffsetFetchRequest {
		q := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = "g"
		x := kmsg.NewOffsetFetchRequestGroupTopic()
		x.Topic, x.TopicID, x.Partitions = "t", id, []int32{0}
		g.Topics = append(g.Topics, x)
		q.Groups = append(q.Groups, g)
		return q
	}
	eventually(t, 30*time.Second, "a first commit", func() bool { return commit(c.dial(), 5) == kerr.None })
	for round := range scale(1, 2, 5) {
		old, next := int64(5+round), int64(6+round)
		at := c.leader(0, "__consumer_offsets", 0)
		others := []string{c.clients[(at+1)%3], c.clients[(at+2)%3]}
		// One connection to the coordinator, asked nothing but this.
		sent := make(written, 100)
		pinned := dial(t, c.clients[at], kgo.WithHooks(sent))
		ask := func(d time.Duration) (int64, kerr.Code) {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			r, err := pinned.Broker(at+1).Request(ctx, fetch())
			if err != nil {
				return -1, kerr.RequestTimedOut
			}
			g := r.(*kmsg.OffsetFetchResponse).Groups[0]
			if g.ErrorCode != 0 {
				return -1, kerr.Code(g.ErrorCode)
			}
			return g.Topics[0].Partitions[0].Offset, kerr.Code(g.Topics[0].Partitions[0].ErrorCode)
		}
		if got, code := ask(10 * time.Second); got != old || code != kerr.None {
			t.Fatalf("before: offset %d, %v; want %d", got, code, old)
		}
		c.nodes[at].signal(sigstop)
		cl := dial(t, others[0], kgo.SeedBrokers(others...), kgo.RequestTimeoutOverhead(2*time.Second))
		eventually(t, 40*time.Second, "a commit at another coordinator", func() bool { return commit(cl, next) == kerr.None })
		type answer struct {
			offset int64
			code   kerr.Code
		}
		first := make(chan answer, 1)
		for len(sent) > 0 {
			<-sent
		}
		go func() {
			offset, code := ask(30 * time.Second)
			first <- answer{offset, code}
		}()
		<-sent // to the socket of the stopped process
		c.nodes[at].signal(sigcont)
		a := <-first
		for range 200 {
			if a.code == kerr.None && a.offset < next {
				t.Fatalf("round %d: it shows the commit of %d, and %d was committed", round, a.offset, next)
			}
			a.offset, a.code = ask(time.Second)
		}
		for i := range 3 {
			c.inSync(i, "__consumer_offsets", 3)
		}
	}
}
