package jepsen

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestANodeThatCannotStartEndsTheRunAtOnceWithWhatItSaid(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "broker")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho error: the port is taken >&2\nexit 3\n"), 0o755))
	_, err := Start(context.Background(), &Config{System: Seedlog, Broker: program, Nodes: 3, Time: time.Second, Seed: 1, Workload: "log", Flush: "ack", Loopback: true, Out: dir, Say: t.Logf})
	require.ErrorIs(t, err, errFallen)
	require.ErrorContains(t, err, ", code 3:")
	require.ErrorContains(t, err, "the port is taken")
}
