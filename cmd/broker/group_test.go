package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// cutter is a dialer whose client can be killed: its connections end and no new one begins, so that it cannot even say goodbye.
type cutter struct {
	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, network, host string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, host)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.dead {
		conn.Close()
		return nil, errors.New("killed")
	}
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *cutter) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	for _, x := range c.conns {
		if x != nil {
			x.Close()
		}
	}
}

// readers is what the members of a group have read together.
type readers struct {
	mu    sync.Mutex
	at    map[uint64]place // by key
	again int              // read more than once: allowed after a death, for what was not committed
	err   error
}

// key tells records of several sources apart in one map; those of source 0 have their numbers.
func key(source uint32, n uint64) uint64 { return uint64(source)<<48 | n }

func (g *readers) note(r *kgo.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source, n, err := check(r)
	p := place{r.Partition, r.Offset}
	if q, ok := g.at[key(source, n)]; ok {
		if g.again++; p != q && err == nil {
			err = fmt.Errorf("record %d of source %d was read at %v and at %v", n, source, q, p)
		}
	}
	if err != nil && g.err == nil {
		g.err = err
	}
	g.at[key(source, n)] = p
}

func (g *readers) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.at)
}

// consume is one member: it notes what it polls, and commits one time of several, or when there is nothing.
func (g *readers) consume(cl *kgo.Client, several int) {
	for i := 0; ; i++ {
		poll, end := context.WithTimeout(context.Background(), 200*time.Millisecond)
		fs := cl.PollRecords(poll, 1_000)
		end()
		if fs.IsClientClosed() {
			return
		}
		fs.EachRecord(g.note)
		if fs.NumRecords() > 0 && i%several != 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_ = cl.CommitUncommittedOffsets(ctx) // a lost commit only means reading again
		cancel()
	}
}

func TestAGroupOfThreeReadsEverythingWhileOneMemberIsKilled(t *testing.T) {
	count := scale(2_000, 60_000, 1_000_000)
	n := start(t, t.TempDir(), "group.min.session.timeout.ms=500")
	producer := n.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(20_000))
	createTopic(t, producer, "shared", 6)
	g := &readers{at: map[uint64]place{}}
	var members []*kgo.Client
	var cutters []*cutter
	for range 3 {
		c := &cutter{}
		cl := n.client(kgo.Dialer(c.dial), kgo.ConsumeTopics("shared"), kgo.ConsumerGroup("three"), kgo.SessionTimeout(1500*time.Millisecond),
			kgo.HeartbeatInterval(200*time.Millisecond), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		go g.consume(cl, 3)
		members, cutters = append(members, cl), append(cutters, c)
	}
	l := newLedger()
	ctx := bounded(t, 5*time.Minute)
	if err := produceAll(ctx, producer, "shared", 0, 0, uint64(count/2), l); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a third is read", func() bool { return g.count() > count/3 })
	cutters[0].kill()
	if err := produceAll(ctx, producer, "shared", 0, uint64(count/2), uint64(count-count/2), l); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "everything is read", func() bool { return g.count() == count })
	cl := n.client()
	eventually(t, 30*time.Second, "the end of every partition is committed", func() bool {
		total := int64(0)
		for p := range int32(6) {
			at, _ := committed(t, cl, "three", "shared", p)
			total += at
		}
		return total == int64(count)
	})
	for _, m := range members[1:] {
		m.Close()
	}
	if g.err != nil {
		t.Fatal(g.err)
	}
	same(t, 0, l, &seen{at: g.at})
	t.Logf("%d records were read more than once", g.again)
}
