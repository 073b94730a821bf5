package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
)

func txnOps(outcome string) []history.Op {
	return []history.Op{{Kind: history.Txn, Key: "x/0", Meta: outcome + ".1 " + outcome + ".2", Member: "id"}, {Kind: history.Txn, Key: "x/1", Meta: outcome + ".3", Member: "id"}}
}

// transact writes three values in two partitions.
func (st *stage) transact(p int32, value string, end history.Type) *stage {
	st.add(p, history.Invoke, "txn", "", txnOps(value)...)
	if end != history.Invoke {
		st.add(p, end, "txn", "", txnOps(value)...)
	}
	return st
}

func (st *stage) sees(key, values string) *stage {
	return st.note(160, history.Op{Kind: history.Seen, Key: key, Meta: values})
}

func (st *stage) last(key, values, got string) *stage {
	return st.note(160, history.Op{Kind: history.Seen, Key: key, Meta: values, Member: "final", Timestamp: int64(st.v.now), Want: "end", Got: got})
}

func transactionStories() map[string]func(*testing.T) *stage {
	return map[string]func(*testing.T) *stage{
		"txn:committed": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.OK).last("x/0", "v1.1 v1.2", "").last("x/1", "", "").end()
		},
		"txn:torn": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.Info).last("x/0", "v1.1", "").last("x/1", "v1.3", "").end()
		},
		"txn:aborted-read": func(t *testing.T) *stage { return newStage(t).transact(16, "v1", history.Fail).sees("x/0", "v1.1") },
		"txn:aborted-read before": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.Invoke).sees("x/1", "v1.3").add(16, history.Fail, "txn", "", txnOps("v1")...)
		},
		"txn:duplicate": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.OK).last("x/0", "v1.1 v1.2 v1.1", "")
		},
		"txn:order": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.OK).last("x/0", "v1.2 v1.1", "").last("x/1", "v1.3", "").end()
		},
		"txn:phantom": func(t *testing.T) *stage { return newStage(t).sees("x/0", "v9.9") },
		"txn:hanging": func(t *testing.T) *stage {
			return newStage(t).transact(16, "v1", history.OK).last("x/0", "v1.1", "open")
		},
	}
}

func TestTransactionsThatAreNotWholeAreFound(t *testing.T) {
	for name, story := range transactionStories() {
		var f *Failure
		require.ErrorAs(t, story(t).e, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
	}
}

func TestWholeTransactionsAndThoseInDoubtAreNoFailure(t *testing.T) {
	st := newStage(t).transact(16, "v1", history.OK).transact(16, "v2", history.Fail).transact(16, "v3", history.Info).transact(16, "v4", history.Info)
	st.sees("x/0", "v1.1 v1.2 v3.1 v3.2").sees("x/0", "v1.1").last("x/0", "v1.1 v1.2 v3.1 v3.2", "").last("x/1", "v1.3 v3.3", "").end()
	require.NoError(t, st.e)
	n, _ := st.s.Checked()
	require.Greater(t, n["txn:committed"], int64(10))

	late := newStage(t).transact(16, "v1", history.OK).last("x/0", "v1.1 v1.2", "").transact(16, "v2", history.OK)
	require.NoError(t, late.last("x/1", "v1.3 v2.3", "").end().e, "a transaction that began after the last reading")

	lossy := newStage(t).transact(16, "v1", history.OK).note(-1, history.Op{Kind: history.Excuse, Key: transactionState + "/0"})
	require.NoError(t, lossy.last("x/0", "v1.1", "open").last("x/1", "", "").end().e, "a coordinator that has lost what it knew")
}
