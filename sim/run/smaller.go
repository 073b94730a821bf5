package run

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/workload"
)

// Smaller makes the client programs of plans smaller, for a shrinker.
type Smaller struct{}

// spare gives the places of the programs that a run can do without: all but the administrator and the last reader.
func spare(w *workload.Plan) (places []int) {
	for i, pr := range w.Programs {
		if pr.Admin == nil && (pr.Consumer == nil || !pr.Consumer.Final) {
			places = append(places, i)
		}
	}
	return places
}

func programs(p *plan.Plan) *workload.Plan {
	w := &workload.Plan{}
	if json.Unmarshal(p.Workload, w) != nil {
		return &workload.Plan{}
	}
	return w
}

// Programs is how many can be left out.
func (Smaller) Programs(p *plan.Plan) int { return len(spare(programs(p))) }

// Leave leaves out some. Faults between a node and one of the other clients stay with that one.
func (Smaller) Leave(p *plan.Plan, from, to int) {
	w := programs(p)
	places := spare(w)[from:to]
	for _, i := range slices.Backward(places) {
		w.Programs = slices.Delete(w.Programs, i, i+1)
		p.Faults = slices.DeleteFunc(p.Faults, func(f fault.Fault) bool { return ofClient(&f) && f.B == int64(i) })
		for k := range p.Faults {
			if f := &p.Faults[k]; ofClient(f) && f.B > int64(i) {
				f.B--
			}
		}
	}
	setWorkload(p, w)
}

// ofClient says whether a fault concerns the one client that its B names.
func ofClient(f *fault.Fault) bool { return f.Class == fault.N6 && f.Verb != "swizzle" && f.B >= 0 }

// Fold moves programs and replicas to the nodes that are still there. What only several copies can do is not asked of one.
func (Smaller) Fold(p *plan.Plan) {
	var any any
	d := json.NewDecoder(bytes.NewReader(p.Workload))
	d.UseNumber()
	if d.Decode(&any) != nil {
		return
	}
	fold(any, p.Nodes)
	b, err := json.Marshal(any)
	if err != nil {
		panic(err) // it was decoded
	}
	p.Workload = b
	setWorkload(p, programs(p))
}

func fold(v any, nodes int) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			fold(x, nodes)
		}
	case map[string]any:
		for name, most := range map[string]int{"node": nodes - 1, "replicas": nodes, "nodes": nodes} {
			if n, ok := v[name].(json.Number); ok {
				if i, err := n.Int64(); err == nil {
					v[name] = min(i, int64(most))
				}
			}
		}
		if configs, ok := v["configs"].([]any); ok && nodes == 1 {
			v["configs"] = slices.DeleteFunc(configs, func(c any) bool {
				text, _ := c.(string)
				return strings.HasPrefix(text, "min.insync.replicas=")
			})
		}
		for _, x := range v {
			fold(x, nodes)
		}
	}
}

// Simpler gives other ways to make programs smaller: topics without configurations, and with one partition.
func (Smaller) Simpler(p *plan.Plan) (all []func(p *plan.Plan)) {
	w := programs(p)
	for i := range w.Topics {
		t := &w.Topics[i]
		if t.Partitions > 1 {
			all = append(all, func(p *plan.Plan) { retopic(p, i, func(partitions *int32, _ *[]string) { *partitions = 1 }) },
				func(p *plan.Plan) {
					retopic(p, i, func(partitions *int32, _ *[]string) { *partitions = max(1, *partitions/2) })
				})
		}
		for k := range t.Configs {
			all = append(all, func(p *plan.Plan) {
				retopic(p, i, func(_ *int32, configs *[]string) { *configs = slices.Delete(slices.Clone(*configs), k, k+1) })
			})
		}
	}
	return all
}

// retopic changes a topic, there and where the administrator makes it.
func retopic(p *plan.Plan, i int, change func(partitions *int32, configs *[]string)) {
	w := programs(p)
	name := w.Topics[i].Name
	change(&w.Topics[i].Partitions, &w.Topics[i].Configs)
	for _, pr := range w.Programs {
		if pr.Admin == nil {
			continue
		}
		for k := range pr.Admin.Topics {
			if t := &pr.Admin.Topics[k]; t.Name == name {
				*t = w.Topics[i]
			}
		}
	}
	setWorkload(p, w)
}
