package anomaly

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

const key = "t/0"

// tale is a history written by hand.
type tale struct{ events []*history.Event }

func (t *tale) add(p int32, ty history.Type, f, err string, ops ...history.Op) *tale {
	t.events = append(t.events, &history.Event{I: int64(len(t.events)), Process: p, Type: ty, F: f, Ops: ops, Err: err, Time: clock.Time(len(t.events)+1) * clock.Time(clock.Second)})
	return t
}

func val(n int64) history.Value { return history.MakeValue(1, n) }

func recs(from int64, values ...int64) []history.Record {
	var rs []history.Record
	for i, v := range values {
		o := from
		if o >= 0 {
			o += int64(i)
		}
		rs = append(rs, history.Record{Offset: o, Value: val(v)})
	}
	return rs
}

// send is an acks=all send in one go, at offsets from `from` on.
func (t *tale) send(p int32, ty history.Type, from int64, values ...int64) *tale {
	op := history.Op{Kind: history.Send, Key: key, Acks: -1, PID: -1, Attempts: 1, Records: recs(-1, values...)}
	t.add(p, history.Invoke, "send", "", op)
	op.Records = recs(from, values...)
	return t.add(p, ty, "send", "", op)
}

func (t *tale) idem(p int32, seq int32, from int64, values ...int64) *tale {
	t.send(p, history.OK, from, values...)
	for _, e := range t.events[len(t.events)-2:] {
		e.Ops[0].PID, e.Ops[0].Seq = 7, seq
	}
	return t
}

func (t *tale) poll(p int32, from int64, values ...int64) *tale {
	op := history.Op{Kind: history.Poll, Key: key, From: from, PID: -1, HW: -1, Start: -1}
	t.add(p, history.Invoke, "poll", "", op)
	op.Records = recs(from, values...)
	return t.add(p, history.OK, "poll", "", op)
}

func (t *tale) op(p int32, ty history.Type, op history.Op) *tale {
	t.add(p, history.Invoke, op.Kind.String(), "", op)
	return t.add(p, ty, op.Kind.String(), "", op)
}

func (t *tale) note(p int32, op history.Op) *tale {
	return t.add(p, history.Info, op.Kind.String(), "", op)
}

func (t *tale) healed() *tale { return t.note(-1, history.Op{Kind: history.Phase, Meta: "liveness"}) }

func good() *tale {
	t := &tale{}
	t.send(16, history.OK, 0, 1, 2).idem(17, 0, 2, 3).send(16, history.OK, 3, 4)
	t.poll(32, 0, 1, 2, 3).poll(32, 3, 4)
	t.op(34, history.OK, history.Op{Kind: history.Join, Key: "g", Generation: 1, Member: "m"})
	t.op(33, history.OK, history.Op{Kind: history.Commit, Key: "g|t/0", Offset: 4, Meta: "a", Generation: 1})
	t.op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: 4, Meta: "a"})
	t.op(34, history.OK, history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: 4})
	t.op(34, history.OK, history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: 4})
	t.op(34, history.OK, history.Op{Kind: history.InitProducerID, PID: 7, Offset: -1})
	t.note(33, history.Op{Kind: history.Own, Key: "g|t/0", Generation: 1, Member: "m"})
	t.op(35, history.OK, history.Op{Kind: history.Probe, Meta: "x", Want: "E", Got: "E"})
	t.begins(208, "a.1", "b.1").sees(224, "", "x/0", "a.1").commits(208).begins(224, "a.2", "b.2").sees(224, "", "x/1", "b.1").commits(224)
	t.sees(240, "final", "x/0", "a.1 a.2").sees(240, "final", "x/1", "b.1 b.2").calls(208, "init", 4, 0)
	return t.healed().note(32, history.Op{Kind: history.CaughtUp, Key: key, Offset: 4})
}

// begins has a client write a value to each of two partitions in a transaction.
func (t *tale) begins(p int32, a, b string) *tale {
	return t.add(p, history.Invoke, "txn", "", txnOps(a, b)...)
}

