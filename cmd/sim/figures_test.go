package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiguresAddUpByReleaseWhatRunsPrinted(t *testing.T) {
	const out = `{"seed":7,"plan":"sha256:ab"}
not json
{"summary":{"seeds":3,"passed":2,"failed":1,"virtual_ms":7200000,"cpu_ms":36000,"events":1500,"checked":{"I:I3":2000,"history":5,"history:M1 weak reads":7},"faults":{"F:D1":4},"failing":[9]}}
`
	kept, err := summaries(strings.NewReader(out), "0.1")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(kept), "\n"))
	again, err := summaries(strings.NewReader(out), "0.2")
	require.NoError(t, err)
	page, err := figuresOf([]byte(string(kept) + string(kept) + string(again)))
	require.NoError(t, err)
	s := string(page)
	require.Contains(t, s, "| 0.1 | 2 | 6 | 2 | 0 | 0 | 4.0 | 0.02 | 200 | 300 | 3,000 | 4,000 |\n| 0.2 | 1 | 3 | 1 |")
	require.Contains(t, s, "## Faults in 0.2")
	require.Contains(t, s, "| F:D1 | power is lost: what was not synced stays, tears or goes | 4 |")
	require.Contains(t, s, "| I:I3 |")
	require.NotContains(t, s, "weak reads", "a part of what another name counts")
	_, err = figuresOf([]byte("{\n"))
	require.Error(t, err)
	require.NotContains(t, s, "## Numbers", "these runs said nothing of kinds")
	empty, err := figuresOf(nil)
	require.NoError(t, err)
	require.NotContains(t, string(empty), "## Faults")
}

func TestFiguresKeepARunOnceAndTellOfKindsAndWindows(t *testing.T) {
	const out = `{"summary":{"seeds":3,"cpu_ms":36000,"checked":{},"faults":{},"fault_kinds":{"F:N5 ring":2,"F:D5":0},"unchecked_windows":1,"operations":5000,"judged_ms":300}}
{"summary":{"seeds":4,"cpu_ms":36000,"checked":{},"faults":{},"fault_kinds":{"F:N5 ring":1,"F:D5":0},"operations":1000,"judged_ms":60}}
`
	lines, err := summaries(strings.NewReader(out), "0.1")
	require.NoError(t, err)
	kept := appendNew(appendNew(nil, lines), lines)
	require.Equal(t, string(lines), string(kept))
	page, err := figuresOf(kept)
	require.NoError(t, err)
	require.Contains(t, string(page), "1 windows of histories were not decided. Histories of 6,000 operations were checked, 1,000,000 a minute of the processor.")
	require.Contains(t, string(page), "1 of 2 kinds of fault, a way of a class counting as one, fired; these never: F:D5.")
	require.Contains(t, string(page), "| F:N5 ring | 3 |")
}
