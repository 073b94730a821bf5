package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Jepsen's plots of a run of real processes: each operation's latency, quantiles of it by time, and how many ended a second; faults are shaded.

const (
	plotWide, plotHigh         = 1180, 300
	plotLeft, plotTop, plotLow = 64, 26, 26 // margins
	// plotPoints bounds how many operations a plot shows; of more, every n-th.
	plotPoints = 12_000
	// plotWindows is how many points a line has at most; none stands for less than plotLeast.
	plotWindows = 120
	plotLeast   = int64(1e9)
	// Latencies are drawn from 0.1 ms to 100 s.
	plotFloor, plotDecades = 1e5, 6
)

// plotView is one plot.
type plotView struct {
	Title, About string
	SVG          template.HTML
}

// canvas is a plot under way.
type canvas struct {
	strings.Builder
	end int64
}

func (c *canvas) x(at int64) int {
	return plotLeft + int(at*int64(plotWide-plotLeft-8)/max(1, c.end))
}

func (c *canvas) y(part float64) int {
	return plotHigh - plotLow - int(part*float64(plotHigh-plotTop-plotLow))
}

// logY is the place of a latency in ns.
func (c *canvas) logY(ns int64) int {
	return c.y(min(1, max(0, math.Log10(float64(max(1, ns))/plotFloor)/plotDecades)))
}

func (c *canvas) put(format string, args ...any) { fmt.Fprintf(c, format, args...) }

func (c *canvas) text(x, y int, class, s string) {
	c.put(`<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, template.HTMLEscapeString(s))
}

// begin draws what all plots have: faults, and the times below.
func (r *Run) begin(title string) *canvas {
	c := &canvas{end: r.End}
	c.put(`<svg class="plot" viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWide, plotHigh, template.HTMLEscapeString(title))
	for _, s := range r.Spans {
		if s.Class == "" {
			continue
		}
		from, to := c.x(s.Begin), c.x(s.End)
		c.put(`<rect class="fault" x="%d" y="%d" width="%d" height="%d"><title>%s</title></rect>`, from, plotTop, max(1, to-from), plotHigh-plotTop-plotLow,
			template.HTMLEscapeString(fmt.Sprintf("%s, %s to %s: %s", FaultName(s.Class), Seconds(s.Begin), Seconds(s.End), s.Text)))
		c.put(`<text class="what" transform="translate(%d %d) rotate(90)">%s</text>`, from+3, plotTop+4, template.HTMLEscapeString(FaultName(s.Class)))
	}
	for i := range int64(10) {
		at := r.End * i / 10
		c.put(`<text class="tick" x="%d" y="%d">%d s</text>`, c.x(at), plotHigh-8, at/1e9)
	}
	return c
}

func (c *canvas) done() template.HTML {
	c.put(`</svg>`)
	return template.HTML(c.String()) // all of it is made here; texts are escaped
}

// latencyAxis draws the scale of latencies.
func (c *canvas) latencyAxis() {
	for i, s := range [...]string{"0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"} {
		y := c.y(float64(i) / plotDecades)
		c.put(`<path class="grid" d="M%d %dH%d"/>`, plotLeft, y, plotWide-8)
		c.put(`<text class="tick" text-anchor="end" x="%d" y="%d">%s</text>`, plotLeft-6, y+4, s)
	}
}

// names are the kinds of operation, in order.
func (r *Run) names() (all []string) {
	for i := range r.Ops {
		if !slices.Contains(all, r.Ops[i].F) {
			all = append(all, r.Ops[i].F)
		}
	}
	slices.Sort(all)
	return all
}

// plots makes all of them, none of a simulated run: its time axis shows the same.
func (r *Run) plots() []plotView {
	if r.System == "" || len(r.Ops) == 0 {
		return nil
	}
	return append([]plotView{r.rawPlot()}, append(r.quantilePlots(), r.ratePlot())...)
}

