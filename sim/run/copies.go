package run

import (
	"slices"
	"strconv"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
)

// copies is the part of the fault ledger that says which records a cluster may lose: those of which more than min.insync.replicas-1 copies
// are destroyed at one time. A copy is destroyed by a loss of power that takes what was not synced (flush.policy=os), by a disk that lied,
// rotted, was wiped or rolled back; it is whole again once the log of its node reaches all that was ever committed, see heals.
type copies struct {
	j     *Judge
	nodes []map[string]int64 // by node: by key: from which offset on its copy may be gone
	top   map[string]int64   // by key: the highest high watermark that a leader ever had
	last  map[string]excused // by key: the last excuse
	least map[string]int     // by key: the fewest replicas that ever had to be in sync
	image *metadata.Image    // whose settings least knows
	p     oracle.Partition
}

// excused is what an excuse speaks of: offsets from at on, below top.
type excused struct{ at, top int64 }

func newCopies(j *Judge) *copies {
	c := &copies{j: j, top: map[string]int64{}, last: map[string]excused{}, least: map[string]int{}}
	for range j.c.Nodes() {
		c.nodes = append(c.nodes, map[string]int64{})
	}
	return c
}

// stepped looks at all partitions that the oracles look at now: a copy that has caught up is whole. A leader that still has what was excused
// shows it, so that the next loss of it must be excused again: both must see that in the same step.
//
//	ISR [1 3], 3 loses power: excuse ─▶ 1 goes on and shows it ─▶ 1 stops; 3, which nobody has missed, leads: excuse again
func (c *copies) stepped() {
	c.configured()
	for node, holes := range c.nodes {
		c.j.view.eachTouched(node, func(i int) {
			c.j.view.Partition(node, i, &c.p)
			if !c.p.Online {
				return
			}
			k := history.Key(c.p.Topic, c.p.Partition)
			if c.p.Leader {
				c.leads(k, holes)
				c.top[k] = max(c.top[k], c.p.HW)
			}
			c.heals(node, k)
		})
	}
}

// heals looks whether a copy is whole again. Under os it is not before it is in sync: its unclean end has taken it out of ISR and ELR, so that
// what it has counts for no election (KIP-966).
func (c *copies) heals(node int, key string) {
	if _, ok := c.nodes[node][key]; !ok || c.p.Written < c.top[key] {
		return
	}
	if img := c.j.view.Image(); img != nil && c.j.plan.Flush == "os" {
		t := img.TopicByID(c.p.TopicID)
		if t == nil || t.Partition(c.p.Partition) == nil || !slices.Contains(t.Partition(c.p.Partition).ISR, int32(node+1)) {
			return
		}
	}
	delete(c.nodes[node], key)
}

// leads follows a leader: with a copy that is not whole what was excused is gone, though another leader has shown it since. What was committed
// beyond that was so without this copy, and is not excused.
func (c *copies) leads(key string, holes map[string]int64) {
	x := c.last[key]
	if _, ok := holes[key]; !ok || c.p.Written >= c.top[key] || c.top[key] <= x.at || c.top[key] > x.top {
		return
	}
	c.j.note(history.Op{Kind: history.Excuse, Key: key, Offset: x.at, HW: x.top})
	c.top[key] = x.at
}

// whole stands for a copy of which nothing is gone, but whose node ended uncleanly.
const whole = int64(1 << 62)

// crashing notes what the end of a node's process destroys, and writes into the history what may be gone for ever.
func (c *copies) crashing(node int, power bool, known map[string]int64) {
	os := c.j.plan.Flush == "os"
	if !power && !os {
		return
	}
	// After a lying sync there may be holes anywhere.
	all := c.j.lied[node] || c.j.gone[node] || c.j.c.Ledger().Any(node, fault.D5)
	if !all && !os {
		return
	}
	for n := range c.nodes { // some may be in sync by now without having told
		for i := range c.j.view.Partitions(n) {
			if c.j.view.Partition(n, i, &c.p); c.p.Online {
				c.heals(n, history.Key(c.p.Topic, c.p.Partition))
			}
		}
	}
	for _, k := range sorted(known) {
		from := known[k]
		if !power {
			from = whole
		} else if all {
			from = 0
			c.j.note(history.Op{Kind: history.Copy, Key: k, Member: history.NodeName(node)})
		}
		if was, ok := c.nodes[node][k]; ok {
			from = min(from, was)
		}
		c.nodes[node][k] = from
		c.excuse(k)
	}
}

// excuse notes from which offset on more than min.insync.replicas-1 copies are destroyed, if so many are.
func (c *copies) excuse(key string) {
	var from []int64
	for _, holes := range c.nodes {
		if o, ok := holes[key]; ok {
			from = append(from, o)
		}
	}
	slices.Sort(from)
	need := max(1, c.least[key])
	if len(from) < need {
		return
	}
	at := from[need-1]
	if c.j.plan.Flush == "os" { // whoever ends uncleanly leaves the ELR, whatever it has kept (I:I3)
		at = from[0]
	}
	if at < c.top[key] {
		c.last[key] = excused{at, c.top[key]}
		c.j.note(history.Op{Kind: history.Excuse, Key: key, Offset: at, HW: c.top[key]})
		c.top[key] = at
	}
}

// configured learns how many replicas must be in sync. What was committed while it were fewer may have fewer copies.
func (c *copies) configured() {
	img := c.j.view.Image()
	if img == nil || img == c.image {
		return
	}
	c.image = img
	for _, t := range img.Topics() {
		n := minISR(img, t.Name)
		for i := range t.Partitions {
			k, need := history.Key(t.Name, int32(i)), t.Partitions[i].RequiredISR(n)
			if was, ok := c.least[k]; !ok || need < was {
				c.least[k] = need
			}
		}
	}
}

// minISR is min.insync.replicas of a topic.
func minISR(img *metadata.Image, topic string) int32 {
	v, ok := img.ConfigsOf(metadata.ResourceTopic, topic).Get("min.insync.replicas")
	if !ok {
		v, ok = img.ConfigsOf(metadata.ResourceBroker, "").Get("min.insync.replicas")
	}
	least := 1
	if ok {
		least, _ = strconv.Atoi(v)
	}
	return int32(least)
}
