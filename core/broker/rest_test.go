package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// sleepy is a follower's session, and dumbly what it must be told: everything that changed since it was told last.
type sleepy struct {
	n     *node
	c     *client
	id    int32
	epoch int32
	ends  [4]int64
	told  [4]partTwin
	named [4]bool // in the next request
	asked [4]bool // in the newest one
}

// ledAll makes every partition of t one of two replicas that this node leads.
func ledAll(n *node) (all [4]*replica.Partition) {
	for i := range all {
		s := n.shards[n.ownerOf("t", int32(i))].s
		p := s.state.Partition(s.state.Image.TopicByName("t").ID, int32(i))
		p.Apply(replica.State{Leader: 1, LeaderEpoch: p.LeaderEpoch + 1, PartitionEpoch: 5, ISR: []int32{1, 2}, Replicas: []int32{1, 2}, Me: 1, MinISR: 1,
			BrokerEpochs: func(node int32) (int64, bool) { return 100 + int64(node), true }}, n.now.Mono)
		all[i] = p
	}
	return all
}

// poll is the next request of the session.
func (x *sleepy) poll(all [4]*replica.Partition, waitMS int32) *kmsg.FetchRequest {
	q := replicaFetch(x.n, 2, 0, -1, waitMS)
	q.SessionID, q.SessionEpoch = x.id, x.epoch
	x.epoch++
	q.Topics[0].Partitions = nil
	x.asked = x.named
	for i := range x.ends {
		if !x.named[i] {
			continue
		}
		x.named[i] = false
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.LogStartOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = int32(i), x.ends[i], 0, 1<<20, all[i].LeaderEpoch
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, p)
	}
	if len(q.Topics[0].Partitions) == 0 {
		q.Topics = nil
	}
	return q
}

// hear takes an answer: it names what has records, or another high watermark or start than told, and what the request named.
func (x *sleepy) hear(t *rapid.T, all [4]*replica.Partition, r *kmsg.FetchResponse) {
	t.Helper()
	if r.ErrorCode != 0 {
		t.Fatalf("code %d", r.ErrorCode)
	}
	x.id = r.SessionID
	got := partsOf(t, r)
	for i, p := range all {
		g, data := got[int32(i)], x.ends[i] < p.Log.WrittenEnd()
		now := partTwin{hw: p.HighWatermark(), start: p.Log.Start()}
		if want := data || now != x.told[i] || x.asked[i]; want != (g != nil) {
			t.Fatalf("partition %d: want it named %v, got %v; it has up to %d, was told %+v, now %+v, written %d", i, want, g != nil, x.ends[i], x.told[i], now, p.Log.WrittenEnd())
		}
		if g == nil {
			continue
		}
		if data != (len(g.RecordBatches) > 0) || g.HighWatermark != now.hw || g.LogStartOffset != now.start {
			t.Fatalf("partition %d: want %v %+v, got %+v", i, data, now, g)
		}
		x.told[i] = now
		if data {
			x.ends[i], x.named[i] = p.Log.WrittenEnd(), true
		}
	}
}

func TestAnIdleFollowersSessionIsToldOfEachChangeAndOfWhatItNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 2).Draw(t, "shards")
		n := bootNode(drawn{t: t}, newMemDisk(), shards)
		c := n.connect(0)
		n.mustCreate(c, "t", 4)
		all := ledAll(n)
		x := &sleepy{n: n, c: n.connect(shards - 1), named: [4]bool{true, true, true, true}, told: [4]partTwin{{hw: -1}, {hw: -1}, {hw: -1}, {hw: -1}}}
		x.hear(t, all, x.c.ask(x.poll(all, 0)).(*kmsg.FetchResponse))
		x.epoch = 1
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			part := int32(rapid.IntRange(0, 3).Draw(t, "part"))
			change := func() (written bool) {
				switch rapid.IntRange(0, 3).Draw(t, "change") {
				case 0:
					c.ask(produceTo("t", part, 1, batchOf(rapid.IntRange(1, 3).Draw(t, "n"), 10)))
				case 1:
					q := kmsg.NewPtrDeleteRecordsRequest()
					q.Version = 2
					q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: part, Offset: -1}}}}
					n.connect(0).send(q) // it waits for the follower's start, too, and what is sent after it for its answer
					n.run()
					return false
				case 2:
					s := all[part].State()
					s.PartitionEpoch++
					all[part].Apply(s, n.now.Mono)
					n.run()
					return false
				case 3:
					x.named[part] = true
					return false
				}
				return true
			}
			while := rapid.Bool().Draw(t, "while it waits")
			if !while {
				change()
			}
			long := x.c.send(x.poll(all, 500))
			n.run()
			if while && x.c.answer(long) == nil {
				written := change()
				n.run()
				if written && x.c.answer(long) == nil {
					t.Fatal("a record does not end the wait")
				}
			}
			if x.c.answer(long) == nil {
				n.wait(clock.Second)
			}
			x.hear(t, all, x.c.answer(long).(*kmsg.FetchResponse))
		}
	})
}