func txnOps(a, b string) []history.Op {
	return []history.Op{{Kind: history.Txn, Key: "x/0", Meta: a, Member: "id"}, {Kind: history.Txn, Key: "x/1", Meta: b, Member: "id"}}
}

// commits ends what the client began last.
func (t *tale) commits(p int32) *tale {
	return t.add(p+1, history.Invoke, "txn-call", "", history.Op{Kind: history.TxnCall, Key: "other", Meta: "commit"}).add(p, history.OK, "txn", "", txnOps("", "")...)
}

func (t *tale) sees(p int32, member, key, values string) *tale {
	return t.note(p, history.Op{Kind: history.Seen, Key: key, Meta: values, Member: member})
}

// calls has a coordinator give a producer its id and epoch.
func (t *tale) calls(p int32, what string, pid int64, epoch int32) *tale {
	op := history.Op{Kind: history.TxnCall, Key: "id", Meta: what, PID: -1, Epoch: -1, Offset: history.NoOffset}
	t.add(p+2, history.Invoke, "txn-call", "", op)
	op.Offset, op.Generation = pid, epoch
	return t.add(p+2, history.OK, "txn-call", "", op)
}

func TestACorrectHistoryIsValidAndEveryCheckerSawSomething(t *testing.T) {
	r := Check(good().events)
	require.Equal(t, true, r.Valid, "%+v", r.Checkers)
	require.Zero(t, r.Exit())
	for name, c := range r.Checkers {
		switch name {
		case "expired-alive", "aborted-read", "unanswered", "stuck", "precommitted-read", "bad-answer":
		default:
			require.Positive(t, c.Checked, name)
		}
	}
}

// corrupted histories, by the anomaly that must be found in them.
var corrupted = map[string]func() *tale{
	"inconsistent-offsets":  func() *tale { return good().poll(48, 0, 9) },
	"duplicate":             func() *tale { return good().poll(48, 4, 3) },
	"lost-write":            func() *tale { return (&tale{}).send(16, history.OK, 0, 1).send(16, history.OK, 1, 2).poll(32, 1, 2) },
	"unseen":                func() *tale { return good().send(16, history.OK, 4, 5) },
	"aborted-read":          func() *tale { return good().send(16, history.Fail, -1, 5).poll(32, 4, 5) },
	"phantom-offset":        func() *tale { return good().send(16, history.OK, 0, 5).poll(32, 4, 5) },
	"phantom-value":         func() *tale { return good().poll(32, 4, 77) },
	"int-poll-skip":         func() *tale { return good().gap(0, 1, 3, 4) },
	"int-nonmonotonic-poll": func() *tale { return good().gap(1, 2, 0, 1) },
	"poll-skip":             func() *tale { return good().poll(48, 0, 1).poll(48, 3, 4) },
	"nonmonotonic-poll":     func() *tale { return good().poll(48, 1, 2).poll(48, 0, 1) },
	"int-nonmonotonic-send": func() *tale { return good().twice(5, 5, 4, 6) },
	"int-send-skip":         func() *tale { return good().twice(4, 5, 6, 6).poll(32, 4, 5, 9) },
	"nonmonotonic-send":     func() *tale { return good().send(16, history.OK, 2, 5) },
	"precommitted-read": func() *tale {
		return good().add(64, history.Invoke, "txn", "").add(64, history.OK, "txn", "", history.Op{Kind: history.Send, Key: key, Acks: -1, PID: -1, Records: recs(4, 5)},
			history.Op{Kind: history.Poll, Key: key, From: 4, Records: recs(4, 5)})
	},
	"commit-regression": func() *tale {
		return good().op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: 3, Meta: "a"})
	},
	"expired-alive": func() *tale {
		return good().op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: -1, Generation: 1})
	},
	"double-owner": func() *tale {
		return good().note(49, history.Op{Kind: history.Own, Key: "g|t/0", Generation: 1, Member: "n"})
	},
	"list-offsets-regression": func() *tale {
		return good().op(34, history.OK, history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: 3})
	},
	"producer-id-reuse": func() *tale {
		return good().op(50, history.OK, history.Op{Kind: history.InitProducerID, PID: 7, Offset: -1})
	},
	"wrong-error": func() *tale {
		return good().op(35, history.Fail, history.Op{Kind: history.Probe, Meta: "x", Want: "E", Got: "F"})
	},
	// Two transactions stand in different orders in two partitions; two have read of each other before either asked for its commit; and one has read of
	// another that stands behind it.
	"G0": func() *tale {
		return good().begins(176, "c.1", "d.1").begins(192, "c.2", "d.2").commits(176).commits(192).sees(240, "final", "x/0", "c.1 c.2").sees(240, "final", "x/1", "d.2 d.1")
	},
	"G1c": func() *tale {
		return good().begins(176, "c.1", "d.1").begins(192, "c.2", "d.2").sees(176, "", "x/0", "c.2").sees(192, "", "x/1", "d.1").commits(176).commits(192)
	},
	"G1c-ww": func() *tale {
		return good().begins(176, "c.1", "d.1").begins(192, "c.2", "d.2").sees(176, "", "x/0", "c.2").commits(176).commits(192).sees(240, "final", "x/0", "c.1 c.2")
	},
	"M4": func() *tale { return good().calls(208, "init", 4, 0) },
	"bad-answer": func() *tale {
		return good().note(35, history.Op{Kind: history.Caught, Meta: "bad CRC", Got: "offset 4"})
	},
	"unanswered": func() *tale {
		return good().note(35, history.Op{Kind: history.Unheard, Meta: "Fetch", Offset: int64(1000 * clock.Second), Timestamp: int64(1010 * clock.Second)})
	},
	"stuck": func() *tale {
		t := good()
		for i := 0; i < 20; i++ {
			t.send(80, history.Info, -1, int64(100+i))
		}
		return t
	},
	"M1": func() *tale { return good().poll(48, 0) },
	"M2": func() *tale { return good().idem(17, 5, 4, 5) },
	"M3": func() *tale {
		return good().op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: 9, Meta: "a"})
	},
}

