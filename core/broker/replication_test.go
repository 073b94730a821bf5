package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/fetcher"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// side is a broker that follows: a fetcher and its partitions, on a disk of its own. The leader is a whole node.
type side struct {
	n     *node
	id    int32
	e     *env.Env
	pool  *peer.Pool
	f     *fetcher.Fetcher
	disk  *memDisk
	todo  []disk.Request
	parts []*replica.Partition
	dials []network.Dial
	conn  *client // nil: none
	conns network.Conn
	in    []byte
}

func newSide(n *node, id int32) *side {
	x := &side{n: n, id: id, e: env.New(0, &buf.Pool{Mangle: true}, prng.New(uint64(id))), disk: newMemDisk()}
	x.e.Out = &step.Effects{}
	x.e.Now = n.now
	x.pool = peer.NewPool(x.e, peer.Config{})
	x.f = fetcher.New(x.e, fetcher.DefaultConfig(id), 1, x.pool.Get("127.0.0.1:9092"))
	x.f.BrokerEpoch = 100 + int64(id)
	return x
}

// open makes the side's replica of a partition.
func (x *side) open(s replica.State, number int32) {
	id := x.n.shards[0].s.state.Image.TopicByName("t").ID
	p := replica.New(x.e, "t", id, number, s.LeaderEpoch, true)
	p.Observer = x
	s.Me = x.id
	p.Apply(s, x.n.now.Mono)
	x.parts = append(x.parts, p)
	task.Go(x.e, func(t *task.Task) {
		l, err := commitlog.Open(t, x.e, fmt.Sprintf("d/t-%d", number), commitlog.Options{Config: commitlog.DefaultConfig(), Listener: p, Create: true, TopicID: id})
		if err != nil {
			x.n.t.Fatal(err)
		}
		p.Opened(l)
	})
	x.disk.dirs["d"] = true
	for p.Log == nil {
		x.round()
		x.complete(0)
	}
}

func (x *side) HighWatermarkMoved(*replica.Partition)                  {}
func (x *side) AlterPartition(*replica.Partition, replica.Proposal)    {}
func (x *side) Failed(_ *replica.Partition, err disk.Err, what string) { x.n.t.Fatal(what, err) }
func (x *side) TakenBack(p *replica.Partition, _ int64)                { x.f.Rest(fetchKey(p)) }
func (x *side) FollowerReady(p *replica.Partition)                     { x.f.Ready(fetchKey(p)) }
func (x *side) StartUnsaved(*replica.Partition)                        {}
func fetchKey(p *replica.Partition) fetcher.Key                        { return fetcher.Key{ID: p.TopicID, Number: p.Number} }

func (x *side) LeaderChanged(p *replica.Partition) {
	if _, epoch, ok := p.Following(); ok {
		x.f.Add(fetchKey(p), p.Topic, epoch, p)
	} else {
		x.f.Remove(fetchKey(p))
	}
}

// round executes what the side asked for.
func (x *side) round() {
	x.e.Now = x.n.now
	for t := x.e.Timers.Expired(x.e.Now.Mono); t != nil; t = x.e.Timers.Expired(x.e.Now.Mono) {
		t.Owner.TimerFired(t)
	}
	x.e.FlushDirty()
	out := x.e.Out
	x.todo = append(x.todo, out.Disk...)
	x.dials = append(x.dials, out.Dial...)
	for _, s := range out.Send {
		if x.conn != nil && s.Conn == x.conns {
			x.in = append(x.in, out.Arena[s.A:s.B]...)
		}
	}
	for x.conn != nil && len(x.in) >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(x.in))
		x.conn.pending = append(x.conn.pending, bytes.Clone(x.in[4:n]))
		x.in = x.in[n:]
	}
	closed := len(out.Close) > 0
	out.Reset()
	if closed {
		x.lose()
	}
	for _, p := range x.parts {
		if p.Log != nil {
			p.CheckInvariants()
		}
	}
}

func (x *side) complete(i int) {
	r := x.todo[i]
	x.todo = append(x.todo[:i:i], x.todo[i+1:]...)
	c := x.disk.do(&r)
	x.e.Now = x.n.now
	x.e.Done(&c)
	x.round()
}

// connect answers a dial with a connection to the leader.
func (x *side) connect() {
	info := network.Info{Token: x.dials[0].Token, Dialled: true}
	x.dials = x.dials[1:]
	x.lose()
	x.conn = x.n.connect(int(x.id) % len(x.n.shards))
	x.conn.raw = true
	x.conns += 1 << 32
	info.Conn = x.conns
	x.pool.Opened(&info)
	x.round()
}

func (x *side) lose() {
	if x.conn == nil {
		return
	}
	x.conn.close()
	x.conn, x.in = nil, nil
	x.pool.Closed(&network.Info{Conn: x.conns})
	x.round()
}

// take hands over the leader's next answer, if one is whole.
func (x *side) take() bool {
	if x.conn == nil || x.conn.closed || len(x.conn.bytes) < 4 {
		return false
	}
	n := 4 + int(binary.BigEndian.Uint32(x.conn.bytes))
	if len(x.conn.bytes) < n {
		return false
	}
	lease := x.e.Pool.Get(n)
	copy(lease.Bytes, x.conn.bytes[4:n])
	x.conn.bytes = x.conn.bytes[n:]
	x.e.Now = x.n.now
	x.pool.Frame(&network.Frame{Conn: x.conns, Bytes: lease.Bytes[:n-4], Lease: lease})
	lease.Release()
	x.round()
	return true
}

