package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain makes this program of tests the simulator where a session starts it as the process of a run.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "debug" {
		os.Exit(dispatch(os.Args[1], os.Args[2:]))
	}
	os.Exit(m.Run())
}

// session runs a script over a kept plan, as a user would.
func session(t *testing.T, plan, script string) (sections []string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "debug", "-plan", "../../sim/testdata/plans/"+plan+".json")
	cmd.Env = append(os.Environ(), "PLAN=", "SEED=", "FLUSH=", "MUTANT=")
	cmd.Stdin = strings.NewReader(script)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	require.Empty(t, errs.String())
	return strings.Split("\n"+strings.TrimSpace(out.String()), "\n> ")[1:], err
}

const looks = "where; node 1; net; disk 1; history; trace 100\n"

func TestASessionComesBackToWhatItShowed(t *testing.T) {
	all, err := session(t, "m-P1", "to 12s\n"+looks+"back 700\nviolation\nto 12s\n"+looks)
	require.NoError(t, err)
	require.Len(t, all, 16)
	require.Equal(t, all[1:7], all[10:])
	require.Contains(t, all[1], "mono=")
	require.Contains(t, all[8], "its trace is")
}

func TestASessionThatSaysNonsenseFails(t *testing.T) {
	all, err := session(t, "m-P1", "fly\nto 1s\n")
	require.Error(t, err)
	require.Contains(t, all[0], "help lists them")
	require.Contains(t, all[1], "at 0.")
}
