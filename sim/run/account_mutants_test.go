//go:build mutants

package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/report"
)

func TestTheReportOfAFailingPlanShowsItsViolation(t *testing.T) {
	plant.Active = plant.P1
	defer func() { plant.Active = 0 }()
	s, r := failing(t)
	for _, want := range []string{"a promise did not hold on partition " + r.Violation.Key, report.Guarantee(r.Violation.Property), "What went wrong", "n1 loses its power", "is told that its batch with offset 96",
		"offset 96 is synced and committed", "finds t1/0 with end", "Produce v", "class=\"arrow", "The records around it"} {
		require.Contains(t, s, want)
	}
	again, _ := failing(t)
	require.Equal(t, s, again, "the same bytes")
}

// failing runs a kept plan with its mutant, and gives its report as bytes too.
func failing(t *testing.T) (bytes string, r *report.Run) {
	run, err := Prepare(keptPlan(t, "m-P1"))
	require.NoError(t, err)
	run.Observe()
	res := cluster.New(run.Judge.plan, run.Options).Run()
	require.NotNil(t, res.Violation)
	r = run.Report(res)
	r.Verdict = report.Fail
	require.NotEmpty(t, r.Violation.Key)
	return bytesOf(t, r), r
}
