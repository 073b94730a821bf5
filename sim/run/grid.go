package run

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// gridCells is how many cells a grid has at most, maxGrids how many grids a report, maxGridReaders how many readers a grid.
const (
	gridCells      = 240
	maxGrids       = 48
	maxGridReaders = 24
)

// knowledge is what clients know of one partition's records.
type knowledge struct {
	at      map[int64]history.Value // by offset: as first seen
	told    map[history.Value]byte
	sent    []history.Value // in the order of their sending
	read    []history.Value // of committed, in the order of their reading
	isRead  map[history.Value]bool
	readers map[int]*reading
	order   []int // of readers: as they came
}

// reading is what one client saw of a partition.
type reading struct {
	spans  [][2]int64 // of offsets, as they came
	values map[history.Value]bool
	other  map[int64]bool // offsets at which it saw another value than the first
}

func newKnowledge() *knowledge {
	return &knowledge{at: map[int64]history.Value{}, told: map[history.Value]byte{}, isRead: map[history.Value]bool{}, readers: map[int]*reading{}}
}

func (k *knowledge) reader(process int32) *reading {
	c := history.ClientOf(process)
	r := k.readers[c]
	if r == nil {
		r = &reading{values: map[history.Value]bool{}, other: map[int64]bool{}}
		k.readers[c] = r
		k.order = append(k.order, c)
	}
	return r
}

// known gathers what clients know, by partition.
func known(events []*history.Event) map[string]*knowledge {
	all := map[string]*knowledge{}
	of := func(key string) *knowledge {
		k := all[key]
		if k == nil {
			k = newKnowledge()
			all[key] = k
		}
		return k
	}
	open := map[int32]*history.Event{} // transactions, by process
	for _, e := range events {
		for i := range e.Ops {
			switch o := &e.Ops[i]; o.Kind {
			case history.Send:
				of(o.Key).send(e, o)
			case history.Poll:
				if e.Type == history.OK {
					of(o.Key).poll(e, o)
				}
			case history.Seen:
				if o.Key != "" && o.Meta != "" && e.Process >= 0 {
					of(o.Key).committed(e, o)
				}
			case history.Txn:
				if e.Type == history.Invoke {
					of(o.Key).outcome(o, report.ToldOpen)
					open[e.Process] = e
				}
			}
		}
		if was := open[e.Process]; was != nil && e.F == was.F && e.Type != history.Invoke {
			delete(open, e.Process)
			if t, ok := map[history.Type]byte{history.OK: report.ToldCommitted, history.Fail: report.ToldAborted}[e.Type]; ok {
				for i := range was.Ops {
					of(was.Ops[i].Key).outcome(&was.Ops[i], t)
				}
			}
		}
	}
	return all
}

func (k *knowledge) send(e *history.Event, o *history.Op) {
	for _, r := range o.Records {
		was := k.told[r.Value]
		switch {
		case e.Type == history.OK && o.Acks == -1:
			k.told[r.Value] = report.ToldAll
		case e.Type == history.OK && was != report.ToldAll:
			k.told[r.Value] = report.ToldLeader
		case e.Type == history.Fail && was == report.ToldUnknown:
			k.told[r.Value] = report.ToldRefused
		case was == 0:
			k.told[r.Value] = report.ToldUnknown
			k.sent = append(k.sent, r.Value)
		}
		if e.Type != history.OK || r.Offset < 0 {
			continue
		}
		if at, ok := k.at[r.Offset]; !ok {
			k.at[r.Offset] = r.Value
		} else if at != r.Value && o.Acks == -1 {
			k.told[at] = report.ToldTwice
		}
	}
}

func (k *knowledge) poll(e *history.Event, o *history.Op) {
	if len(o.Records) == 0 {
		return
	}
	r := k.reader(e.Process)
	for _, x := range o.Records {
		if was, ok := k.at[x.Offset]; !ok {
			k.at[x.Offset] = x.Value
		} else if was != x.Value {
			r.other[x.Offset] = true
		}
		if n := len(r.spans); n > 0 && r.spans[n-1][1] == x.Offset {
			r.spans[n-1][1]++
			continue
		}
		r.spans = append(r.spans, [2]int64{x.Offset, x.Offset + 1})
	}
}

func (k *knowledge) committed(e *history.Event, o *history.Op) {
	r := k.reader(e.Process)
	for _, text := range strings.Fields(o.Meta) {
		v, ok := history.ParseValue([]byte(text))
		if !ok {
			continue
		}
		if !k.isRead[v] {
			k.isRead[v] = true
			k.read = append(k.read, v)
		}
		r.values[v] = true
	}
}