// logBytes are the records of a partition, of all its segments.
func logBytes(d *memDisk, dir string, number int32) []byte {
	f := d.files[fmt.Sprintf("%s/t-%d/00000000000000000000.log", dir, number)]
	if f == nil {
		return nil
	}
	return bytes.TrimRight(f.data, "\x00")
}

// Two brokers follow a third through lost connections, late disks and new epochs: each acks=all answer speaks of records that all have
// synced, and the followers end with the leader's bytes and its high watermark.
func TestFollowersOfALiveLeaderEndWithItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const parts = 3
		n := bootNode(drawn{t: t}, newMemDisk(), rapid.IntRange(1, 2).Draw(t, "shards"))
		c := n.connect(0)
		n.mustCreate(c, "t", parts)
		states := make([]replica.State, parts)
		leader := func(i int) *replica.Partition {
			s := n.shards[n.ownerOf("t", int32(i))].s
			return s.state.Partition(s.state.Image.TopicByName("t").ID, int32(i))
		}
		sides := []*side{newSide(n, 2), newSide(n, 3)}
		for i := range states {
			states[i] = replica.State{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{1, 2, 3}, Replicas: []int32{1, 2, 3}, Me: 1, MinISR: 2,
				BrokerEpochs: func(node int32) (int64, bool) { return 100 + int64(node), true }}
			leader(i).Apply(states[i], n.now.Mono)
			for _, x := range sides {
				x.open(states[i], int32(i))
			}
		}
		produced := map[int32]int64{} // correlation ids, and how many
		acked := int64(0)
		sent := int64(0)
		check := func() {
			for corr, count := range produced {
				if resp := c.answer(corr); resp != nil {
					p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
					if code := kerr.Code(p.ErrorCode); code == kerr.None {
						end := p.BaseOffset + count
						for _, x := range sides {
							if got := x.parts[p.Partition].Log.SyncedEnd(); got < end {
								t.Fatalf("records below %d are acknowledged, and broker %d has synced %d", end, x.id, got)
							}
						}
						acked += count
					} else if code != kerr.NotLeaderForPartition && code != kerr.RequestTimedOut {
						t.Fatalf("produce: %s", code)
					}
					delete(produced, corr)
				}
			}
		}
		for range rapid.IntRange(10, 120).Draw(t, "steps") {
			x := sides[rapid.IntRange(0, 1).Draw(t, "side")]
			i := rapid.IntRange(0, parts-1).Draw(t, "part")
			switch rapid.IntRange(0, 11).Draw(t, "what") {
			case 0, 1:
				k := int64(rapid.IntRange(1, 3).Draw(t, "n"))
				produced[c.send(produceTo("t", int32(i), -1, batchOf(int(k), 50)))] = k
				sent += k
			case 2, 3, 4:
				if len(x.todo) > 0 {
					x.complete(rapid.IntRange(0, len(x.todo)-1).Draw(t, "request"))
				}
			case 5, 6:
				x.take()
			case 7:
				if len(x.dials) > 0 {
					x.connect()
				}
			case 8:
				if rapid.IntRange(0, 3).Draw(t, "lose") == 0 {
					x.lose()
				}
			case 9:
				if rapid.IntRange(0, 5).Draw(t, "epoch") == 0 {
					states[i].LeaderEpoch++
					states[i].PartitionEpoch++
					leader(i).Apply(states[i], n.now.Mono)
				}
			case 10: // the image arrives
				s := states[i]
				s.Me = x.id
				x.parts[i].Apply(s, n.now.Mono)
				x.round()
			case 11:
				n.wait(clock.MS(rapid.Int64Range(1, 300).Draw(t, "ms")))
				x.round()
			}
			n.run()
			check()
		}
		for range 60 {
			for _, x := range sides {
				for i := range x.parts {
					s := states[i]
					s.Me = x.id
					x.parts[i].Apply(s, n.now.Mono)
				}
				x.round()
				for len(x.dials) > 0 {
					x.connect()
				}
				for n.run(); len(x.todo) > 0 || x.take(); n.run() {
					if len(x.todo) > 0 {
						x.complete(0)
					}
				}
			}
			n.wait(200 * clock.Millisecond)
			check()
		}
		if len(produced) > 0 {
			t.Fatalf("%d of the produces are not answered", len(produced))
		}
		for i := range parts {
			p := leader(i)
			want := logBytes(n.disk, n.cfg.LogDir, int32(i))
			for _, x := range sides {
				f := x.parts[i]
				if got := logBytes(x.disk, "d", int32(i)); !bytes.Equal(got, want) || f.Log.End() != p.Log.End() {
					t.Fatalf("broker %d has %d bytes to %d of partition %d, the leader %d to %d", x.id, len(got), f.Log.End(), i, len(want), p.Log.End())
				}
				if p.HighWatermark() != p.Log.End() || f.HighWatermark() != p.HighWatermark() {
					t.Fatalf("the high watermark is %d at the leader, %d at broker %d, of %d", p.HighWatermark(), f.HighWatermark(), x.id, p.Log.End())
				}
			}
		}
		for _, x := range sides {
			if x.e.Pool.Out != 0 {
				t.Fatalf("broker %d holds %d bytes", x.id, x.e.Pool.Out)
			}
		}
	})
}
