package client

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// ConsumerConfig says what a consumer by assignment does.
type ConsumerConfig struct {
	ID     int         `json:"id"`
	Node   int         `json:"node"`
	Topics []string    `json:"topics"`
	Fetch  FetchConfig `json:"fetch"`
	SeekMS int64       `json:"seek_ms,omitempty"` // now and then it goes back to read again; 0: never
	Final  bool        `json:"final,omitempty"`   // after healing it reads everything from the start once more
}

// Consumer reads all partitions of its topics by assignment.
//
//	following ──no writer left──▶ final: from the start (or from where it stands) to the end as ListOffsets tells it ──▶ done
type Consumer struct {
	base
	cfg    ConsumerConfig
	f      fetcher
	topics []topicInfo
	seekAt clock.Time
	final  bool
	asking bool
	done   bool
}

// NewConsumer makes a consumer.
func NewConsumer(cfg ConsumerConfig, sh *Shared) *Consumer {
	return &Consumer{base: base{id: cfg.ID, sh: sh}, cfg: cfg}
}

// Start implements Client.
func (c *Consumer) Start(n Net) {
	c.start(n, "consumer")
	c.onWork, c.onTick, c.onLead = c.work, c.tick, c.work
	c.seekAt = n.Now().Add(clock.MS(c.cfg.SeekMS))
	c.f = fetcher{b: &c.base, cfg: c.cfg.Fetch, low: 4, after: c.fetched}
	c.f.link = c.newLink(c.cfg.Node, c.opened, func() {})
}

func (c *Consumer) opened() {
	c.askTopics(c.f.link, c.cfg.Topics, func(ts []topicInfo) {
		if c.done { // what was added since nobody reads
			return
		}
		c.adopt(ts)
		c.work()
	})
}

// adopt takes partitions in: at first all of them, later only ids and those that were added.
func (c *Consumer) adopt(ts []topicInfo) {
	first := c.topics == nil
	c.topics = ts
	var pos []*position
	var keys []string
	for i := range ts {
		t := &ts[i]
		for p := 0; p < t.parts; p++ {
			at := c.f.byKey(t.keys[p])
			if at == nil {
				at = &position{part: int32(p), key: t.keys[p], end: -1, hw: -1, start: -1}
			}
			at.topic = t
			pos = append(pos, at)
			keys = append(keys, at.key)
		}
	}
	if first || len(pos) != len(c.f.pos) {
		c.sh.Rec.Record(&history.Event{Process: c.process(2), Type: history.Info, F: "assign", Keys: keys})
	}
	c.f.assign(pos)
}

func (c *Consumer) work() {
	if c.done || c.asking || c.turning() && c.f.busy {
		return
	}
	if c.final && c.unknownEnds() {
		c.askEnds()
		return
	}
	c.f.fetch()
}

// fetched goes on after each fetch, after a pause.
func (c *Consumer) fetched() {
	c.turn()
	if c.final {
		c.checkEnd()
	}
	c.after(c.jitter(clock.MS(max(c.f.cfg.PauseMS, 1))), timerWork)
}

func (c *Consumer) tick() {
	if !c.f.busy {
		c.turn()
	}
	c.work()
}

// turning says that the consumer wants to change direction: no fetch is begun until all that are under way have ended.
func (c *Consumer) turning() bool {
	return c.healed && !c.final && c.sh.Writers == 0 && c.topics != nil || c.cfg.SeekMS > 0 && !c.final && c.n.Now() >= c.seekAt
}

// turn changes direction, between two fetches only. The final reading is of all partitions that anybody knows of.
func (c *Consumer) turn() {
	if c.f.busy {
		return
	}
	if c.healed && !c.final && c.sh.Writers == 0 && c.topics != nil {
		if c.sh.behind(c.topics) {
			c.stale()
			return
		}
		c.beginFinal()
	}
	if c.cfg.SeekMS > 0 && !c.final && c.n.Now() >= c.seekAt {
		c.seekAt = c.n.Now().Add(c.jitter(clock.MS(c.cfg.SeekMS)))
		c.seek()
	}
}

// seek goes back somewhere: what is read a second time must be what was read first.
func (c *Consumer) seek() {
	for _, p := range c.f.pos {
		if lo := max(p.start, 0); p.next > lo && c.rnd.Permille(500) {
			p.move(lo + c.rnd.Int63n(p.next-lo))
		}
	}
	c.reassigned()
}

func (c *Consumer) reassigned() {
	keys := make([]string, len(c.f.pos))
	for i, p := range c.f.pos {
		keys[i] = p.key
	}
	c.sh.Rec.Record(&history.Event{Process: c.process(2), Type: history.Info, F: "seek", Keys: keys})
}

func (c *Consumer) beginFinal() {
	c.final = true
	for _, p := range c.f.pos {
		p.end = -1
		if c.cfg.Final {
			p.move(max(p.start, 0))
		}
	}
	c.reassigned()
}

func (c *Consumer) unknownEnds() bool {
	for _, p := range c.f.pos {
		if p.end < 0 {
			return true
		}
	}
	return false
}

func (c *Consumer) askEnds() {
	if !c.f.link.open() {
		return
	}
	c.asking = true
	pos := c.f.pos
	c.f.ends(pos, 3, func(found []int64) {
		c.asking = false
		for i := range found {
			pos[i].end = found[i]
		}
		if found != nil {
			c.checkEnd()
		}
		c.after(c.jitter(50*clock.Millisecond), timerWork)
	})
}

func (c *Consumer) checkEnd() {
	if c.done || c.unknownEnds() {
		return
	}
	for _, p := range c.f.pos {
		if p.next < p.end {
			return
		}
	}
	c.done = true
	for _, p := range c.f.pos {
		c.note(4, history.Op{Kind: history.CaughtUp, Key: p.key, Offset: p.next})
	}
}

// Healed implements Healer.
func (c *Consumer) Healed() {
	c.base.Healed()
	c.f.hurry()
}

// Done implements Settler.
func (c *Consumer) Done() bool { return c.done }

// Waiting implements Settler.
func (c *Consumer) Waiting() string {
	s := fmt.Sprintf("%s: final=%v", c.name, c.final)
	for _, p := range c.f.pos {
		if p.end < 0 || p.next < p.end {
			s += fmt.Sprintf(" %s at %d of %d", p.key, p.next, p.end)
		}
	}
	return s
}
