package history

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
)

func sample() []*Event {
	return []*Event{
		{I: 0, Process: Nemesis, Type: Info, F: "config", Ops: []Op{{Kind: Config, Acks: -1, PID: -1, From: -1, HW: -1, Start: -1, Offset: -1, Meta: "flush=ack"}}, Time: 1},
		{I: 1, Process: 16, Type: Invoke, F: "send", Time: 2, Ops: []Op{{Kind: Send, Key: "t/0", Acks: 1, PID: 7, Epoch: 2, Seq: 9, From: -1, HW: -1, Start: -1, Offset: -1,
			Records: []Record{{-1, MakeValue(1, 3)}, {-1, MakeValue(1, 4)}}}}},
		{I: 2, Process: 16, Type: OK, F: "send", Time: 3, Ops: []Op{{Kind: Send, Key: "t/0", Acks: 1, PID: 7, Epoch: 2, Seq: 9, Attempts: 2, From: -1, HW: -1, Start: -1, Offset: -1,
			Records: []Record{{0, MakeValue(1, 3)}, {1, MakeValue(1, 4)}}}}},
		{I: 3, Process: 32, Type: OK, F: "poll", Time: 4, Ops: []Op{{Kind: Poll, Key: "t/0", Acks: -1, PID: -1, From: 0, HW: 2, Start: 0, Batches: 1, Offset: -1,
			Records: []Record{{0, MakeValue(1, 3)}, {1, MakeValue(1, 4)}}}}},
		{I: 4, Process: 33, Type: Fail, F: "commit", Time: 5, Err: "ILLEGAL_GENERATION", Ops: []Op{{Kind: Commit, Key: "g|t/0", Acks: -1, PID: -1, From: -1, HW: -1, Start: -1, Offset: 2, Generation: 3, Member: "m", Meta: "x"}}},
		{I: 5, Process: 32, Type: Invoke, F: "assign", Time: 6, Keys: []string{"t/0", "t/1"}},
	}
}

func TestAHistoryReadAgainIsTheHistoryWritten(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteAll(&b, sample()))
	got, err := ReadAll(&b)
	require.NoError(t, err)
	require.Equal(t, sample(), got)
}

func TestTheLineHasTheShapeThatOthersRead(t *testing.T) {
	e := &Event{I: 0, Process: 3, Type: OK, F: "send", Time: 1, Ops: []Op{{Kind: Send, Key: "k", PID: -1, Records: []Record{{12, MakeValue(3, 1)}}}}}
	require.Equal(t, `{"i":0,"process":3,"type":"ok","f":"send","value":[["send","k",[12,"v3.1"],{"acks":0,"pid":-1}]],"t_ns":1}`, string(e.AppendJSON(nil)))
}

func TestAForeignHistoryIsRead(t *testing.T) {
	in := `{"i":0,"process":3,"type":"ok","f":"txn","value":[["send","k",[12,"v"]],["send","k",[13,7]],["poll",{"k":[[1,"v"],[2,5]],"j":[]}]],"t_ns":1}` + "\n\n" +
		`{"i":1,"process":"nemesis","type":"info","f":"kill","value":["n1"],"t_ns":1}`
	got, err := ReadAll(strings.NewReader(in))
	require.NoError(t, err)
	require.Len(t, got, 2)
	ops := got[0].Ops
	require.Len(t, ops, 3)
	require.Len(t, ops[0].Records, 2)
	require.Equal(t, int16(-1), ops[0].Acks)
	require.Equal(t, "j", ops[1].Key)
	require.Equal(t, ops[0].Records[0].Value, ops[2].Records[0].Value, "the same text is the same value")
	require.Equal(t, int32(Nemesis), got[1].Process)
}

func TestAMalformedLineIsAnErrorWithItsNumber(t *testing.T) {
	for _, in := range []string{"{", `{"type":"maybe"}`, `{"type":"ok","value":[[]]}`, `{"type":"ok","value":[["fly","k"]]}`, `{"type":"ok","value":[["send","k"]]}`,
		`{"type":"ok","value":[["send","k",[1]]]}`, `{"type":"ok","value":[["poll",3]]}`, `{"type":"ok","value":[3]}`, `{"type":"ok","value":[["commit","k","x"]]}`} {
		_, err := ReadAll(strings.NewReader("\n" + in))
		require.ErrorContains(t, err, "line 2", in)
	}
}

func TestValuesRoundTripThroughTheirText(t *testing.T) {
	for _, v := range []Value{MakeValue(0, 0), MakeValue(3, 17), MakeValue(1<<20, 1<<40-1)} {
		got, ok := ParseValue(append(v.AppendText(nil), " padding"...))
		require.True(t, ok)
		require.Equal(t, v, got)
	}
	for _, s := range []string{"", "v", "v1", "v1.", "v.1", "x1.1", "v1.x", "v1.1.1", "v1 .1"} {
		_, ok := ParseValue([]byte(s))
		require.False(t, ok, s)
	}
}

func TestTheRecorderNumbersEvents(t *testing.T) {
	var got []*Event
	r := NewRecorder(func() clock.Time { return 5 }, func(e *Event) { got = append(got, e) })
	r.Op(1, Invoke, "", Op{Kind: Send})
	r.Note(Nemesis, Op{Kind: Phase})
	require.Equal(t, int64(1), got[1].I)
	require.Equal(t, "phase", got[1].F)
	require.Equal(t, int64(2), r.Len())
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	_ = WriteAll(&b, sample())
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		events, err := ReadAll(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, WriteAll(&out, events))
	})
}
