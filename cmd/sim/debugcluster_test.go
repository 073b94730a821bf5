//go:build overlay

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A cluster repeats with the overlay alone: make overlay.
func TestASessionOfAClusterComesBackToWhatItShowed(t *testing.T) {
	all, err := session(t, "cluster-request-forwarded-twice", "event 6000\n"+looks+"partition t0/0\nback 2500\nnext 10\nviolation\nback 40ms\nevent 6000\n"+looks+"partition t0/0\n")
	require.NoError(t, err)
	require.Len(t, all, 20)
	require.Equal(t, all[1:8], all[13:])
	require.Contains(t, all[2], "quorum: ")
	require.Contains(t, all[7], "n3")
	require.Contains(t, all[10], "its trace is")
}
