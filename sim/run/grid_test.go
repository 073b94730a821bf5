package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// told records what clients asked and were told, in order.
type toldHistory struct{ events []*history.Event }

func (h *toldHistory) add(client int, t history.Type, ops ...history.Op) {
	h.events = append(h.events, &history.Event{I: int64(len(h.events)), Process: history.ProcessOf(client, 0), Type: t, F: ops[0].Kind.String(), Time: clock.Time(len(h.events)), Ops: ops})
}

func (h *toldHistory) send(client int, t history.Type, acks int16, first int64, values ...int64) {
	op := history.Op{Kind: history.Send, Key: "t/0", Acks: acks}
	asked := op
	for i, v := range values {
		r := history.Record{Offset: history.NoOffset, Value: history.MakeValue(client, v)}
		asked.Records = append(asked.Records, r)
		if r.Offset = first + int64(i); first < 0 {
			r.Offset = history.NoOffset
		}
		op.Records = append(op.Records, r)
	}
	h.add(client, history.Invoke, asked)
	if t != 0 {
		h.add(client, t, op)
	}
}

func (h *toldHistory) poll(client int, first int64, values ...history.Value) {
	op := history.Op{Kind: history.Poll, Key: "t/0", From: first}
	h.add(client, history.Invoke, op)
	for i, v := range values {
		op.Records = append(op.Records, history.Record{Offset: first + int64(i), Value: v})
	}
	h.add(client, history.OK, op)
}

func TestAGridTellsWhatProducersWereToldAndWhatReadersSaw(t *testing.T) {
	v := history.MakeValue
	h := &toldHistory{}
	h.send(1, history.OK, -1, 0, 0, 1)
	h.send(1, history.OK, 1, 2, 2)
	h.send(1, 0, -1, -1, 3)
	h.send(1, history.Fail, -1, -1, 4)
	h.send(2, history.OK, -1, 1, 9) // where v1.1 stands already
	h.poll(3, 0, v(1, 0), v(1, 1), v(1, 2), v(1, 3))
	h.poll(4, 3, v(1, 3), v(1, 4))
	h.poll(4, 1, v(2, 9))
	g := known(h.events)["t/0"].grid()
	require.Equal(t, "a!lur", g.Told)
	require.Equal(t, []report.Reader{{Client: 3, Saw: "ssss."}, {Client: 4, Saw: ".!.ss"}}, g.Readers)
	require.Equal(t, int64(5), g.Records)
	rows := near(h.events, known(h.events), &focus{key: "t/0", offset: 1, ok: true})
	require.Equal(t, int64(1), rows[1].Offset)
	require.Equal(t, "v1.1", rows[1].Value)
	require.Equal(t, 1, rows[1].Sender)
	require.Equal(t, []string{"v1.1", "v2.9"}, []string{rows[1].Saw[0].Value, rows[1].Saw[1].Value})
	require.Equal(t, int64(4), rows[len(rows)-1].Offset, "behind it nothing is known")
}

func TestAGridOfTransactionsStandsInTheOrderOfReading(t *testing.T) {
	h := &toldHistory{}
	txn := func(client int, end history.Type, values string) {
		op := history.Op{Kind: history.Txn, Key: "x/0", Meta: values}
		h.add(client, history.Invoke, op)
		if end != 0 {
			h.add(client, end, op)
		}
	}
	txn(1, history.OK, "v1.0 v1.1")
	txn(2, history.Fail, "v2.0")
	txn(3, 0, "v3.0")
	h.add(4, history.Info, history.Op{Kind: history.Seen, Key: "x/0", Meta: "v1.1 v1.0"})
	g := known(h.events)["x/0"].grid()
	require.True(t, g.ByRead)
	require.Equal(t, "ccxo", g.Told)
	require.Equal(t, []report.Reader{{Client: 4, Saw: "ss.."}}, g.Readers)
}

func TestALongGridIsSummedUp(t *testing.T) {
	h := &toldHistory{}
	for i := range int64(10_000) {
		h.send(1, history.OK, -1, i, i)
	}
	h.poll(2, 0, history.MakeValue(1, 0))
	g := known(h.events)["t/0"].grid()
	require.LessOrEqual(t, len(g.Told), gridCells)
	require.Equal(t, byte(report.SawSome), g.Readers[0].Saw[0])
	require.Equal(t, int64(10_000), g.Records)
}

func TestTheRecordInQuestionIsFoundInTheText(t *testing.T) {
	h := &toldHistory{}
	h.send(1, history.OK, -1, 7, 5, 6)
	for is, want := range map[string]int64{"node 1 t/0 offset 8: nothing": 8, "it was v1.6": 8, "its log ends at 100": 100, "start 3, synced 9, end 12": 12, "nothing": -1} {
		f := focused(&report.Violation{Key: "t/0", Is: is}, h.events)
		require.Equal(t, want >= 0, f.ok, is)
		if f.ok {
			require.Equal(t, want, f.offset, is)
		}
	}
}