// gap is one poll of two records that do not stand side by side.
func (t *tale) gap(o1, v1, o2, v2 int64) *tale {
	t.poll(48, o1, v1)
	op := &t.events[len(t.events)-1].Ops[0]
	op.Records = append(op.Records, history.Record{Offset: o2, Value: val(v2)})
	return t
}

// twice is one operation with two sends.
func (t *tale) twice(o1, v1, o2, v2 int64) *tale {
	t.add(64, history.Invoke, "txn", "")
	a := history.Op{Kind: history.Send, Key: key, Acks: -1, PID: -1, Records: recs(o1, v1)}
	b := a
	b.Records = recs(o2, v2)
	return t.add(64, history.OK, "txn", "", a, b)
}

func TestEveryCorruptedHistoryIsRejectedByItsChecker(t *testing.T) {
	for _, c := range checkers {
		require.Contains(t, corrupted, c.name, "each anomaly has a history that it must find")
	}
	for name, make := range corrupted {
		r := Check(make().events)
		require.Positive(t, r.Checkers[name].Found, name)
		if r.Checkers[name].Judged {
			require.Equal(t, 1, r.Exit(), name)
		}
		require.NotEmpty(t, r.Checkers[name].Errors, name)
	}
}

func TestWhatIsReadOnceTheCommitIsAskedForIsNoCircle(t *testing.T) {
	late := good().begins(176, "c.1", "d.1").begins(192, "c.2", "d.2").sees(176, "", "x/0", "c.2").commits(192).sees(192, "", "x/1", "d.1").commits(176)
	require.Equal(t, true, Check(late.events).Valid)
	undone := good().begins(176, "c.1", "d.1").begins(192, "c.2", "d.2").sees(176, "", "x/0", "c.2").sees(192, "", "x/1", "d.1").commits(176).
		add(192, history.Fail, "txn", "INVALID_TXN_STATE", txnOps("c.2", "d.2")...)
	require.Zero(t, Check(undone.events).Checkers["G1c"].Found, "what was not committed is judged as a read of it")
}

