package mutant

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/plan"
)

// Each row of the scoreboard is of a mutant of the catalogue, and names the plan that is kept for it; one that is killed has such a plan. A mutant
// that is new may not be there yet: `make mutants` says so.
func TestTheScoreboardNamesThePlanOfEachMutant(t *testing.T) {
	own, three := pageRows(t)
	for name, row := range own {
		_, ok := Find(name)
		require.True(t, ok, name)
		require.True(t, strings.HasPrefix(row, rowHead(name)+" | "), name)
	}
	for _, m := range All() {
		sum, err := sumOf(m.Name)
		if row, ok := own[m.Name]; os.IsNotExist(err) && (!ok || strings.Contains(row, notKilled) || strings.Contains(row, byTest+m.Test+" | ")) {
			continue
		}
		require.NoError(t, err, "make build/sim-mutants && build/sim-mutants mutants -keep -only %s", m.Name)
		require.Contains(t, own[m.Name], "* | "+sum+" |", m.Name)
	}
	for name, row := range three {
		sum, err := sumOf(name + "-3")
		if os.IsNotExist(err) {
			require.NotContains(t, row, "* |", name)
			continue
		}
		require.NoError(t, err, name)
		require.Contains(t, row, "* | "+sum+" |", name)
	}
}

// pageRows gives the rows of the page by mutant: with the brokers of its own plans, and with three.
func pageRows(t *testing.T) (own, three map[string]string) {
	b, err := os.ReadFile("../../" + PageName)
	require.NoError(t, err)
	own, three = Rows(string(b))
	require.Equal(t, strings.Count(string(b), "\n| m:"), len(own)+len(three), "a row stands there twice")
	return own, three
}

// sumOf names the plan that is kept under a name, as a row does.
func sumOf(name string) (string, error) {
	file, err := os.ReadFile(filepath.Join("../testdata/plans", "m-"+name+".json"))
	if err != nil {
		return "", err
	}
	p, err := plan.Decode(file)
	if err != nil {
		return "", err
	}
	return short(p.Sum()), nil
}

func TestAResultThatThePageDoesNotTellIsSaid(t *testing.T) {
	r := Result{Name: "R5", Killed: true, Oracle: "I:I1", Nodes: 3, Seed: 9, Plan: "sha256:0123456789abcdef", Tries: 2}
	page := Page("", []Result{r}, nil)
	require.Empty(t, Differs(page, &r))
	for _, change := range []func(r *Result){
		func(r *Result) { r.Name = "R6" }, func(r *Result) { r.Killed = false }, func(r *Result) { r.Oracle = "I:I2" }, func(r *Result) { r.Plan = "sha256:1" },
	} {
		other := r
		change(&other)
		require.NotEmpty(t, Differs(page, &other))
	}
	lost := Result{Name: "R5", Tries: 3}
	page = Page(page, []Result{lost}, nil)
	require.Empty(t, Differs(page, &lost))
	require.NotEmpty(t, Differs(page, &r))
}

func TestAPageKeepsTheRowsOfWhichNothingNewIsKnown(t *testing.T) {
	first := Result{Name: "R5", Killed: true, Oracle: "I:I1", Nodes: 3, Seed: 9, Plan: "sha256:0123456789abcdef", Tries: 2}
	second, third := Result{Name: "T8", Tested: true}, Result{Name: "P1", Tries: 7}
	page := Page("", []Result{second, first}, []Result{first})
	page = Page(page, []Result{third}, nil)
	require.Contains(t, page, "1 of 3 are killed by plans, 1 by tests.")
	for _, r := range []Result{first, second, third} {
		require.Empty(t, Differs(page, &r), r.Name)
	}
	require.Equal(t, page, Page(page, nil, nil))
	killed := Result{Name: "T8", Killed: true, Oracle: "txn:cut", Plan: "sha256:1"}
	require.NotEmpty(t, Differs(page, &killed))
	require.Empty(t, Differs(Page(page, []Result{killed}, nil), &killed))
}

// A test that is gone would stand for a mutant no more.
func TestTheTestsThatStandForMutantsExist(t *testing.T) {
	for _, m := range All() {
		if m.Test == "" {
			continue
		}
		pkg, name, ok := strings.Cut(m.Test, " ")
		require.True(t, ok, m.Name)
		files, err := filepath.Glob(filepath.Join("../..", pkg, "*_test.go"))
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(files, func(f string) bool {
			b, err := os.ReadFile(f)
			return err == nil && strings.Contains(string(b), "\nfunc "+name+"(t *testing.T) {")
		}), "%s: %s", m.Name, m.Test)
	}
}
