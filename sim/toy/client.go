package toy

import (
	"encoding/binary"
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
)

// Client appends values of its own and, once the run is healed, reads everything back: what was acknowledged must be there, once or more
// (an append whose answer was lost is sent again), at the position that the answer named.
type Client struct {
	ID     int
	Shards int
	Nodes  int
	Count  int // appends
	Errs   *[]string
	Size   int // payload, at most

	net   client.Net
	conn  uint64
	open  bool
	seq   uint64
	value int
	acked map[uint64]map[int64]int // by shard, by position: value
	busy  bool
	asked []byte
	shard uint64 // of the request under way
	heal  bool
	reads []read
	done  bool
	Acks  int
	Reads int
	timer uint64
}

type read struct {
	shard uint64
	pos   int64
	value int
}

const patience = 2 * clock.Second

// Start begins to dial.
func (c *Client) Start(n client.Net) {
	c.net, c.acked = n, map[uint64]map[int64]int{}
	c.dial()
}

func (c *Client) dial() {
	c.open = false
	c.conn = c.net.Dial(c.net.Rand().Intn(c.Nodes))
}

// Opened sends what was under way once more, or goes on.
func (c *Client) Opened(conn uint64) {
	if conn != c.conn {
		return
	}
	c.open = true
	c.next()
}

// Closed dials again after a while.
func (c *Client) Closed(conn uint64) {
	if conn == c.conn {
		c.open = false
		c.arm(clock.Duration(c.net.Rand().Between(10, 200)) * clock.Millisecond)
	}
}

func (c *Client) arm(d clock.Duration) {
	c.timer++
	c.net.At(c.net.Now().Add(d), c.timer)
}

// Timer gives up waiting: a new connection, the same request.
func (c *Client) Timer(tag uint64) {
	if tag != c.timer || c.done {
		return
	}
	if c.open {
		c.net.Close(c.conn)
	}
	c.dial()
}

// Healed begins the reading back.
func (c *Client) Healed() {
	c.heal = true
	if c.open && !c.busy {
		c.next()
	}
}

// Done and Waiting are for the liveness phase.
func (c *Client) Done() bool { return c.done }

// Waiting says what is missing.
func (c *Client) Waiting() string {
	return fmt.Sprintf("toy client %d: value %d of %d, %d reads left, busy=%v open=%v", c.ID, c.value, c.Count, len(c.reads), c.busy, c.open)
}

// MayRepeat lets every request be repeated: a second copy of a record is allowed here.
func (c *Client) MayRepeat([]byte) bool { return true }

func (c *Client) next() {
	if !c.busy {
		c.asked = c.choose()
	}
	if c.asked == nil {
		return
	}
	c.busy = true
	c.net.Send(c.conn, c.asked)
	c.arm(patience)
}

// choose gives the next request, or nil if there is none now.
func (c *Client) choose() []byte {
	c.seq++
	if c.value < c.Count {
		c.shard = c.net.Rand().Uint64() % uint64(c.Shards)
		id := c.shard + uint64(c.Shards)*(c.seq<<8|uint64(c.ID))
		b := head('A', id)
		b = append(b, fmt.Sprintf("v%d.%d.", c.ID, c.value)...)
		for n := c.net.Rand().Intn(c.Size + 1); n > 0; n-- {
			b = append(b, byte('a'+n%26))
		}
		return b
	}
	if !c.heal {
		return nil
	}
	if c.reads == nil {
		c.reads = []read{}
		for s := uint64(0); s < uint64(c.Shards); s++ {
			for pos, v := range c.acked[s] {
				c.reads = append(c.reads, read{s, pos, v})
			}
		}
		sortReads(c.reads)
	}
	if len(c.reads) == 0 {
		c.done = true
		return nil
	}
	r := c.reads[0]
	c.shard = r.shard
	id := c.shard + uint64(c.Shards)*(c.seq<<8|uint64(c.ID))
	return binary.BigEndian.AppendUint64(head('R', id), uint64(r.pos))
}

func head(op byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{op}, id)
}

// Frame is an answer.
func (c *Client) Frame(conn uint64, b []byte) {
	if conn != c.conn || !c.busy || len(b) < 17 || string(b[1:9]) != string(c.asked[1:9]) {
		return
	}
	c.busy = false
	c.timer++
	pos := int64(binary.BigEndian.Uint64(b[9:]))
	if b[0] == 'A' {
		if c.acked[c.shard] == nil {
			c.acked[c.shard] = map[int64]int{}
		}
		c.acked[c.shard][pos] = c.value
		c.value++
		c.Acks++
		if c.net.Rand().Permille(300) {
			c.open = true
			c.arm(clock.Duration(c.net.Rand().Between(1, 300)) * clock.Millisecond)
			return
		}
	} else {
		c.check(c.reads[0], pos, b[17:])
		c.reads = c.reads[1:]
	}
	c.next()
}

func (c *Client) check(r read, pos int64, b []byte) {
	c.Reads++
	want := fmt.Sprintf("v%d.%d.", c.ID, r.value)
	if pos == r.pos && len(b) >= headerSize+len(want) && string(b[headerSize:headerSize+len(want)]) == want {
		return
	}
	if len(b) > 60 {
		b = b[:60]
	}
	*c.Errs = append(*c.Errs, fmt.Sprintf("%q at %d of shard %d|position %d, %q", want, r.pos, r.shard, pos, b))
}
