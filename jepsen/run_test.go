package jepsen

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
)

// program is the broker under test, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "seedlog-jepsen-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	program = filepath.Join(dir, "broker")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/broker").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(2)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// short runs a workload for some seconds on loopback, where every machine can.
func short(t *testing.T, workload string, kinds ...string) *Run {
	t.Helper()
	if testing.Short() {
		t.Skip("three processes")
	}
	t.Parallel()
	r, err := Start(context.Background(), &Config{System: Seedlog, Broker: program, Nodes: 3, Time: 4 * time.Second, Seed: 1, Workload: workload, Nemesis: kinds, Flush: "ack",
		Loopback: true, Out: t.TempDir(), Say: t.Logf})
	require.NoError(t, err)
	return r
}

func TestWhatClientsSawOfKilledAndPausedBrokersIsFineAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "log", "kill", "pause")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	require.Positive(t, v.Nemesis["kill"])
	require.Positive(t, v.Nemesis["pause"])
	require.NoError(t, r.Save(v))
	var b bytes.Buffer
	require.NoError(t, r.rec.Write(&b))
	again, err := history.ReadAll(&b)
	require.NoError(t, err)
	require.Equal(t, v.Checkers["M1"].Checked, oracle.CheckHistory(again).Checkers["M1"].Checked, "the file says the same")
	rejected(t, r.rec.Events(), r.work.must(), logCorruptions)
}

func TestWhatReadersSawOfTransactionsIsFineAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "txn", "kill", "pause")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	rejected(t, r.rec.Events(), r.work.must(), txnCorruptions)
}

func TestWhatGroupsWereToldOfTheirOffsetsIsFineAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "offsets", "kill", "join")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	rejected(t, r.rec.Events(), r.work.must(), offsetsCorruptions)
}

func TestWhatMembersOfGroupsOwnedReadAndCommittedIsFineAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "group", "kill")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	rejected(t, r.rec.Events(), r.work.must(), groupCorruptions)
}

func TestWhatAGroupCopiedInTransactionsIsThereOnceAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "copy", "kill")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	rejected(t, r.rec.Events(), r.work.must(), copyCorruptions)
}

func TestWhatBrokersSaidOfTopicsIsFineAndOnceFalsifiedIsNot(t *testing.T) {
	r := short(t, "metadata", "kill")
	v := r.Verdict()
	require.Equal(t, true, v.Valid, "%v %s", v.Violations, v.Harness)
	rejected(t, r.rec.Events(), r.work.must(), metadataCorruptions)
}
