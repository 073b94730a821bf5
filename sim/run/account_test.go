package run

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/report"
)

// reported runs a plan, and gives its trace and, if wanted, its report.
func reported(t *testing.T, p *plan.Plan, want bool) (trace string, r *report.Run) {
	t.Helper()
	run, err := Prepare(p)
	require.NoError(t, err)
	if want {
		run.Observe()
	}
	res := cluster.New(p, run.Options).Run()
	require.Nil(t, res.Violation)
	if want {
		r = run.Report(res)
	}
	return res.Trace, r
}

func keptPlan(t *testing.T, name string) *plan.Plan {
	t.Helper()
	b, err := os.ReadFile("../testdata/plans/" + name + ".json")
	require.NoError(t, err)
	p, err := plan.Decode(b)
	require.NoError(t, err)
	return p
}

func TestARunIsTheSameWithAReportAndWithout(t *testing.T) {
	for _, name := range []string{"m-P1", "delete-records-then-power-loss"} {
		plain, _ := reported(t, keptPlan(t, name), false)
		one, r := reported(t, keptPlan(t, name), true)
		again, q := reported(t, keptPlan(t, name), true)
		require.Equal(t, plain, one, name)
		require.Equal(t, one, again, name)
		require.Equal(t, bytesOf(t, r), bytesOf(t, q), name)
	}
}

func bytesOf(t *testing.T, r *report.Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteHTML(&b, nil))
	require.NoError(t, r.WriteLines(&b))
	return b.String()
}

func TestAReportHasWhatHappened(t *testing.T) {
	p := keptPlan(t, "m-P1")
	_, r := reported(t, p, true)
	require.Len(t, r.Lanes, 1)
	require.Greater(t, len(r.Lanes[0].Lives), 1, "the machine loses power")
	power := 0
	for _, s := range r.Spans {
		require.LessOrEqual(t, s.Begin, s.End)
		require.LessOrEqual(t, s.End, r.End)
		if s.Class == fault.D1.String() && s.Node == 1 {
			power++
			require.True(t, slices.ContainsFunc(r.Lanes[0].Lives, func(l report.Span) bool { return l.End == s.Begin && strings.Contains(l.Text, "lost its power") }))
			require.True(t, slices.ContainsFunc(r.Lanes[0].Lives, func(l report.Span) bool { return l.Begin == s.End }), "it is over when the next process starts")
		}
	}
	require.Positive(t, power)
	require.NotEmpty(t, r.Ops)
	sends, high := 0, int64(0)
	for i, o := range r.Ops {
		require.True(t, i == 0 || r.Ops[i-1].Begin <= o.Begin)
		if o.F == "send" && o.Type == "ok" {
			sends++
		}
	}
	require.Positive(t, sends)
	for _, x := range r.Parts {
		require.NotEmpty(t, x.Leaders, x.Key)
		for i, m := range x.Marks {
			require.LessOrEqual(t, m.Stable, m.High, x.Key)
			require.LessOrEqual(t, m.High, m.End, x.Key)
			require.True(t, i == 0 || x.Marks[i-1].At <= m.At)
			high = max(high, m.High)
		}
	}
	require.Positive(t, high)
	require.Nil(t, r.Violation)
}

// The messages before a violation, of a run in which one is made up when it is over.
func TestAReportOfAViolationHasTheMessagesBeforeIt(t *testing.T) {
	p := keptPlan(t, "m-P1")
	run, err := Prepare(p)
	require.NoError(t, err)
	run.Observe()
	res := cluster.New(p, run.Options).Run()
	res.Violation = &engine.Violation{Property: "I:I3", Was: "v2.96", Is: "node 0 t1/0 offset 96: nothing", At: res.Virtual}
	r := run.Report(res)
	require.Equal(t, "t1/0", r.Violation.Key)
	about, produced := 0, map[string]int{}
	for _, m := range r.Messages {
		require.True(t, m.Taken < 0 || m.Taken >= m.Sent)
		require.True(t, m.From == 1 && m.To < 0 || m.From < 0 && m.To == 1, "%+v", m)
		if m.About {
			about++
			what, _, _ := strings.Cut(strings.Replace(m.What, "answer to ", "answer:", 1), " ")
			produced[what]++
		}
	}
	require.Positive(t, about)
	require.Positive(t, produced["Produce"])
	require.LessOrEqual(t, produced["answer:Produce"], produced["Produce"], "%v", produced)
	require.Positive(t, produced["answer:Produce"], "%v", produced)
}

func TestAPartitionIsFoundInAText(t *testing.T) {
	keys := []string{"t/1", "t/12", "x-t/1", "t/2"}
	for text, want := range map[string]string{"node 1 t/12 offset 3": "t/12", "of t/1: x": "t/1", "x-t/1": "x-t/1", "nothing": "", "at/2": "", "g|t/2": "t/2"} {
		require.Equal(t, want, named(text, keys), text)
	}
}

func TestOffsetsAreTakenDownLessOftenOnceTheyAreMany(t *testing.T) {
	x := &partAccount{part: report.Part{Step: 1}, open: map[int]int{}}
	for i := range int64(100_000) {
		x.mark(report.Offset{At: i * 2, End: i})
	}
	p := x.done(200_000)
	require.LessOrEqual(t, len(p.Marks), maxMarks+2)
	require.Greater(t, len(p.Marks), maxMarks/4)
	require.Equal(t, int64(99_999), p.Marks[len(p.Marks)-1].End, "the last one counts")
}

func TestOperationsBeyondTheBoundAreThinnedAndCounted(t *testing.T) {
	a := &account{cut: map[string]int64{}, j: &Judge{}}
	for i := range int32(3 * maxOps) {
		ends := history.OK
		if i%1000 == 0 {
			ends = history.Fail
		}
		a.j.Events = append(a.j.Events, &history.Event{Process: 16, Type: history.Invoke, F: "send", Time: 1}, &history.Event{Process: 16, Type: ends, F: "send", Time: 2})
	}
	ops := a.ops(10, &focus{})
	require.LessOrEqual(t, len(ops), maxOps)
	require.Equal(t, int64(3*maxOps-len(ops)), a.cut["operations"])
	failed := 0
	for _, o := range ops {
		if o.Type == "fail" {
			failed++
		}
	}
	require.Equal(t, 3*maxOps/1000, failed, "what failed stays")
}
