package report

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

var (
	//go:embed *.html
	pages embed.FS
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	page = template.Must(template.New("report").Funcs(template.FuncMap{"num": Number, "sec": Seconds, "fault": FaultText, "sum": func(a, b int) int { return a + b }}).ParseFS(pages, "*.html"))
)

// view is what the page is made of.
type view struct {
	*Run
	CSS      template.CSS
	JS       template.JS
	Data     template.JS // the time axis
	Title    string
	Tone     string // good, bad, open
	Mark     string // the verdict in a word
	Groups   []groupView
	Held     int
	Idle     int
	Broken   int
	Story    *story
	Kinds    []kindView
	Lines    []changeView
	CutLines []string
	Against  *Difference
	Plots    []plotView

	Tale        []string
	NearRows    []nearView
	NearReaders []nameView
	WindowViews []windowView
	GridViews   []gridView
	Matrix      *matrix
	Rare        []changeView
	RareHit     int
}

// groupView is a part of the table of guarantees.
type groupView struct {
	Title string
	Rows  []rowView
	Sum   string
}

type rowView struct {
	Name, Means, Note string
	Checked           int64
	Unchecked         int64
	State             string // held, broken, idle, open, counted
}

// kindView is a kind of operation and how those of it ended.
type kindView struct {
	F                    string
	OK, Fail, Info, Open int
	Median, P99, Max     string // latency of those that succeeded
}

type changeView struct {
	What string
	N    int64
}

