package run

import (
	"slices"
	"strconv"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
)

// copies is the part of the fault ledger that says which records a cluster may lose: those of which more than min.insync.replicas-1 copies
// are destroyed at one time. A copy is destroyed by a loss of power that takes what was not synced (flush.policy=os), by a disk that lied,
// rotted, was wiped or rolled back; it is whole again once the log of its node reaches all that its leader has, and is in the ISR.
type copies struct {
	j       *Judge
	nodes   []map[string]int64 // by node: by key: from which offset on its copy may be gone
	top     map[string]int64   // by key: the highest high watermark that a leader ever had
	leaders map[string]leading // by key
	last    map[string]excused // by key: the last excuse
	least   map[string]int     // by key: the fewest replicas that ever had to be in sync
	image   *metadata.Image    // as it was in the last step
	p       oracle.Partition
}

// leading is what the last leader of a partition has shown.
type leading struct {
	id    [16]byte // of the topic
	epoch int32
	end   int64 // written
	image int64 // the newest when the epoch began
}

// excused is what an excuse speaks of: offsets from at on, below top.
type excused struct{ at, top int64 }

func newCopies(j *Judge) *copies {
	c := &copies{j: j, top: map[string]int64{}, leaders: map[string]leading{}, last: map[string]excused{}, least: map[string]int{}}
	for range j.c.Nodes() {
		c.nodes = append(c.nodes, map[string]int64{})
	}
	return c
}

// stepped looks at the partitions whose state changed: a copy that has caught up is whole. While too many are destroyed, a record may be lost
// with any change of who leads, also one that was committed since.
func (c *copies) stepped(node int) {
	if img := c.j.view.Image(); img != c.image {
		c.image = img
		c.configured()
		for _, holes := range c.nodes {
			for _, k := range sorted(holes) {
				if holes[k] == 0 {
					c.excuse(k)
				}
			}
		}
	}
	c.j.view.eachTouched(node, func(i int) {
		c.j.view.Partition(node, i, &c.p)
		if !c.p.Online {
			return
		}
		k := history.Key(c.p.Topic, c.p.Partition)
		if c.p.Leader {
			c.leads(node, k)
			c.led(k)
		}
		l := c.leaders[k]
		if _, ok := c.nodes[node][k]; ok && c.p.TopicID == l.id && c.p.Epoch == l.epoch && c.p.Written >= l.end && c.known(l.image) && !c.j.rotten[node] && c.elects(node) {
			delete(c.nodes[node], k)
		}
	})
}

// elects says whether what a copy has counts for elections. Under os it does not before it is in sync again: its unclean end has taken it out of
// ISR and ELR (KIP-966).
func (c *copies) elects(node int) bool {
	if c.j.plan.Flush != "os" || c.image == nil {
		return true
	}
	t := c.image.TopicByID(c.p.TopicID)
	return t != nil && t.Partition(c.p.Partition) != nil && slices.Contains(t.Partition(c.p.Partition).ISR, int32(node+1))
}

// leads follows a leader. With a copy that is not whole what was excused is gone, though the leader before it, which the crash did not concern,
// has shown it since, or goes on showing it where it does not hear of the election; what was committed beyond that was so without this copy,
// and is not excused.
//
//	ISR [1 3], 3 loses power: excuse ─▶ 1 goes on and shows it ─▶ 1 stops; 3, which nobody has missed, leads: excuse again
//	                                    or 2 does, which was not in sync, since 3 is back and has less
func (c *copies) leads(node int, key string) {
	x := c.last[key]
	if _, ok := c.nodes[node][key]; (ok || c.rash()) && c.p.Epoch > c.leaders[key].epoch && x.at < x.top && c.top[key] <= x.top {
		c.j.note(history.Op{Kind: history.Excuse, Key: key, Generation: c.p.Epoch, Offset: x.at, HW: x.top})
	}
}

// rash says whether the leader was not in sync when it was elected.
func (c *copies) rash() bool {
	t := c.image.TopicByID(c.p.TopicID)
	if t == nil || t.Partition(c.p.Partition) == nil {
		return false
	}
	p := t.Partition(c.p.Partition)
	return p.Recovering && p.LeaderEpoch == c.p.Epoch
}

