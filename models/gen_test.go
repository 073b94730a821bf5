package models

import (
	"strconv"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/history"
)

// world is a correct broker of one partition and one group offset, atomic in the middle of each operation: the source of valid histories.
type world struct {
	src    *prng.Source
	events []*history.Event
	log    []history.Value
	commit history.Op
	gen    int32
	procs  []proc
	n      int64
}

// proc is one process: idle, invoked (effect outstanding) or done (answer outstanding).
type proc struct {
	stage int // 0 idle, 1 invoked, 2 effect done
	op    history.Op
	seq   int32
}

const key = "t/0"

func generate(seed uint64, procs, steps int) []*history.Event {
	w := &world{src: prng.New(seed), procs: make([]proc, procs), commit: history.Op{Offset: -1}, gen: 1}
	for i := 0; i < steps; i++ {
		w.step(w.src.Intn(procs))
	}
	for i := range w.procs {
		for w.procs[i].stage != 0 {
			w.step(i)
		}
	}
	return w.events
}

func (w *world) emit(p int, t history.Type, op history.Op) {
	op.Records = append([]history.Record(nil), op.Records...)
	w.events = append(w.events, &history.Event{I: int64(len(w.events)), Process: int32(p), Type: t, F: op.Kind.String(), Ops: []history.Op{op}})
}

func (w *world) step(i int) {
	p := &w.procs[i]
	switch p.stage {
	case 0:
		p.op = w.draw(i)
		w.emit(i, history.Invoke, p.op)
	case 1:
		w.apply(i)
	case 2:
		t := history.OK
		if p.op.Kind == history.Send && p.op.PID < 0 && w.src.Permille(100) { // an idempotent producer with an unknown batch would start anew
			t = history.Info
			for j := range p.op.Records {
				p.op.Records[j].Offset = history.NoOffset
			}
		}
		w.emit(i, t, p.op)
	}
	p.stage = (p.stage + 1) % 3
}

// draw: odd processes are idempotent producers or plain ones, even ones read.
func (w *world) draw(i int) history.Op {
	op := history.Op{Key: key, Acks: -1, PID: -1, From: -1, HW: -1, Start: -1, Offset: -1, Attempts: 1}
	if i%2 == 1 {
		op.Kind = history.Send
		if i%4 == 1 {
			op.PID, op.Seq = int64(i), w.procs[i].seq
		}
		for k := 0; k <= w.src.Intn(3); k++ {
			op.Records = append(op.Records, history.Record{Offset: history.NoOffset, Value: history.MakeValue(i, w.n)})
			w.n++
		}
		w.procs[i].seq += int32(len(op.Records))
		return op
	}
	switch w.src.Intn(5) {
	case 0:
		op.Kind, op.Timestamp = history.ListOffsets, -1
	case 1:
		w.n++
		op.Kind, op.Key, op.Offset, op.Generation, op.Meta = history.Commit, "g|t/0", int64(w.src.Intn(len(w.log)+1)), w.gen, "m"+strconv.FormatInt(w.n, 10)
	case 2:
		op.Kind, op.Key = history.FetchOffsets, "g|t/0"
	default:
		op.Kind, op.From = history.Poll, int64(w.src.Intn(len(w.log)+1))
		if w.src.Permille(500) {
			op.From = int64(len(w.log))
		}
	}
	return op
}

func (w *world) apply(i int) {
	op := &w.procs[i].op
	switch op.Kind {
	case history.Send:
		for j := range op.Records {
			op.Records[j].Offset = int64(len(w.log))
			w.log = append(w.log, op.Records[j].Value)
		}
	case history.ListOffsets:
		op.Offset = int64(len(w.log))
	case history.Commit:
		w.commit = *op
	case history.FetchOffsets:
		op.Offset, op.Meta = w.commit.Offset, w.commit.Meta
	case history.Poll:
		for o := op.From; o < int64(len(w.log)) && len(op.Records) < 8; o++ {
			op.Records = append(op.Records, history.Record{Offset: o, Value: w.log[o]})
		}
	}
}

// clone copies a history deeply enough to change it.
func clone(events []*history.Event) []*history.Event {
	out := make([]*history.Event, len(events))
	for i, e := range events {
		c := *e
		c.Ops = append([]history.Op(nil), e.Ops...)
		for j := range c.Ops {
			c.Ops[j].Records = append([]history.Record(nil), c.Ops[j].Records...)
		}
		out[i] = &c
	}
	return out
}