func (k *knowledge) outcome(o *history.Op, told byte) {
	for _, text := range strings.Fields(o.Meta) {
		if v, ok := history.ParseValue([]byte(text)); ok {
			if k.told[v] == 0 {
				k.sent = append(k.sent, v)
			}
			k.told[v] = told
		}
	}
}

// grids gives the grid of every partition of which anybody knows a record, the violation's first.
func (a *account) grids(all map[string]*knowledge, first string) (out []report.Grid) {
	keys := sorted(all)
	slices.SortStableFunc(keys, func(x, y string) int {
		switch {
		case x == first && y != first:
			return -1
		case y == first && x != first:
			return 1
		}
		return 0
	})
	for _, key := range keys {
		g := all[key].grid()
		switch {
		case g.Records == 0:
		case len(out) == maxGrids:
			a.cut["partitions in the grid of records"]++
		default:
			g.Key = key
			a.cut["readers in the grid of records"] += int64(max(0, len(g.Readers)-maxGridReaders))
			g.Readers = g.Readers[:min(maxGridReaders, len(g.Readers))]
			out = append(out, g)
		}
	}
	return out
}

func (k *knowledge) grid() report.Grid {
	if len(k.at) == 0 {
		return k.gridByRead()
	}
	offsets := make([]int64, 0, len(k.at))
	for o := range k.at {
		offsets = append(offsets, o)
	}
	slices.Sort(offsets)
	g := report.Grid{Begin: offsets[0], Records: int64(len(offsets))}
	span := offsets[len(offsets)-1] - g.Begin + 1
	g.Step = (span + gridCells - 1) / gridCells
	told := newCells((span + g.Step - 1) / g.Step)
	for _, o := range offsets {
		told.worse((o-g.Begin)/g.Step, k.told[k.at[o]])
	}
	g.Told = string(told)
	slices.Sort(k.order)
	for _, c := range k.order {
		r := k.readers[c]
		slices.SortFunc(r.spans, func(a, b [2]int64) int { return int(a[0] - b[0]) })
		next, end := 0, int64(-1) // of spans: those before next begin at or before the offset, and the farthest of them reaches up to end
		g.Readers = append(g.Readers, report.Reader{Client: c, Saw: saw(len(told), func(each func(cell int64, seen, other bool)) {
			for _, o := range offsets {
				for ; next < len(r.spans) && r.spans[next][0] <= o; next++ {
					end = max(end, r.spans[next][1])
				}
				each((o-g.Begin)/g.Step, o < end, r.other[o])
			}
		})})
	}
	return g
}

// gridByRead is the grid of records whose offsets nobody was told.
func (k *knowledge) gridByRead() report.Grid {
	order := slices.Clone(k.read)
	for _, v := range k.sent {
		if !k.isRead[v] {
			order = append(order, v)
		}
	}
	g := report.Grid{ByRead: true, Records: int64(len(order)), Step: max(1, int64(len(order)+gridCells-1)/gridCells)}
	told := newCells((g.Records + g.Step - 1) / g.Step)
	for i, v := range order {
		told.worse(int64(i)/g.Step, k.told[v])
	}
	g.Told = string(told)
	slices.Sort(k.order)
	for _, c := range k.order {
		r := k.readers[c]
		g.Readers = append(g.Readers, report.Reader{Client: c, Saw: saw(len(told), func(each func(cell int64, seen, other bool)) {
			for i, v := range order {
				each(int64(i)/g.Step, r.values[v], false)
			}
		})})
	}
	return g
}

// cells are letters.
type cells []byte

func newCells(n int64) cells {
	c := make(cells, n)
	for i := range c {
		c[i] = report.ToldNothing
	}
	return c
}

func (c cells) worse(i int64, told byte) {
	if told != 0 && strings.IndexByte(report.ToldWorst, told) < strings.IndexByte(report.ToldWorst, c[i]) {
		c[i] = told
	}
}

// saw sums up what a reader saw of each cell's records.
func saw(n int, walk func(each func(cell int64, seen, other bool))) string {
	of, some, bad := make([]int, n), make([]int, n), make([]bool, n)
	walk(func(cell int64, seen, other bool) {
		of[cell]++
		if seen {
			some[cell]++
		}
		bad[cell] = bad[cell] || other
	})
	c := make(cells, n)
	for i := range c {
		switch {
		case bad[i]:
			c[i] = report.SawElse
		case some[i] == 0:
			c[i] = report.SawNone
		case some[i] < of[i]:
			c[i] = report.SawSome
		default:
			c[i] = report.SawAll
		}
	}
	return string(c)
}
