package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
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
	return st.note(160, history.Op{Kind: history.Seen, Key: key, Meta: values, From: -1})
}

func (st *stage) last(key, values, got string) *stage {
	return st.note(160, history.Op{Kind: history.Seen, Key: key, Meta: values, From: -1, Member: "final", Timestamp: int64(st.v.now), Want: "end", Got: got})
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

// takes is an answer to a fetch that was begun at an event, with the reader's position behind it, the last stable offset and the high watermark.
func (st *stage) takes(key, values string, begun, from, next, stable, hw int64) *stage {
	return st.note(160, history.Op{Kind: history.Seen, Key: key, Meta: values, Generation: int32(begun), From: from, Offset: next, HW: stable, Start: hw})
}

// moves transfers an amount from one partition to another.
func (st *stage) moves(p int32, n, amount int64) *stage {
	a, b := sideOf(n, -amount), sideOf(n, amount)
	ops := []history.Op{{Kind: history.Txn, Key: "transfers/0", Meta: a, Member: "id"}, {Kind: history.Txn, Key: "transfers/1", Meta: b, Member: "id"}}
	return st.add(p, history.Invoke, "txn", "", ops...).add(p, history.Info, "txn", "", ops...)
}

func sideOf(n, amount int64) string {
	return history.MakeValue(1, n<<14+amount+transferAmounts/2).String()
}

func cutStories() map[string]func(*testing.T) *stage {
	return map[string]func(*testing.T) *stage{
		"txn:cut": func(t *testing.T) *stage {
			st := newStage(t).transact(16, "v1", history.OK).transact(16, "v2", history.OK).takes("x/1", "v1.3 v2.3", 0, 0, 6, 6, 6)
			return st.takes("x/0", "", st.i, 0, 3, 3, 3)
		},
		"txn:intermediate-read of what is gone": func(t *testing.T) *stage {
			st := newStage(t).transact(16, "v1", history.Info).takes("x/0", "v1.1 v1.2", 0, 0, 3, 9, 9)
			return st.last("x/0", "", "").last("x/1", "", "").end()
		},
		"txn:intermediate-read of a part": func(t *testing.T) *stage {
			st := newStage(t).transact(16, "v1", history.OK).transact(16, "v2", history.OK).takes("x/0", "v1.1 v2.1 v2.2", 0, 0, 3, 9, 9)
			return st.last("x/0", "v1.1 v1.2 v2.1 v2.2", "").last("x/1", "v1.3 v2.3", "").end()
		},
		"txn:order-refused": func(t *testing.T) *stage {
			return newStage(t).note(16, history.Op{Kind: history.TxnCall, Key: "id", Meta: "order", Want: "x/0", Got: "OUT_OF_ORDER_SEQUENCE_NUMBER"})
		},
		"txn:prompt": func(t *testing.T) *stage {
			st := newStage(t).heal().transact(16, "v1", history.OK)
			return st.waits("v1", st.v.now, 20*clock.Second)
		},
		"txn:sum": func(t *testing.T) *stage {
			// Nothing is torn here; the amounts are wrong.
			ops := []history.Op{{Kind: history.Txn, Key: "transfers/0", Meta: sideOf(1, 5), Member: "id"}}
			st := newStage(t).add(16, history.Invoke, "txn", "", ops...).add(16, history.OK, "txn", "", ops...)
			return st.last("transfers/0", sideOf(1, 5), "").end()
		},
	}
}

func TestReadersThatSeeWhatNoOrderOfTransactionsShowsAreFound(t *testing.T) {
	for name, story := range cutStories() {
		var f *Failure
		require.ErrorAs(t, story(t).e, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
	}
}

// waits is a long fetch that brings something so long after it was sent.
func (st *stage) waits(value string, asked clock.Time, d clock.Duration) *stage {
	st.v.now = asked.Add(d)
	return st.note(160, history.Op{Kind: history.Seen, Key: "x/0", Meta: value + ".1 " + value + ".2", From: -1, Timestamp: int64(asked), Batches: int32(longWait)})
}

func TestALongFetchMayWaitWhereATransactionIsOpen(t *testing.T) {
	open := newStage(t).heal().transact(16, "v1", history.OK).transact(32, "v2", history.Invoke)
	require.NoError(t, open.waits("v1", open.v.now, 20*clock.Second).e)
	lost := newStage(t).heal().transact(16, "v1", history.OK).transact(32, "v2", history.Info)
	require.NoError(t, lost.waits("v1", lost.v.now, 20*clock.Second).e, "it may be open until it has timed out")
	require.NoError(t, newStage(t).heal().transact(16, "v1", history.OK).waits("v1", clock.Time(3*clock.Second), clock.Second).e)
}

func TestReadersWithAnOpenTransactionInFrontOfThemMayMissWhatIsBehindIt(t *testing.T) {
	two := func() *stage {
		return newStage(t).transact(16, "v1", history.OK).transact(16, "v2", history.OK).takes("x/1", "v1.3 v2.3", 0, 0, 6, 6, 6)
	}
	require.NoError(t, two().takes("x/0", "", 5, 0, 3, 3, 9).e, "another transaction is open there")
	require.NoError(t, two().takes("x/0", "", 2, 0, 3, 3, 3).e, "the request was older than what was seen")
	require.NoError(t, two().takes("x/0", "v1.1 v1.2", 5, 0, 6, 6, 6).e, "of the newest one nothing need be there yet")
	weak := two().note(-1, history.Op{Kind: history.Weak, Key: "x/0", Meta: "begin"})
	require.NoError(t, weak.takes("x/0", "", weak.i, 0, 3, 3, 3).e, "a leader that was deposed")
	again := newStage(t).transact(16, "v1", history.OK).takes("x/0", "v1.1 v1.2", 0, 0, 3, 3, 3).takes("x/0", "v1.1 v1.2", 0, 0, 3, 3, 3)
	require.NoError(t, again.last("x/0", "v1.1 v1.2", "").last("x/1", "v1.3", "").end().e, "read from the start again")
	moved := newStage(t).moves(16, 1, 5).moves(16, 2, 7)
	require.NoError(t, moved.last("transfers/0", sideOf(1, -5)+" "+sideOf(2, -7), "").last("transfers/1", sideOf(1, 5)+" "+sideOf(2, 7), "").end().e)
	n, _ := moved.s.Checked()
	require.Positive(t, n["txn:sum"])
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

func TestAProducerOfTheOldProtocolThatMayHaveExpiredMayBeToldToBeginAnew(t *testing.T) {
	for expire, want := range map[string]bool{"0": true, "1": false} {
		st := newStage(t).note(-1, history.Op{Kind: history.Config, Meta: "producers-expire=" + expire})
		st.note(16, history.Op{Kind: history.TxnCall, Key: "id", Meta: "order", Want: "x/0", Got: "OUT_OF_ORDER_SEQUENCE_NUMBER", Member: "old"})
		require.Equal(t, want, st.e != nil, "expire=%s", expire)
	}
}

// The last reading of a partition may have been of a leader that was deposed, and did not know: it ends where that one's log does.
func TestALastReadingOfADeposedLeaderIsNotWhole(t *testing.T) {
	weak := func(meta string) history.Op { return history.Op{Kind: history.Weak, Key: "x/0", Meta: meta} }
	require.Error(t, newStage(t).transact(16, "v1", history.OK).last("x/0", "", "").last("x/1", "v1.3", "").end().e)
	require.NoError(t, newStage(t).transact(16, "v1", history.OK).note(-1, weak("begin")).last("x/0", "", "").note(-1, weak("end")).last("x/1", "v1.3", "").end().e)
}
