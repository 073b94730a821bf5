package broker

import (
	"encoding/binary"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/clock"
)

// strangers is what a fuzzer's bytes make strangers do: each step takes a few of them.
type strangers struct{ b []byte }

func (s *strangers) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

// chunk gives bytes that a length, at most 255, goes before.
func (s *strangers) chunk() []byte {
	n := min(int(s.byte()), len(s.b))
	c := s.b[:n:n]
	s.b = s.b[n:]
	return c
}

// stranger is a connection of which nobody knows what it sends.
type stranger struct {
	*client
	asked []expected
	sent  int // bytes
	got   int
}

// expected is a frame that was sent: answered once, in turn, or its connection is closed.
type expected struct {
	corr    int32
	size    int
	silent  bool // acks=0, if it is taken
	patient bool // it may wait for longer than the test does
}

// expect reads a frame as any client's library would.
func expect(frame []byte) (x expected) {
	h, body, ok := wire.ParseHeader(frame)
	x = expected{corr: h.Corr, size: len(frame)}
	if !ok {
		return x
	}
	req, ok := wire.Cold(h.Key, h.Version, slices.Clone(body))
	if !ok {
		return x
	}
	if p, is := req.(*kmsg.ProduceRequest); is {
		x.silent = p.Acks == 0
	}
	v := reflect.ValueOf(req).Elem()
	for _, name := range [...]string{"TimeoutMillis", "MaxWaitMillis", "RebalanceTimeoutMillis", "SessionTimeoutMillis"} {
		if f := v.FieldByName(name); f.IsValid() && f.Kind() == reflect.Int32 {
			x.patient = x.patient || f.Int() > 5000
		}
	}
	return x
}

// frame builds one: raw bytes, a header with a body of any bytes, or a small request of an API that is served with some bytes changed.
func (s *strangers) frame(how byte, topicID [16]byte) []byte {
	switch how % 4 {
	case 0:
		return s.chunk()
	case 1:
		e := &api.Table[int(s.byte())%len(api.Table)]
		return append(wire.AppendRequestHeader(nil, e.Key, e.Min+int16(s.byte())%(e.Max-e.Min+1), int32(s.byte()), "x"), s.chunk()...)
	}
	e := &api.Table[int(s.byte())%len(api.Table)]
	b := frameOf(minimal(e.Key, e.Min+int16(s.byte())%(e.Max-e.Min+1), topicID), int32(s.byte()))
	if how%4 == 3 { // and what the length of an array or a string may be
		at := int(s.byte())
		for _, c := range s.chunk() {
			b[at%len(b)] = c
			at++
		}
	}
	if cut := int(s.byte()); how&16 != 0 && cut < len(b) {
		b = b[:cut]
	}
	return b
}

// mended makes the records of a frame pass their CRC, where there is a batch, so that more than the check is reached.
func mended(b []byte) []byte {
	for i := 0; i+61 <= len(b); i++ {
		if n := int(int32(binary.BigEndian.Uint32(b[i+8:]))) + 12; b[i+16] == 2 && n >= 61 && i+n <= len(b) {
			records.View(b[i : i+n]).SetCRC()
			return b
		}
	}
	return b
}

func (c *stranger) sends(frame []byte) {
	if c.closed {
		return
	}
	key := int16(-1)
	if len(frame) >= 2 {
		key = int16(binary.BigEndian.Uint16(frame))
	}
	c.sent += len(frame)
	if key != link.KeyStream && key != link.KeyFounding {
		c.asked = append(c.asked, expect(frame))
	}
	c.pending = append(c.pending, frame)
	c.feed()
}