// rawPlot shows each operation where it began, by how long it took.
func (r *Run) rawPlot() plotView {
	c := r.begin("Latency of each operation")
	c.latencyAxis()
	step := (len(r.Ops) + plotPoints - 1) / plotPoints
	for _, t := range [...]string{"ok", "fail", "info", "open"} {
		c.put(`<path class="dot-%s" d="`, t)
		for i := 0; i < len(r.Ops); i += step {
			if o := &r.Ops[i]; o.Type == t {
				c.put("M%d %dh0", c.x(o.Begin), c.logY(o.End-o.Begin))
			}
		}
		c.put(`"/>`)
	}
	x := plotLeft
	for _, t := range [...]struct{ class, what string }{{"ok", "ok"}, {"fail", "refused"}, {"info", "unknown"}, {"open", "never answered"}} {
		c.put(`<path class="dot-%s key" d="M%d %dh0"/>`, t.class, x+4, 12)
		c.text(x+14, 16, "tick", t.what)
		x += 110
	}
	about := "Where an operation began, and how long it took."
	if step > 1 {
		about += fmt.Sprintf(" One in %d is shown.", step)
	}
	return plotView{"Latency, raw", about, c.done()}
}

// window is the length of a line's steps.
func (r *Run) window() int64 { return max(plotLeast, r.End/plotWindows) }

var quantiles = [...]struct {
	part  float64
	class string
}{{0.5, "q50"}, {0.95, "q95"}, {0.99, "q99"}, {1, "q100"}}

// quantilePlots shows, for each kind of operation, quantiles of the latency of those that were answered.
func (r *Run) quantilePlots() (all []plotView) {
	for _, f := range r.names() {
		window := r.window()
		buckets := make([][]int64, r.End/window+1)
		for i := range r.Ops {
			if o := &r.Ops[i]; o.F == f && o.Type == "ok" {
				at := o.Begin / window
				buckets[at] = append(buckets[at], o.End-o.Begin)
			}
		}
		c := r.begin("Latency quantiles of " + f)
		c.latencyAxis()
		for n, q := range quantiles {
			c.put(`<path class="line %s" d="`, q.class)
			verb := "M"
			for at, took := range buckets {
				if len(took) == 0 {
					verb = "M" // nothing ended well: the line breaks
					continue
				}
				slices.SortFunc(took, cmp.Compare)
				c.put("%s%d %d", verb, c.x(min(r.End, int64(at)*window+window/2)), c.logY(took[min(len(took)-1, int(q.part*float64(len(took))))]))
				verb = "L"
			}
			c.put(`"/>`)
			c.put(`<path class="line %s" d="M%d 12h16"/>`, q.class, plotLeft+n*70)
			c.text(plotLeft+n*70+20, 16, "tick", fmt.Sprint(q.part))
		}
		all = append(all, plotView{"Latency quantiles: " + f, fmt.Sprintf("Of operations that succeeded, in steps of %s.", Seconds(window)), c.done()})
	}
	return all
}

// ratePlot shows how many operations of each kind ended well a second, and how many did not.
func (r *Run) ratePlot() plotView {
	window, most := r.window(), int64(1)
	names := append(r.names(), "refused or unknown")
	counts := map[string][]int64{}
	for _, n := range names {
		counts[n] = make([]int64, r.End/window+1)
	}
	for i := range r.Ops {
		o, name := &r.Ops[i], r.Ops[i].F
		if o.Type != "ok" {
			name = names[len(names)-1]
		}
		at := min(o.End, r.End) / window
		counts[name][at]++
		most = max(most, counts[name][at])
	}
	c := r.begin("Rate")
	for i := range 5 {
		y := c.y(float64(i) / 4)
		c.put(`<path class="grid" d="M%d %dH%d"/>`, plotLeft, y, plotWide-8)
		c.put(`<text class="tick" text-anchor="end" x="%d" y="%d">%s</text>`, plotLeft-6, y+4, Number(most*int64(i)*1e9/window/4))
	}
	for n, name := range names {
		class := fmt.Sprintf("rate%d", n%4)
		if n == len(names)-1 {
			class = "bad"
		}
		c.put(`<path class="line %s" d="`, class)
		for at, k := range counts[name] {
			c.put("%c%d %d", "ML"[min(at, 1)], c.x(min(r.End, int64(at)*window+window/2)), c.y(float64(k)/float64(most)))
		}
		c.put(`"/><path class="line %s" d="M%d 12h16"/>`, class, plotLeft+n*140)
		c.text(plotLeft+n*140+20, 16, "tick", name)
	}
	return plotView{"Rate", fmt.Sprintf("Operations a second that ended, in steps of %s.", Seconds(window)), c.done()}
}
