package mutant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/plan"
)

// The scoreboard has each mutant of the catalogue, once, and for each that is killed a plan is kept, which is the one that the row names.
func TestTheScoreboardHasEachMutantAndItsPlan(t *testing.T) {
	own, three := pageRows(t)
	require.Len(t, own, len(All()))
	for _, m := range All() {
		require.True(t, strings.HasPrefix(own[m.Name], rowHead(m.Name)), m.Name)
		if strings.Contains(own[m.Name], " not killed | ") {
			continue
		}
		sum, err := sumOf(m.Name)
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
	first, rest, ok := strings.Cut(string(b), "\n## ")
	require.True(t, ok)
	rows := func(text string) map[string]string {
		m := map[string]string{}
		for _, line := range strings.Split(text, "\n") {
			if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| m:"), " |"); ok && strings.HasPrefix(line, "| m:") {
				require.Empty(t, m[name], name)
				m[name] = line
			}
		}
		return m
	}
	return rows(first), rows(rest)
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
	page := Page([]Result{r}, nil)
	require.Empty(t, Differs(page, &r))
	for _, change := range []func(r *Result){
		func(r *Result) { r.Name = "R6" }, func(r *Result) { r.Killed = false }, func(r *Result) { r.Oracle = "I:I2" }, func(r *Result) { r.Plan = "sha256:1" },
	} {
		other := r
		change(&other)
		require.NotEmpty(t, Differs(page, &other))
	}
	lost := Result{Name: "R5", Tries: 3}
	page = Page([]Result{lost}, nil)
	require.Empty(t, Differs(page, &lost))
	require.NotEmpty(t, Differs(page, &r))
}
