package run

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// trouble knows which nodes may take themselves for leaders that are none any more, and so serve what is over: it writes into the history
// for which partitions (verification.md, "Strong and weak reads").
//
//	sound ──paused, cut off, clock out of time, disk late──▶ troubled ──over for settleTime──▶ sees all that was decided until then ──▶ sound
//
// What a node in trouble believes of itself counts, shard by shard, as long as its process lives: a new one leads nothing.
type trouble struct {
	j     *Judge
	nodes []troubled
	weak  map[string]int // by key: nodes in trouble that take themselves for its leader
	lag   map[string]int // by key: nodes that lead and whose high watermark lags
}

type troubled struct {
	on    bool
	life  int
	over  clock.Time        // when the fault ended; 0: it has not
	index int64             // of the image that each shard must have; -1: not known yet
	leads []map[string]bool // by shard: meanwhile
	lags  map[string]bool   // what it leads with a high watermark that lags
	rests map[string]bool   // what it has and does not lead
	rest  map[string]int    // the same, as numbers
	born  int               // the process that lags and rests are of
}

// settleTime is how long after its trouble a node may still be about to be deposed for it.
const settleTime = 2 * clock.Second

func newTrouble(j *Judge) *trouble {
	t := &trouble{j: j, weak: map[string]int{}, lag: map[string]int{}}
	for range j.c.Nodes() {
		t.nodes = append(t.nodes, troubled{leads: make([]map[string]bool, j.plan.Shards), lags: map[string]bool{}, rests: map[string]bool{}, rest: map[string]int{}})
	}
	return t
}

// stepped looks at all nodes, and at what the shard that was stepped leads.
func (t *trouble) stepped(node, shard int) {
	for n := range t.nodes {
		t.look(n)
	}
	if shard >= t.j.plan.Shards {
		return
	}
	if t.nodes[node].on {
		t.leads(node, shard)
	}
	x := &t.nodes[node]
	t.j.view.eachTouched(node, func(i int) {
		p := t.j.view.at(node, i)
		key := history.Key(p.Topic, p.Number)
		t.lagging(x.lags, t.lag, key, p.Lags(), "fetch")
		t.lagging(x.rests, x.rest, key, !p.IsLeader(), history.NodeName(node))
	})
}

// lagging follows what of one node makes fetches weak: of all nodes, or those from it.
func (t *trouble) lagging(mine map[string]bool, all map[string]int, key string, now bool, member string) {
	switch was := mine[key]; {
	case now && !was:
		mine[key] = true
		t.count(all, key, 1, member)
	case was && !now:
		delete(mine, key)
		t.count(all, key, -1, member)
	}
}

// count notes when the first node begins to be one of those and the last one ceases.
func (t *trouble) count(m map[string]int, key string, d int, member string) {
	m[key] += d
	switch {
	case d > 0 && m[key] == 1:
		t.j.note(history.Op{Kind: history.Weak, Key: key, Meta: "begin", Member: member})
	case m[key] == 0:
		t.j.note(history.Op{Kind: history.Weak, Key: key, Meta: "end", Member: member})
	}
}

func (t *trouble) look(n int) {
	x := &t.nodes[n]
	if life := t.j.c.Incarnation(n); x.born != life || !t.j.c.Running(n) {
		x.born = life
		for _, k := range sorted(x.lags) {
			t.lagging(x.lags, t.lag, k, false, "fetch")
		}
		for _, k := range sorted(x.rests) {
			t.lagging(x.rests, x.rest, k, false, history.NodeName(n))
		}
	}
	active := t.j.c.Troubled(n) || t.j.view.Stalled(n) // the quorum's log is written before a node follows what it says
	switch {
	case active && !x.on:
		x.on, x.life, x.over, x.index = true, t.j.c.Incarnation(n), 0, -1
		for s := range x.leads {
			t.leads(n, s)
		}
	case !x.on:
	case !t.j.c.Running(n) || t.j.c.Incarnation(n) != x.life:
		t.end(n)
	case active:
		x.over, x.index = 0, -1
	case x.over == 0:
		x.over = t.j.c.Now()
	case x.index < 0 && t.j.c.Now().Sub(x.over) > settleTime:
		x.index = -1
		if img := t.j.view.Image(); img != nil {
			x.index = img.Index()
		}
	case x.index >= 0 && t.j.view.slowest(n) >= x.index:
		t.end(n)
	}
}

func (t *trouble) end(n int) {
	x := &t.nodes[n]
	x.on = false
	for s := range x.leads {
		t.swap(x, s, nil)
	}
}

// leads takes in what a shard takes itself for the leader of.
func (t *trouble) leads(n, shard int) {
	x := &t.nodes[n]
	now := map[string]bool{}
	if st := t.j.view.state(n, shard); st != nil {
		for _, p := range st.Parts {
			if p.IsLeader() {
				now[history.Key(p.Topic, p.Number)] = true
			}
		}
	}
	t.swap(x, shard, now)
}

func (t *trouble) swap(x *troubled, shard int, now map[string]bool) {
	was := x.leads[shard]
	x.leads[shard] = now
	for _, k := range sorted(now) {
		if !was[k] {
			t.count(t.weak, k, 1, "")
		}
	}
	for _, k := range sorted(was) {
		if !now[k] {
			t.count(t.weak, k, -1, "")
		}
	}
}
