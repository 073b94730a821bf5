package anomaly

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// appended is one transaction: what it appended to partitions, and what its client was shown of the same partitions before it asked for the commit.
type appended struct {
	name   string
	client int
	writes []string
	reads  []string
	open   bool // its reads are
	commit bool
}

// transactionsOf gathers the transactions of a history that were committed, or may have been, and the order of each partition's values as a last reading found it.
func transactionsOf(events []*history.Event) (all []*appended, order map[string][]string) {
	open := map[int]*appended{}
	order = map[string][]string{}
	reader := map[string]int32{}
	for _, e := range events {
		client := history.ClientOf(e.Process)
		t := open[client]
		for i := range e.Ops {
			switch o := &e.Ops[i]; {
			case o.Kind == history.Txn && e.Type == history.Invoke:
				if i == 0 {
					t = &appended{name: fmt.Sprintf("%s/%d", o.Member, e.I), client: client, open: true, commit: true}
					all, open[client] = append(all, t), t
				}
				t.writes = append(t.writes, strings.Fields(o.Meta)...)
			case o.Kind == history.Txn && t != nil:
				t.open, t.commit = false, e.Type != history.Fail
			case o.Kind == history.TxnCall && e.Type == history.Invoke && t != nil && (o.Meta == "commit" || o.Meta == "abort"):
				t.open = false // what is read from here on may be of transactions that came after it
			case o.Kind == history.Seen:
				values := strings.Fields(o.Meta)
				if t != nil && t.open {
					t.reads = append(t.reads, values...)
				}
				if o.Member != "final" {
					continue
				}
				if p, ok := reader[o.Key]; !ok || p == e.Process {
					reader[o.Key] = e.Process
					order[o.Key] = append(order[o.Key], values...)
				}
			}
		}
	}
	return slices.DeleteFunc(all, func(t *appended) bool { return !t.commit }), order
}

// graph is who must come before whom.
type graph struct {
	all   []*appended
	edges [][]int
	n     int64
}

func (g *graph) edge(from, to int) {
	if from != to && !slices.Contains(g.edges[from], to) {
		g.edges[from] = append(g.edges[from], to)
	}
	g.n++
}

// dependencies draws the edges. ww: of two neighbours in a partition the first was written first. wr: what was read was written before.
func dependencies(all []*appended, order map[string][]string, ww, wr bool) *graph {
	g := &graph{all: all, edges: make([][]int, len(all))}
	writer := map[string]int{}
	for i, t := range all {
		for _, v := range t.writes {
			writer[v] = i
		}
	}
	if ww {
		for _, k := range keysOf(order) {
			before := -1
			for _, v := range order[k] {
				if w, ok := writer[v]; ok {
					if before >= 0 {
						g.edge(before, w)
					}
					before = w
				}
			}
		}
	}
	if wr {
		for i, t := range all {
			for _, v := range t.reads {
				if w, ok := writer[v]; ok {
					g.edge(w, i)
				}
			}
		}
	}
	return g
}

func keysOf(m map[string][]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// cycles gives one cycle, a shortest, of each part of the graph that has any.
func (g *graph) cycles() (found [][]int) {
	in := make([]bool, len(g.edges)) // in a cycle that was found
	on := g.cyclic()
	for v := range g.edges {
		if on[v] && !in[v] {
			c := g.around(v, on)
			for _, w := range c {
				in[w] = true
			}
			if len(c) > 0 {
				found = append(found, c)
			}
		}
	}
	return found
}

// cyclic takes away again and again what nothing leads to, or from: of what is left, each cycle is a part.
func (g *graph) cyclic() []bool {
	on, into := make([]bool, len(g.edges)), make([]int, len(g.edges))
	for v := range g.edges {
		on[v] = true
		for _, w := range g.edges[v] {
			into[w]++
		}
	}
	var free []int
	for v := range g.edges {
		if into[v] == 0 {
			free = append(free, v)
		}
	}
	for len(free) > 0 {
		v := free[len(free)-1]
		free, on[v] = free[:len(free)-1], false
		for _, w := range g.edges[v] {
			if into[w]--; into[w] == 0 {
				free = append(free, w)
			}
		}
	}
	return on
}

// around finds a shortest way from a vertex back to itself.
func (g *graph) around(start int, on []bool) []int {
	from := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, w := range g.edges[v] {
			if w == start {
				way := []int{v}
				for ; v != start; v = from[v] {
					way = append(way, from[v])
				}
				slices.Reverse(way)
				return way
			}
			if _, ok := from[w]; on[w] && !ok {
				from[w] = v
				queue = append(queue, w)
			}
		}
	}
	return nil
}

func (g *graph) report(r *Result) {
	r.Checked += g.n
	for _, c := range g.cycles() {
		var names []string
		for _, v := range append(c, c[0]) {
			names = append(names, g.all[v].name)
		}
		r.fault("%s", strings.Join(names, " before "))
	}
}

// circularRead (G1c without ww): transactions have read of each other what none of them can have committed before.
func circularRead(x *index, r *Result) {
	all, order := transactionsOf(x.events)
	dependencies(all, order, false, true).report(r)
}

// circularWrite (G0): transactions stand in different orders in different partitions. Nothing isolates writes in Kafka.
func circularWrite(x *index, r *Result) {
	all, order := transactionsOf(x.events)
	dependencies(all, order, true, false).report(r)
}

// circularFlow (G1c): both together. As legal as G0 is.
func circularFlow(x *index, r *Result) {
	all, order := transactionsOf(x.events)
	dependencies(all, order, true, true).report(r)
}
