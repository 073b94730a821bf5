package broker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// threads drives each shard of a node that has booted on a goroutine of its own, so that `go test -race` sees what shards share.
type threads struct {
	n     *node
	mu    sync.Mutex // of all inboxes and of the disk
	cond  *sync.Cond
	inbox [][]step.Event
	busy  int // shards that have something to do, or requests to send
	quiet int
}

func runThreads(n *node, requests int, next func(shard int, r *prng.Source) kmsg.Request) {
	th := &threads{n: n, inbox: make([][]step.Event, len(n.shards))}
	th.cond = sync.NewCond(&th.mu)
	conns := make([]*client, len(n.shards))
	for i := range n.shards {
		conns[i] = n.connect(i)
	}
	n.run()
	var wg sync.WaitGroup
	for i := range n.shards {
		wg.Go(func() { th.shard(n.shards[i], conns[i], requests, next) })
	}
	wg.Wait()
}

// shard sends one request after another and handles what comes, until every shard has nothing more to do.
func (th *threads) shard(x *driver, c *client, requests int, next func(int, *prng.Source) kmsg.Request) {
	r := prng.New(uint64(x.id) + 99)
	asked, answered := 0, 0
	var out step.Effects
	do := func(ev step.Event) {
		x.s.Step(th.n.now, &ev, &out)
		ev = step.Event{Kind: step.Flush}
		x.s.Step(th.n.now, &ev, &out)
		answered += th.execute(x, &out)
	}
	for {
		th.mu.Lock()
		if len(th.inbox[x.id]) == 0 && asked < requests && asked-answered < 3 {
			th.mu.Unlock()
			asked++
			b := frameOf(next(x.id, r), int32(asked))
			l := x.pool.Get(len(b))
			copy(l.Bytes, b)
			do(step.Event{Kind: step.FrameArrived, Frame: network.Frame{Conn: c.id, Bytes: l.Bytes[:len(b)], Lease: l}})
			l.Release()
			continue
		}
		if len(th.inbox[x.id]) == 0 && asked == requests && answered == asked {
			if th.quiet++; th.quiet == len(th.inbox) {
				th.cond.Broadcast()
			}
			for len(th.inbox[x.id]) == 0 && th.quiet < len(th.inbox) {
				th.cond.Wait()
			}
			if th.quiet == len(th.inbox) {
				th.mu.Unlock()
				return
			}
			th.quiet--
		}
		for len(th.inbox[x.id]) == 0 {
			th.cond.Wait()
		}
		ev := th.inbox[x.id][0]
		th.inbox[x.id] = th.inbox[x.id][1:]
		th.mu.Unlock()
		do(ev)
	}
}

func (th *threads) execute(x *driver, o *step.Effects) (answered int) {
	var own []step.Event
	th.mu.Lock()
	for i := range o.Disk {
		own = append(own, step.Event{Kind: step.DiskDone, Disk: th.n.disk.do(&o.Disk[i])})
	}
	at := int32(0)
	for i := range o.Send {
		s := &o.Send[i]
		if i == 0 || s.A != at { // the head of a frame, not the rest of one
			answered++
		}
		if at = s.B; s.Ext.Len == 0 {
			at = -1
		}
		if s.Token != 0 {
			own = append(own, step.Event{Kind: step.SendDone, Sent: s.Token})
		}
	}
	th.inbox[x.id] = append(th.inbox[x.id], own...)
	for _, m := range o.Mail {
		if m.To != step.Outside {
			m.From = int32(x.id)
			th.inbox[m.To] = append(th.inbox[m.To], step.Event{Kind: step.MailArrived, Mail: m})
		}
	}
	th.cond.Broadcast()
	th.mu.Unlock()
	if o.Fatal != "" || len(o.Close) > 0 {
		panic(fmt.Sprint(o.Fatal, o.Close))
	}
	o.Reset()
	return answered
}

func TestShardsOnTheirOwnThreadsShareNothingButWhatTheyHandOver(t *testing.T) {
	n := bootNode(t, newMemDisk(), 3)
	c := n.connect(0)
	n.mustCreate(c, "t", 9)
	n.mustCreate(c, "u", 4, "cleanup.policy=delete")
	n.disk.fail = func(*disk.Request) disk.Err { return disk.OK }
	runThreads(n, 400, func(shard int, r *prng.Source) kmsg.Request {
		switch r.Intn(5) {
		case 0, 1:
			q := produceTo("t", int32(r.Intn(9)), int16(1-2*r.Intn(2)), batchOf(1+r.Intn(3), 50))
			y := kmsg.NewProduceRequestTopicPartition()
			y.Partition, y.Records = int32(r.Intn(9)), batchOf(1, 10)
			q.Topics[0].Partitions = append(q.Topics[0].Partitions, y)
			return q
		case 2, 3:
			q := fetchFrom("t", int32(r.Intn(9)), int64(r.Intn(20)), 0, 1)
			for p := range int32(9) {
				addFetch(q, "t", p, int64(r.Intn(30)))
			}
			q.MaxBytes = int32(r.Intn(3000))
			return q
		}
		q := kmsg.NewPtrListOffsetsRequest()
		q.Version, q.ReplicaID = 8, -1
		x := kmsg.ListOffsetsRequestTopic{Topic: "t"}
		for p := range int32(9) {
			x.Partitions = append(x.Partitions, kmsg.ListOffsetsRequestTopicPartition{Partition: p, Timestamp: int64(-1 - r.Intn(3)), CurrentLeaderEpoch: -1})
		}
		q.Topics = append(q.Topics, x)
		return q
	})
	for i, x := range n.shards {
		if k := x.s.state.Pending(); k != 0 {
			t.Errorf("shard %d: %d requests are left", i, k)
		}
		if x.pool.Out != 0 {
			t.Errorf("shard %d: %d bytes are leased", i, x.pool.Out)
		}
	}
}
