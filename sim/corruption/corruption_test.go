package corruption

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/run"
)

// nobody is a view in which there are no nodes: only what clients saw is judged.
type nobody struct{ now clock.Time }

func (v nobody) Now() clock.Time                                               { return v.now }
func (nobody) Policy() string                                                  { return "ack" }
func (nobody) Healed() (clock.Time, bool)                                      { return 0, false }
func (nobody) Nodes() int                                                      { return 0 }
func (nobody) Up(int) bool                                                     { return false }
func (nobody) Incarnation(int) int                                             { return 0 }
func (nobody) Touched(int) ([]int, bool)                                       { return nil, true }
func (nobody) Partitions(int) int                                              { return 0 }
func (nobody) Partition(int, int, *oracle.Partition)                           {}
func (nobody) ReadBack(int, string, int32, int64, func([]byte) bool) (ok bool) { return false }

// found gives the properties that a history breaks, with the first finding of each.
func found(events []*history.Event) map[string]string {
	all := map[string]string{}
	for _, err := range oracle.NewSuite().Judge(events, nobody{events[len(events)-1].Time}) {
		var f *oracle.Failure
		if errors.As(err, &f) && all[f.Property] == "" {
			all[f.Property] = f.Error()
		}
	}
	return all
}

// stories are histories of single brokers, with and without faults.
func stories(t *testing.T) (all []*Story) {
	for seed := uint64(1); seed <= 60; seed++ {
		p := run.Draw(seed, plan.Menu{Nodes: 1, MaxMS: 5000})
		r, err := run.Prepare(p)
		require.NoError(t, err)
		res := cluster.New(p, r.Options).Run()
		require.Nil(t, res.Violation, "seed %d", seed)
		require.Empty(t, res.Harness)
		if r.Judge.Beyond() {
			continue
		}
		s := Read(fmt.Sprintf("seed %d", seed), r.Judge.Events)
		require.Empty(t, found(s.Events), "seed %d as it was", seed)
		all = append(all, s)
	}
	return all
}

// sitesEach bounds how many places of one story an operator is tried at.
const sitesEach = 3

func spread(edits []*Edit, n int) []*Edit {
	if len(edits) <= n {
		return edits
	}
	var some []*Edit
	for i := range n {
		some = append(some, edits[i*(len(edits)-1)/(n-1)])
	}
	return some
}

func TestEveryCorruptedHistoryIsRejected(t *testing.T) {
	all := stories(t)
	var table []string
	for _, op := range Operators() {
		t.Run(strings.ReplaceAll(op.Name, " ", "-"), func(t *testing.T) {
			tried, rejected, by := 0, 0, map[string]int{}
			for _, s := range all {
				for _, e := range spread(op.Sites(s), sitesEach) {
					tried++
					got := found(e.History())
					missed := slices.DeleteFunc(slices.Clone(e.Breaks), func(p string) bool { return got[p] != "" })
					if len(missed) > 0 {
						t.Errorf("%s, %s: %v did not find it; found: %v", s.Name, e.At, missed, got)
						continue
					}
					rejected++
					for _, p := range e.Breaks {
						by[p]++
					}
				}
			}
			if tried == 0 {
				t.Error("no story has a place for it")
			}
			var names []string
			for p, n := range by {
				names = append(names, fmt.Sprintf("%s %d", p, n))
			}
			sort.Strings(names)
			table = append(table, fmt.Sprintf("%4d of %4d  %s: %s", rejected, tried, op.Name, strings.Join(names, ", ")))
		})
	}
	t.Logf("rejected of tried, and by whom:\n%s", strings.Join(table, "\n"))
}
