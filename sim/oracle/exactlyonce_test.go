package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
)

// copies is a transaction that copies values of copy-in to partition 0 of copy.
func (st *stage) copies(made, of string, end history.Type) *stage {
	op := history.Op{Kind: history.Txn, Key: "copy/0", Meta: made, Want: of, Member: "id"}
	return st.add(24, history.Invoke, "txn", "", op).add(24, end, "txn", "", op)
}

// given is the input as a reader sees it: three records of client 1.
func given(t *testing.T) *stage {
	st := newStage(t).op(16, history.OK, "", history.Op{Kind: history.Send, Key: "copy-in/0", Acks: -1, PID: -1, Records: recs(0, 0, 1, 2)})
	return st.op(32, history.OK, "", history.Op{Kind: history.Poll, Key: "copy-in/0", From: 0, HW: 3, Start: 0, Batches: 1, Records: recs(0, 0, 1, 2)})
}

// resent is the same input, of requests that were sent twice.
func resent(t *testing.T) *stage {
	st := newStage(t)
	for i := range int64(3) {
		st.op(16, history.OK, "", history.Op{Kind: history.Send, Key: "copy-in/0", Acks: -1, PID: -1, Attempts: 2, Records: recs(i, i)})
	}
	return st.op(32, history.OK, "", history.Op{Kind: history.Poll, Key: "copy-in/0", From: 0, HW: 3, Start: 0, Batches: 3, Records: recs(0, 0, 1, 2)})
}

func copyStories(t *testing.T) map[string]*stage {
	return map[string]*stage{
		"I:T10 twice":          given(t).copies("v5.0 v5.1 v5.2", "v1.0 v1.1 v1.2", history.OK).copies("v5.3", "v1.1", history.OK).last("copy/0", "v5.0 v5.1 v5.2 v5.3", ""),
		"I:T10 not at all":     given(t).copies("v5.0 v5.1", "v1.0 v1.1", history.OK).last("copy/0", "v5.0 v5.1", "").end(),
		"I:T10 after an abort": given(t).copies("v5.0 v5.1 v5.2", "v1.0 v1.1 v1.2", history.Fail).copies("v5.3", "v1.0", history.OK).last("copy/0", "v5.3", "").end(),
	}
}

func TestWhatIsCopiedTwiceOrNotAtAllIsFound(t *testing.T) {
	for name, st := range copyStories(t) {
		var f *Failure
		require.ErrorAs(t, st.e, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
	}
}

func TestWhatIsCopiedOnceIsNoFailure(t *testing.T) {
	st := given(t).copies("v5.0 v5.1", "v1.0 v1.1", history.Fail).copies("v5.2 v5.3", "v1.0 v1.1", history.OK).copies("v5.4", "v1.2", history.Info)
	st.last("copy/0", "v5.2 v5.3 v5.4", "").end()
	require.NoError(t, st.e)
	n, _ := st.s.Checked()
	require.Greater(t, n["I:T10"], int64(4))

	late := resent(t).copies("v5.0 v5.1 v5.2", "v1.0 v1.1 v1.2", history.OK).last("copy/0", "v5.0 v5.1 v5.2", "")
	late.op(16, history.Info, "", history.Op{Kind: history.Send, Key: "copy-in/0", Acks: -1, PID: -1, Attempts: 1, Records: recs(4, 3)})
	late.op(32, history.OK, "", history.Op{Kind: history.Poll, Key: "copy-in/0", From: 3, HW: 5, Start: 0, Batches: 2, Records: append(recs(3, 1), recs(4, 3)...)})
	require.NoError(t, late.end().e, "a request that came after the last reading had begun, one of them a second time")

	again := resent(t).op(32, history.OK, "", history.Op{Kind: history.Poll, Key: "copy-in/0", From: 3, HW: 4, Start: 0, Batches: 1, Records: recs(3, 1)})
	again.copies("v5.0 v5.1 v5.2 v5.3", "v1.0 v1.1 v1.2 v1.1", history.OK).last("copy/0", "v5.0 v5.1 v5.2 v5.3", "").end()
	require.NoError(t, again.e, "what stands in the input twice")

	lost := given(t).copies("v5.0 v5.1 v5.2", "v1.0 v1.1 v1.2", history.OK).note(-1, history.Op{Kind: history.Excuse, Key: "__consumer_offsets/0"}).copies("v5.3", "v1.1", history.OK)
	require.NoError(t, lost.last("copy/0", "v5.0 v5.1 v5.2 v5.3", "").end().e, "a group that may have lost its offsets")
}
