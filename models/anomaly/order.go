package anomaly

import (
	"sort"

	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// steps calls f for each pair of neighbours within one poll of a key, with the distance of their ranks.
func (x *index) steps(r *Result, f func(key string, e int64, a, b history.Record, delta int)) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.polls {
			if c.Type != history.OK {
				continue
			}
			for i := 1; i < len(c.Op.Records); i++ {
				a, b := c.Op.Records[i-1], c.Op.Records[i]
				r.Checked++
				f(name, c.Return, a, b, k.rank(b.Offset)-k.rank(a.Offset))
			}
		}
	}
}

// intPollSkip: within one poll, a known record is left out.
func intPollSkip(x *index, r *Result) {
	x.steps(r, func(key string, e int64, a, b history.Record, delta int) {
		if delta > 1 {
			r.fault("%s: one poll (event %d) goes from offset %d to %d over %d records", key, e, a.Offset, b.Offset, delta-1)
		}
	})
}

// intNonmonotonicPoll: within one poll, offsets go back or stand still.
func intNonmonotonicPoll(x *index, r *Result) {
	x.steps(r, func(key string, e int64, a, b history.Record, delta int) {
		if delta < 1 {
			r.fault("%s: one poll (event %d) goes from offset %d to %d", key, e, a.Offset, b.Offset)
		}
	})
}

// place is where a client stands in a partition, or, for ListOffsets, one of its processes.
type place struct {
	who int32
	key string
}

type stand struct{ offset, event int64 }

// walks calls f for the last record of a client's poll of a key and the first of its next, unless it was assigned anew, moved or was
// put back in between. A client has a process for each broker that it reads from; its position moves with the partition's leader.
func (x *index) walks(r *Result, f func(key string, k *keyIndex, from, to stand, delta int)) {
	last := map[place]stand{}
	for _, e := range x.events {
		switch {
		case e.F == "assign" || e.F == "seek" || e.F == "subscribe" || e.F == "own" || e.F == "disown":
			forget(last, e)
		case e.F == "poll" && e.Type == history.Fail && e.Err == "OFFSET_OUT_OF_RANGE":
			forget(last, e)
		case e.Type != history.OK:
			continue
		}
		for i := range e.Ops {
			o := &e.Ops[i]
			if o.Kind != history.Poll || e.Type != history.OK || len(o.Records) == 0 {
				continue
			}
			at := place{int32(history.ClientOf(e.Process)), o.Key}
			first, end := o.Records[0], o.Records[len(o.Records)-1]
			k := x.byKey[o.Key]
			if was, ok := last[at]; ok && k != nil {
				r.Checked++
				f(o.Key, k, was, stand{first.Offset, e.I}, k.rank(first.Offset)-k.rank(was.offset))
			}
			last[at] = stand{end.Offset, e.I}
		}
	}
}

// forget drops where a client stood: all its processes share one position a key.
func forget(last map[place]stand, e *history.Event) {
	for at := range last {
		if at.who == int32(history.ClientOf(e.Process)) {
			delete(last, at)
		}
	}
}

// pollSkip: between two polls of a process, a known record is left out.
func pollSkip(x *index, r *Result) {
	x.walks(r, func(key string, k *keyIndex, from, to stand, delta int) {
		if delta > 1 && to.offset > k.removed && !k.excused(from.offset, 0, to.event) {
			r.fault("%s: polls go from offset %d (event %d) to %d (event %d) over %d records", key, from.offset, from.event, to.offset, to.event, delta-1)
		}
	})
}

// nonmonotonicPoll: between two polls of a process, offsets go back or stand still.
func nonmonotonicPoll(x *index, r *Result) {
	x.walks(r, func(key string, k *keyIndex, from, to stand, delta int) {
		if delta < 1 && !k.excused(to.offset, 0, to.event) {
			r.fault("%s: polls go from offset %d (event %d) back to %d (event %d)", key, from.offset, from.event, to.offset, to.event)
		}
	})
}

