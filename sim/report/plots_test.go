package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARunOfRealProcessesHasPlotsAndASimulatedOneHasNone(t *testing.T) {
	r := broken()
	require.Empty(t, r.plots())
	r.System = "seedlog, workload <log>"
	r.Spans = append(r.Spans, Span{Begin: 1e9, End: 2e9, Class: Real + "kill", Text: "n1 & n2"})
	plots := r.plots()
	require.Len(t, plots, 2+len(r.names()), "raw, rate, and quantiles of each kind")
	page := written(t, r, nil)
	require.Contains(t, page, "Latency, raw")
	require.Contains(t, page, "kill, 1.000 s to 2.000 s: n1 &amp; n2")
	require.Contains(t, page, "seedlog, workload &lt;log&gt;")
	require.NotContains(t, page, "NaN")
	require.NotContains(t, page, "All times are virtual")
	require.Equal(t, len(r.Ops), strings.Count(string(plots[0].SVG), "h0")-4, "each operation is a point; four are the key")
}

func TestLatenciesStandOnALogarithmicScale(t *testing.T) {
	c := &canvas{end: 100}
	require.Equal(t, c.y(0), c.logY(0))
	require.Equal(t, c.y(0), c.logY(1e5))
	require.Equal(t, c.y(0.5), c.logY(1e8))
	require.Equal(t, c.y(1), c.logY(1e15))
	require.Equal(t, plotLeft, c.x(0))
}
