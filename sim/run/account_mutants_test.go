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
	run, err := Prepare(keptPlan(t, "m-P1"))
	require.NoError(t, err)
	run.Observe()
	res := cluster.New(run.Judge.plan, run.Options).Run()
	require.NotNil(t, res.Violation)
	r := run.Report(res)
	r.Verdict = report.Fail
	require.NotEmpty(t, r.Violation.Key)
	s := bytesOf(t, r)
	for _, want := range []string{"a promise did not hold on partition " + r.Violation.Key, report.Guarantee(res.Violation.Property), "What came before", "lost its power", "Produce v", "class=\"arrow"} {
		require.Contains(t, s, want)
	}
}