// sendSteps calls f for neighbours within one acknowledged operation.
func (x *index) sendSteps(r *Result, f func(key string, k *keyIndex, e int64, a, b history.Record)) {
	for _, e := range x.events {
		if e.Type != history.OK {
			continue
		}
		last := map[string]history.Record{}
		for i := range e.Ops {
			o := &e.Ops[i]
			if o.Kind != history.Send {
				continue
			}
			for _, rec := range o.Records {
				if rec.Offset < 0 {
					continue
				}
				if was, ok := last[o.Key]; ok {
					r.Checked++
					f(o.Key, x.byKey[o.Key], e.I, was, rec)
				}
				last[o.Key] = rec
			}
		}
	}
}

// intNonmonotonicSend: within one operation, a later send stands no higher than an earlier one.
func intNonmonotonicSend(x *index, r *Result) {
	x.sendSteps(r, func(key string, _ *keyIndex, e int64, a, b history.Record) {
		if b.Offset <= a.Offset {
			r.fault("%s: one operation (event %d) sends to offset %d, then to %d", key, e, a.Offset, b.Offset)
		}
	})
}

// intSendSkip: within one operation, sends do not stand side by side. Legal: other producers interleave.
func intSendSkip(x *index, r *Result) {
	x.sendSteps(r, func(key string, k *keyIndex, e int64, a, b history.Record) {
		if k != nil && k.rank(b.Offset)-k.rank(a.Offset) > 1 {
			r.fault("%s: one operation (event %d) sends to offset %d and %d", key, e, a.Offset, b.Offset)
		}
	})
}

// nonmonotonicSend: a process's later send stands no higher than an earlier one of its own; so too across the processes of one idempotent
// producer, in the order of its sequence.
func nonmonotonicSend(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		last := map[int32]*models.Call{}
		for _, c := range k.sends {
			if !certain(c) || len(c.Op.Records) == 0 || c.Op.Records[0].Offset < 0 || k.sentBy[c.Op.Records[0].Value][0] != c {
				continue
			}
			if was := last[c.Process]; was != nil {
				r.Checked++
				compareSends(name, k, was, c, r)
			}
			last[c.Process] = c
		}
		if !x.facts.ProducersExpire { // a producer that expired may be answered in any order, as in Kafka
			x.sequences(name, k, r)
		}
	}
}

func compareSends(name string, k *keyIndex, was, c *models.Call, r *Result) {
	end := was.Op.Records[len(was.Op.Records)-1].Offset
	if first := c.Op.Records[0].Offset; first <= end && !k.excused(first, was.Call, c.Return) {
		r.fault("%s: a send to offset %d (event %d) is followed by one to %d (event %d)", name, end, was.Return, first, c.Return)
	}
}

type producerKey struct {
	pid   int64
	epoch int16
}

func (x *index) sequences(name string, k *keyIndex, r *Result) {
	last := map[producerKey]*models.Call{}
	byCall := append([]*models.Call(nil), k.sends...)
	sort.SliceStable(byCall, func(i, j int) bool { return byCall[i].Call < byCall[j].Call })
	for _, c := range byCall {
		if !certain(c) || c.Op.PID < 0 || len(c.Op.Records) == 0 || k.sentBy[c.Op.Records[0].Value][0] != c {
			continue
		}
		at := producerKey{c.Op.PID, c.Op.Epoch}
		if was := last[at]; was != nil {
			r.Checked++
			compareSends(name, k, was, c, r)
		}
		last[at] = c
	}
}

// listOffsetsRegression: a process is told a latest offset below one that it was told before. The earliest may go back after a crash.
func listOffsetsRegression(x *index, r *Result) {
	type at struct {
		place
		ts int64
	}
	last := map[at]stand{}
	for i := range x.calls {
		c := &x.calls[i]
		if c.Op.Kind != history.ListOffsets || c.Type != history.OK || c.Op.Timestamp != -1 {
			continue
		}
		p := at{place{c.Process, c.Op.Key}, c.Op.Timestamp}
		if was, ok := last[p]; ok {
			r.Checked++
			k := x.byKey[c.Op.Key]
			if c.Op.Offset < was.offset && !x.weak.Weak(c.Op.Key, c.Call, c.Return) && (k == nil || !k.excused(c.Op.Offset, was.event, c.Return)) {
				r.fault("%s: ListOffsets(%d) goes from %d (event %d) back to %d (event %d)", c.Op.Key, c.Op.Timestamp, was.offset, was.event, c.Op.Offset, c.Return)
			}
		}
		last[p] = stand{c.Op.Offset, c.Return}
	}
}
