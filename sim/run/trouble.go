package run

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// trouble knows which nodes may take themselves for leaders that are none any more, and so serve what is over: it writes into the history
// for which partitions (verification.md, "Strong and weak reads").
//
//	sound ──paused, cut off, clock out of time──▶ troubled ──over for settleTime──▶ sees all that was decided until then ──▶ sound
//
// What a node in trouble believes of itself counts, shard by shard, as long as its process lives: a new one leads nothing.
type trouble struct {
	j     *Judge
	nodes []troubled
	weak  map[string]int // by key: nodes in trouble that take themselves for its leader
	keys  []string       // scratch
}

type troubled struct {
	on    bool
	life  int
	over  clock.Time // when the fault ended; 0: it has not
	index int64      // of the image that each shard must have; -1: not known yet
	leads []map[string]bool
}

// settleTime is how long after its trouble a node may still be about to be deposed for it.
const settleTime = 2 * clock.Second

func newTrouble(j *Judge) *trouble {
	t := &trouble{j: j, weak: map[string]int{}}
	for range j.c.Nodes() {
		t.nodes = append(t.nodes, troubled{leads: make([]map[string]bool, j.plan.Shards)})
	}
	return t
}

// stepped looks at all nodes, and at what the shard that was stepped leads.
func (t *trouble) stepped(node, shard int) {
	for n := range t.nodes {
		t.look(n)
	}
	if t.nodes[node].on && shard < t.j.plan.Shards {
		t.leads(node, shard)
	}
}

func (t *trouble) look(n int) {
	x := &t.nodes[n]
	active := t.j.c.Troubled(n)
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
			if t.weak[k]++; t.weak[k] == 1 {
				t.j.note(history.Op{Kind: history.Weak, Key: k, Meta: "begin"})
			}
		}
	}
	for _, k := range sorted(was) {
		if !now[k] {
			if t.weak[k]--; t.weak[k] == 0 {
				t.j.note(history.Op{Kind: history.Weak, Key: k, Meta: "end"})
			}
		}
	}
}