// WriteHTML writes the page. against may be nil.
func (r *Run) WriteHTML(w io.Writer, against *Difference) error {
	data, err := json.Marshal(r.axis()) // escapes <, > and &
	if err != nil {
		return fmt.Errorf("encode the time axis: %w", err)
	}
	v := view{Run: r, CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Data: template.JS(data), Against: against,
		Title: fmt.Sprintf("seed %d: %s", r.Seed, r.Verdict), Kinds: r.kinds(), Story: r.story(), Plots: r.plots(), Tale: r.Tale(), WindowViews: r.windowViews(), GridViews: r.gridViews(), Matrix: r.matrix()}
	v.NearRows, v.NearReaders = r.nearViews()
	v.Rare, v.RareHit = r.rare()
	v.Tone, v.Mark = r.tone()
	v.guarantees(r)
	for _, what := range sortedKeys(r.Changes) {
		v.Lines = append(v.Lines, changeView{what, r.Changes[what]})
	}
	for _, what := range sortedKeys(r.Cut) {
		if r.Cut[what] > 0 {
			v.CutLines = append(v.CutLines, Number(r.Cut[what])+" "+what)
		}
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, "page.html", &v); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (r *Run) tone() (tone, mark string) {
	switch r.Verdict {
	case Pass:
		return "good", "Pass"
	case Unchecked:
		return "open", "Not decided"
	case Harness:
		return "open", "No result"
	}
	return "bad", "Broken"
}

// guarantees fills the table: each property that was checked, or broke, under its heading.
func (v *view) guarantees(r *Run) {
	left := map[string]Check{}
	for _, c := range r.Checks {
		left[c.Name] = c
	}
	if x := r.Violation; x != nil {
		if _, ok := left[x.Property]; !ok {
			left[x.Property] = Check{Name: x.Property, Checked: 1}
		}
	}
	for _, g := range groups {
		var rows []rowView
		for _, p := range g.rows {
			c, ok := left[p.name]
			if !ok && !strings.HasPrefix(p.name, "history:") { // what is never counted, and the checkers of others
				continue
			}
			w := v.row(r, p, c)
			if reads, ok := left[p.name+" strong reads"]; ok {
				w.Note = fmt.Sprintf("Of these, reads judged strictly: %s; reads that may lag: %s.", Number(reads.Checked), Number(left[p.name+" weak reads"].Checked))
			}
			rows = append(rows, w)
			delete(left, p.name)
		}
		v.add(g.title, rows)
	}
	var rows []rowView
	for _, n := range sortedKeys(left) {
		if !detail(n) && !strings.HasSuffix(n, " ends") {
			rows = append(rows, v.row(r, guarantee{n, Guarantee(n)}, left[n]))
		}
	}
	v.add("Others", rows)
}

func (v *view) row(r *Run, p guarantee, c Check) rowView {
	w := rowView{Name: p.name, Means: p.means, Checked: c.Checked, Unchecked: c.Unchecked}
	switch {
	case r.Violation != nil && r.Violation.Property == p.name:
		w.State = "broken"
		v.Broken++
	case c.Unchecked > 0:
		w.State = "open"
	case c.Checked == 0:
		w.State = "idle"
		v.Idle++
	case strings.HasPrefix(p.means, "Counted"):
		w.State = "counted"
	default:
		w.State = "held"
		v.Held++
	}
	return w
}

func (v *view) add(title string, rows []rowView) {
	if len(rows) == 0 {
		return
	}
	states := map[string]int{}
	for i := range rows {
		states[rows[i].State]++
	}
	var sum []string
	for _, s := range [...]struct{ state, text string }{{"broken", "broken"}, {"open", "not decided"}, {"held", "held"}, {"idle", "not exercised"}, {"counted", "counted"}} {
		if n := states[s.state]; n > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	v.Groups = append(v.Groups, groupView{title, rows, strings.Join(sum, ", ")})
}

// kinds sums up the operations by kind.
func (r *Run) kinds() (all []kindView) {
	at := map[string]int{}
	took := map[string][]int64{}
	for i := range r.Ops {
		o := &r.Ops[i]
		k, ok := at[o.F]
		if !ok {
			k = len(all)
			at[o.F] = k
			all = append(all, kindView{F: o.F})
		}
		switch o.Type {
		case "ok":
			all[k].OK++
			took[o.F] = append(took[o.F], o.End-o.Begin)
		case "fail":
			all[k].Fail++
		case "info":
			all[k].Info++
		default:
			all[k].Open++
		}
	}
	for i := range all {
		if t := took[all[i].F]; len(t) > 0 {
			slices.Sort(t)
			all[i].Median, all[i].P99, all[i].Max = millis(t[len(t)/2]), millis(t[len(t)*99/100]), millis(t[len(t)-1])
		}
	}
	slices.SortFunc(all, func(a, b kindView) int { return strings.Compare(a.F, b.F) })
	return all
}

func millis(ns int64) string { return fmt.Sprintf("%d.%01d", ns/1e6, ns%1e6/1e5) }

// axis is what the page's script draws.
func (r *Run) axis() any {
	type part struct {
		Part
		Internal bool `json:"internal,omitempty"`
	}
	d := struct {
		Real   bool         `json:"real,omitempty"`
		End    int64        `json:"end"`
		Healed int64        `json:"healed"`
		Broke  int64        `json:"broke"` // -1: not
		Key    string       `json:"key"`
		What   string       `json:"what"`
		Spans  []Span       `json:"spans"`
		Faults []FaultCount `json:"faults"`
		Names  [][3]string  `json:"names"`
		Nodes  []NodeLane   `json:"nodes"`
		Lead   []Span       `json:"control"`
		Parts  []part       `json:"parts"`
		Roles  []Role       `json:"roles"`
		Ops    []Op         `json:"ops"`
	}{Real: r.System != "", End: r.End, Healed: r.Healed, Broke: -1, Spans: r.Spans, Faults: r.Faults, Nodes: r.Lanes, Lead: r.Control, Roles: r.Roles, Ops: r.Ops}
	if v := r.Violation; v != nil {
		d.Broke, d.Key, d.What = v.At, v.Key, v.Property
	}
	for _, f := range r.Faults {
		d.Names = append(d.Names, [3]string{f.Class, FaultText(f.Class), FaultName(f.Class)})
	}
	for _, p := range r.Parts {
		d.Parts = append(d.Parts, part{p, internal(p.Key)})
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