func TestTheJSONOfAHistoryIsJudgedAsTheHistoryIs(t *testing.T) {
	for name, make := range corrupted {
		var b bytes.Buffer
		require.NoError(t, history.WriteAll(&b, make().events))
		r, err := CheckHistory(&b)
		require.NoError(t, err)
		require.Positive(t, r.Checkers[name].Found, name)
		out, err := json.Marshal(r)
		require.NoError(t, err)
		require.Contains(t, string(out), `"checkers"`)
	}
	_, err := CheckHistory(bytes.NewReader([]byte("{")))
	require.Error(t, err)
}

func TestWhatTheNotesExcuseIsNoAnomaly(t *testing.T) {
	lost := good().note(-1, history.Op{Kind: history.Excuse, Key: key, Offset: 3}).send(16, history.OK, 3, 8).poll(64, 0, 1, 2, 3, 8)
	require.Equal(t, true, Check(lost.events).Valid)
	deleted := good().send(16, history.OK, 4, 5).send(16, history.OK, 5, 6).op(96, history.OK, history.Op{Kind: history.DeleteRecords, Key: key, Offset: 5}).poll(64, 5, 6)
	require.Equal(t, true, Check(deleted.events).Valid)
	retained := good().send(16, history.OK, 4, 5).send(16, history.OK, 5, 6).op(96, history.OK, history.Op{Kind: history.ListOffsets, Key: key, Timestamp: earliest, Offset: 5}).poll(64, 5, 6)
	require.Equal(t, true, Check(retained.events).Valid)
	moved := good().poll(32, 0, 1, 2)
	moved.events = append(moved.events, &history.Event{I: int64(len(moved.events)), Process: 34, Type: history.Info, F: "seek", Keys: []string{key}})
	require.Equal(t, true, Check(moved.poll(32, 0, 1).events).Valid)
	copies := good().poll(64, 4, 1)
	require.Equal(t, false, Check(copies.events).Valid)
	for _, e := range copies.events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Send {
				o.Attempts = 2
			}
		}
	}
	require.Equal(t, true, Check(copies.events).Valid, "a repeated request of a producer that is not idempotent")
	late := good().op(33, history.Info, history.Op{Kind: history.Commit, Key: "g|t/0", Offset: 2, Meta: "b", Generation: 1}).
		op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: 2, Meta: "b"})
	require.Equal(t, true, Check(late.events).Valid)
}

func TestAGroupThatWasForgottenBeginsAgainWithTheFirstGeneration(t *testing.T) {
	again := good().op(36, history.OK, history.Op{Kind: history.Join, Key: "g", Generation: 1, Member: "n"})
	again.op(33, history.OK, history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: -1, Generation: 1})
	require.Zero(t, Check(again.events).Checkers["expired-alive"].Found)
}

// A commit that was given up takes effect behind another. The group is told so and goes on from there, and no further back.
func TestAGroupGoesOnFromACommitThatLandsLate(t *testing.T) {
	tell := func(offset int64) *tale {
		at := func(o int64, k history.Kind) history.Op { return history.Op{Kind: k, Key: "g|t/0", Offset: o} }
		return good().op(33, history.Info, at(3, history.Commit)).op(33, history.OK, at(9, history.Commit)).op(33, history.OK, at(3, history.FetchOffsets)).
			op(33, history.OK, at(5, history.Commit)).op(33, history.OK, at(offset, history.FetchOffsets))
	}
	require.Empty(t, Check(tell(5).events).Checkers["commit-regression"].Errors)
	require.NotEmpty(t, Check(tell(4).events).Checkers["commit-regression"].Errors)
}

// A client that asks another node where the leader is may be sent to one that was deposed, and does not know.
func TestADeposedLeaderMayListAnEarlierEnd(t *testing.T) {
	weak := func(meta string) history.Op { return history.Op{Kind: history.Weak, Key: key, Meta: meta} }
	back := history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: 3}
	require.NotEmpty(t, Check(good().op(34, history.OK, back).events).Checkers["list-offsets-regression"].Errors)
	require.Empty(t, Check(good().note(-1, weak("begin")).op(34, history.OK, back).note(-1, weak("end")).events).Checkers["list-offsets-regression"].Errors)
}
