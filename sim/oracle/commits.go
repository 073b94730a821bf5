package oracle

import "github.com/seedlog/seedlog/sim/history"

// commits: a group is never told an offset below one whose commit was acknowledged before it asked (I:G7), unless a commit of unknown
// outcome, which may arrive late, explains it.
type commits struct {
	quiet
	g     *ghosts
	floor map[string]int64
	late  map[string][]int64
	asked map[int32][]int64 // by process: floors when its read began
}

// maxLate bounds the memory of commits of unknown outcome per key; beyond it the key is no longer judged here (M3 still does).
const maxLate = 1000

func (c *commits) Name() string { return "I:G7" }

func (c *commits) Event(e *history.Event) error {
	if c.floor == nil {
		c.floor, c.late, c.asked = map[string]int64{}, map[string][]int64{}, map[int32][]int64{}
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Excuse:
			if topic, _ := history.SplitKey(o.Key); o.Key == "" || topic == "__consumer_offsets" {
				clear(c.floor)
				clear(c.asked)
			}
		case o.Kind == history.Commit && (e.Type != history.OK || !c.g.stale[e.Process]):
			c.commit(e, o)
		case o.Kind == history.FetchOffsets && e.Type == history.Invoke:
			if i == 0 {
				c.asked[e.Process] = c.asked[e.Process][:0]
			}
			c.asked[e.Process] = append(c.asked[e.Process], c.known(o.Key))
		case o.Kind == history.FetchOffsets && e.Type == history.OK:
			if asked := c.asked[e.Process]; i < len(asked) {
				if err := c.told(e, o, asked[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *commits) known(key string) int64 {
	if f, ok := c.floor[key]; ok {
		return f
	}
	return history.NoOffset
}

// commit keeps what is open, or was given up, since that may take effect at any time: each once, as two may be of one offset.
func (c *commits) commit(e *history.Event, o *history.Op) {
	l := c.late[o.Key]
	switch {
	case len(l) >= maxLate:
	case e.Type == history.Invoke:
		c.late[o.Key] = append(l, o.Offset)
	case e.Type == history.OK || e.Type == history.Fail: // it is open no longer
		for i := len(l) - 1; i >= 0; i-- {
			if l[i] == o.Offset {
				c.late[o.Key] = append(l[:i], l[i+1:]...)
				break
			}
		}
	}
	if e.Type == history.OK {
		c.floor[o.Key] = max(c.known(o.Key), o.Offset)
	}
}

func (c *commits) told(e *history.Event, o *history.Op, floor int64) error {
	if c.g.facts.OffsetsExpire || len(c.late[o.Key]) >= maxLate {
		return nil
	}
	c.checks++
	if o.Offset >= floor || c.g.lagging(e, o.Key) {
		return nil
	}
	for _, l := range c.late[o.Key] {
		if l == o.Offset { // it has taken effect, and whoever is told goes on from there
			c.floor[o.Key] = min(c.known(o.Key), o.Offset)
			return nil
		}
	}
	return fail(c.Name(), o.Key+" committed offset", e.I, floor, o.Offset)
}
