package report

import (
	"cmp"
	"fmt"
	"slices"
)

// windowView draws a window: a line a client, and the events of the history from left to right, each a step.
type windowView struct {
	*Window
	Width, Height, X2 int
	Lines             []lineView
	Bars              []barView
	Rows              []orderView
}

type lineView struct {
	Y    int
	Name string
}

type barView struct {
	X, Y, W, TextX      int
	Class, Title, Place string
}

// orderView is an operation in the table: those that have a place in their order, then the others.
type orderView struct {
	Place, Who, What, Class string
	Begin, End              string
	At                      momentView
}

// momentView is a time that one can go to.
type momentView struct {
	At   int64 // -1: none
	Text string
}

func momentAt(ns int64) momentView { return momentView{ns, Seconds(ns)} }

// Sizes of a window's drawing, in pixels.
const (
	windowLeft = 118
	windowStep = 13
	windowLine = 24
)

func (r *Run) windowViews() (all []windowView) {
	for i := range r.Windows {
		all = append(all, r.windowView(&r.Windows[i]))
	}
	return all
}

func (r *Run) windowView(w *Window) windowView {
	v := windowView{Window: w}
	var events []int64
	y := map[int]int{}
	for _, o := range w.Ops {
		events = append(events, o.Begin)
		if o.End >= 0 {
			events = append(events, o.End)
		}
		y[o.Client] = 0
	}
	slices.Sort(events)
	events = slices.Compact(events)
	x := func(e int64) int {
		at, _ := slices.BinarySearch(events, e)
		return windowLeft + 6 + at*windowStep
	}
	clients := make([]int, 0, len(y))
	for c := range y {
		clients = append(clients, c)
	}
	slices.Sort(clients)
	v.X2 = windowLeft + 12 + len(events)*windowStep
	v.Width = v.X2 + 30
	lines := r.pack(w, clients)
	for _, l := range lines {
		v.Height += windowLine
		v.Lines = append(v.Lines, lineView{Y: v.Height - windowLine/2, Name: l.name})
		for _, o := range l.ops {
			v.Bars = append(v.Bars, r.bar(o, x, v.Height-windowLine/2-8, v.X2))
		}
	}
	v.Height += 4
	v.rows(r)
	return v
}

// packed is a line of operations that do not overlap.
type packed struct {
	name string
	ops  []*WindowOp
	end  int64
}

// pack gives each client as many lines as it has operations at a time.
func (r *Run) pack(w *Window, clients []int) (lines []packed) {
	for _, c := range clients {
		first := len(lines)
		for i := range w.Ops {
			o := &w.Ops[i]
			if o.Client != c {
				continue
			}
			end := cmp.Or(o.End+1, int64(1)<<62) // open: -1
			k := first
			for k < len(lines) && lines[k].end > o.Begin {
				k++
			}
			if k == len(lines) {
				name := ""
				if k == first {
					name = short(r.clientOr(c), 17)
				}
				lines = append(lines, packed{name: name})
			}
			lines[k].ops, lines[k].end = append(lines[k].ops, o), end
		}
	}
	return lines
}

func (r *Run) clientOr(c int) string {
	if c < 0 {
		return "the ledger"
	}
	return r.clientName(c)
}

func (r *Run) bar(o *WindowOp, x func(int64) int, y, far int) barView {
	b := barView{X: x(o.Begin), Y: y, Title: o.What + ", " + placeText(o), Class: "placed"}
	b.W = far - b.X
	if o.End >= 0 {
		b.W = max(10, x(o.End)-b.X)
	} else {
		b.Class = "endless"
	}
	switch {
	case o.Bad:
		b.Class, b.Place = "bad", "✗"
	case o.Place == 0:
		b.Class = "loose"
	default:
		b.Place = fmt.Sprint(o.Place)
	}
	b.TextX = b.X + min(b.W, 40)/2
	return b
}

func placeText(o *WindowOp) string {
	switch {
	case o.Bad:
		return "fits nowhere"
	case o.Place == 0:
		return "not in the longest order"
	}
	return fmt.Sprintf("place %d", o.Place)
}

func (v *windowView) rows(r *Run) {
	ops := make([]*WindowOp, len(v.Ops))
	for i := range v.Ops {
		ops[i] = &v.Ops[i]
	}
	place := func(o *WindowOp) int {
		switch {
		case o.Bad:
			return 1 << 30
		case o.Place == 0:
			return 1 << 29
		}
		return o.Place
	}
	slices.SortStableFunc(ops, func(a, b *WindowOp) int { return cmp.Compare(place(a), place(b)) })
	for _, o := range ops {
		row := orderView{Who: r.clientOr(o.Client), What: o.What, Begin: fmt.Sprint(o.Begin), End: fmt.Sprint(o.End), At: momentAt(o.At), Place: fmt.Sprint(o.Place)}
		if o.End < 0 {
			row.End = "open"
		}
		switch {
		case o.Bad:
			row.Class, row.Place = "broken", "–"
		case o.Place == 0:
			row.Class, row.Place = "loose", "–"
		}
		v.Rows = append(v.Rows, row)
	}
}
