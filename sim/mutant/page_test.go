package mutant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/plan"
)

// The scoreboard has each mutant of the catalogue, once, and a plan that is kept is the one that the row names.
func TestTheScoreboardHasEachMutantAndItsPlan(t *testing.T) {
	b, err := os.ReadFile("../../" + PageName)
	require.NoError(t, err)
	own, _, ok := strings.Cut(string(b), "\n## ")
	require.True(t, ok)
	rows := map[string]string{}
	for _, line := range strings.Split(own, "\n") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| m:"), " |"); ok && strings.HasPrefix(line, "| m:") {
			require.Empty(t, rows[name], name)
			rows[name] = line
		}
	}
	require.Len(t, rows, len(All()))
	for _, m := range All() {
		row := rows[m.Name]
		require.True(t, strings.HasPrefix(row, rowHead(m.Name)), m.Name)
		file, err := os.ReadFile(filepath.Join("../testdata/plans", "m-"+m.Name+".json"))
		if os.IsNotExist(err) {
			require.NotContains(t, row, "* |", m.Name)
			continue
		}
		require.NoError(t, err)
		p, err := plan.Decode(file)
		require.NoError(t, err)
		require.Contains(t, row, "* | "+short(p.Sum())+" |", m.Name)
	}
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