// known says whether every node that runs goes by an image at least: nobody takes itself for the leader that was before.
func (c *copies) known(index int64) bool {
	for n := range c.nodes {
		if c.j.c.Running(n) && c.j.view.slowest(n) < index {
			return false
		}
	}
	return true
}

// led takes in what a leader shows.
func (c *copies) led(k string) {
	l, known := c.leaders[k]
	switch {
	case known && l.id != c.p.TopicID:
		if c.image == nil || c.image.TopicByID(c.p.TopicID) == nil || c.image.TopicByID(l.id) != nil {
			return
		}
		for _, holes := range c.nodes { // of a topic that is gone
			delete(holes, k)
		}
		delete(c.top, k)
		known = false
	case known && c.p.Epoch < l.epoch:
		return
	}
	if !known || c.p.Epoch > l.epoch {
		l = leading{id: c.p.TopicID, epoch: c.p.Epoch, image: c.image.Index()}
	}
	l.end = c.p.Written
	c.leaders[k] = l
	c.top[k] = max(c.top[k], c.p.HW)
}

// whole stands for a copy of which nothing is gone, but whose node ended uncleanly.
const whole = int64(1 << 62)

// crashing notes what the end of a node's process destroys, and writes into the history what may be gone for ever. Under os that is also what
// the process had not opened yet: nothing of it is gone, but nobody knows.
func (c *copies) crashing(node int, power bool, known map[string]int64) {
	os := c.j.plan.Flush == "os"
	rotten := c.j.rotten[node]
	if !power && !os && !rotten {
		return
	}
	// After a lying sync there may be holes anywhere.
	all := rotten || c.j.lied[node] || c.j.gone[node]
	if !all && !os {
		return
	}
	if all && (power || rotten) {
		c.destroyed(node, known)
		return
	}
	c.placed(node, known, whole)
	for _, k := range sorted(known) {
		from := known[k]
		if !power {
			from = whole
		}
		if was, ok := c.nodes[node][k]; ok {
			from = min(from, was)
		}
		c.nodes[node][k] = from
		c.excuse(k)
	}
}

// destroyed notes that nothing is sure any more of what a node has: of known, and of what the image says.
func (c *copies) destroyed(node int, known map[string]int64) {
	how := ""
	if c.j.rotten[node] {
		how = history.Rotten
	}
	c.j.note(history.Op{Kind: history.Copy, Member: history.NodeName(node), Meta: how})
	c.placed(node, known, 0)
	for _, k := range sorted(known) {
		c.nodes[node][k] = 0
		c.excuse(k)
	}
}

// unsure notes that nobody counts on some copies of a node any more, though nothing of them is gone: the controller takes them out of every list
// of who may lead. at is from where on it may elect somebody who has less.
func (c *copies) unsure(node int, keys []string, at int64) {
	for _, k := range keys {
		if was, ok := c.nodes[node][k]; !ok || at < was {
			c.nodes[node][k] = at
		}
		c.excuse(k)
	}
}

// exchanged notes that what a node has of some partitions is gone: the disk of one of its log directories was replaced.
func (c *copies) exchanged(node int, keys []string) {
	for _, k := range keys {
		c.j.note(history.Op{Kind: history.Copy, Member: history.NodeName(node), Key: k})
		c.nodes[node][k] = 0
		c.excuse(k)
	}
}

// placed adds what a node has by the image: its process may have ended before it opened that. at is from where on it may be gone.
func (c *copies) placed(node int, known map[string]int64, at int64) {
	img := c.j.view.Image()
	if img == nil {
		return
	}
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			k := history.Key(t.Name, int32(i))
			if _, ok := known[k]; !ok && slices.Contains(t.Partitions[i].Replicas, int32(node+1)) {
				known[k] = at
			}
		}
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
	}
}

// configured learns how many replicas must be in sync. What was committed while it were fewer may have fewer copies.
func (c *copies) configured() {
	img := c.image
	if img == nil {
		return
	}
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
