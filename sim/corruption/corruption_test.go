package corruption

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models/anomaly"
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

// clusters are histories of three brokers, kept since they repeat only in a build of their own.
func clusters(t *testing.T) (all []*Story) {
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		events, err := history.ReadAll(z)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Empty(t, found(events), name)
		all = append(all, Read(filepath.Base(name), events))
	}
	return all
}

var rewrite = flag.Bool("rewrite", false, "make the histories of clusters anew")

func TestHistoriesOfClustersAreMade(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite alone")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, seed := range []uint64{1, 7, 9} {
		p := run.Draw(seed, plan.Menu{Nodes: 3, MaxMS: 3000})
		r, err := run.Prepare(p)
		require.NoError(t, err)
		require.Nil(t, cluster.New(p, r.Options).Run().Violation)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		require.NoError(t, history.WriteAll(z, r.Judge.Events))
		require.NoError(t, z.Close())
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(fmt.Sprintf("testdata/cluster-%d.jsonl.gz", seed), b.Bytes(), 0o644))
	}
}

// blind are checkers that judge nothing: what they count is legal.
var blind = []string{"history:G0", "history:G1c-ww", "history:int-send-skip"}

// sitesEach bounds how many places of one story an operator is tried at.
const sitesEach = 2

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
	all := append(stories(t), clusters(t)...)
	var table []string
	alive := map[string]bool{}
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
						alive[p] = true
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
	for name := range anomaly.Check(all[0].Events).Checkers {
		if name = "history:" + name; !slices.Contains(blind, name) && !alive[name] && !t.Failed() {
			t.Errorf("no operator shows that %s finds anything", name)
		}
	}
	t.Logf("rejected of tried, and by whom:\n%s", strings.Join(table, "\n"))
}