// takes reads whole answers: each is to the oldest frame that has none.
func (c *stranger) takes(t *testing.T) {
	for len(c.bytes) >= 4 {
		size := int(int32(binary.BigEndian.Uint32(c.bytes)))
		if size < 4 || len(c.bytes) < 4+size {
			if size < 4 {
				t.Fatalf("%s: an answer of %d bytes", c.name, size)
			}
			return
		}
		corr := int32(binary.BigEndian.Uint32(c.bytes[4:]))
		for len(c.asked) > 0 && c.asked[0].corr != corr && c.asked[0].silent {
			c.asked = c.asked[1:]
		}
		if len(c.asked) == 0 || c.asked[0].corr != corr {
			t.Fatalf("%s: an answer to %d; asked are %+v", c.name, corr, c.asked)
		}
		if most := 256<<10 + 2048*c.asked[0].size; size > most {
			t.Fatalf("%s: an answer of %d bytes to a frame of %d", c.name, size, c.asked[0].size)
		}
		c.asked, c.bytes, c.got = c.asked[1:], c.bytes[4+size:], c.got+size
	}
}

// A shard takes any frames from many connections: it never panics, answers each in turn or closes the connection, says and keeps no more than what it
// was sent allows, and comes to rest.
func FuzzShard(f *testing.F) {
	for i := range api.Table { // each API once, whole, and once with bytes changed
		f.Add([]byte{8, 0, 2, byte(i), 255, 1, 0, 8, 1, 3, byte(i), 0, 2, 30, 4, 255, 255, 255, 255, 0})
	}
	f.Add([]byte{8, 0, 0, 3, 0, 0, 0, 8, 1, 1, 3, 9, 1, 4, 255, 255, 255, 255})
	f.Add([]byte{5, 1, 6, 0, 8, 2, 2, 0, 11, 4, 0, 4, 9, 7})
	var before, after runtime.MemStats
	f.Fuzz(func(t *testing.T, b []byte) {
		runtime.ReadMemStats(&before)
		shards := 1 + len(b)%2
		n := bootNode(t, newMemDisk(), shards, "disk.reserve.bytes=0", "group.initial.rebalance.delay.ms=0")
		n.steps = 4_800_000
		admin := n.connect(0)
		n.mustCreate(admin, "t", 3)
		admin.ask(findGroup("g"))
		n.wait(10 * clock.Millisecond)
		id := n.shards[0].s.state.Image.TopicByName("t").ID
		var all []*stranger
		dial := func(shard int) *stranger {
			c := &stranger{client: n.connect(shard % shards)}
			c.raw = true
			all = append(all, c)
			return c
		}
		for i := range 4 {
			dial(i)
		}
		s := &strangers{b[:min(len(b), 2000)]}
		for len(s.b) > 0 {
			c := all[int(s.byte()>>4)%len(all)]
			switch how := s.byte(); s.byte() % 8 {
			case 5:
				c.close()
				if len(all) < 12 {
					dial(int(how))
				}
			case 6:
				n.pass(n.now.Mono.Add(clock.MS(int64(how) * 4)))
				n.run()
			case 7:
				n.run()
			default:
				c.sends(mended(s.frame(how, id)))
			}
			for range int(len(s.b)) % 5 {
				n.once()
			}
		}
		n.wait(20 * clock.Second)
		for _, c := range all {
			c.takes(t)
			if !c.closed && len(c.asked) > 0 && !slices.ContainsFunc(c.asked, func(x expected) bool { return x.patient || x.silent }) {
				t.Fatalf("%s is open, and nobody answers %+v: %v", c.name, c.asked, n.log)
			}
			c.close()
		}
		rest(t, n)
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; made > 256<<20 {
			t.Fatalf("%d MiB were allocated for %d bytes", made>>20, len(b))
		}
	})
}

// rest checks that nothing is left of strangers once they are gone.
func rest(t *testing.T, n *node) {
	for _, c := range n.conns {
		c.close()
	}
	n.wait(clock.Second)
	for i, x := range n.shards {
		if k := x.s.state.Pending(); k != 0 {
			t.Fatalf("shard %d: %d requests are left", i, k)
		}
	}
	if n.fatal != "" {
		t.Fatalf("the broker gives up: %s", n.fatal)
	}
	if !n.stop() {
		t.Fatalf("the node does not stop: %v", n.log)
	}
}
