package models

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// sighting is one offset at which a value was read, and when that was first known.
type sighting struct{ offset, ret int64 }

// sightings are the offsets of each value, the one that was known first at the front.
type sightings map[history.Value][]sighting

func firstReads(calls []Call) sightings {
	seen := sightings{}
	for i := range calls {
		k := &calls[i]
		if k.Op.Kind != history.Poll || k.Type != history.OK {
			continue
		}
		for _, r := range k.Op.Records {
			seen.add(r.Value, sighting{r.Offset, k.Return})
		}
	}
	for _, at := range seen {
		slices.SortStableFunc(at, func(a, b sighting) int { return cmp.Compare(a.ret, b.ret) })
	}
	return seen
}

func (s sightings) add(v history.Value, at sighting) {
	for i, was := range s[v] {
		if was.offset == at.offset {
			s[v][i].ret = min(was.ret, at.ret)
			return
		}
	}
	s[v] = append(s[v], at)
}

// lateCopies are the appends that one send may have left besides its own: a try that its client gave up on, or that the network
// repeated, reaches a partition which has let the producer expire in the meantime, and is taken as the producer's first batch (KIP-360).
// A copy that was read is an operation like any other. One that nobody read is possible only where as many offsets are unknown.
func lateCopies(k *Call, seen sightings, room int64) (copies []porcupine.Operation) {
	own := producerOperation(k, seen)
	for _, at := range seen[k.Op.Records[0].Value] {
		op := *own.Input.(*producerOp)
		if op.offset == at.offset {
			continue
		}
		op.err, op.offset = "", at.offset
		op.what = fmt.Sprintf("copy of the %s, at offset %d", op.what, at.offset)
		copies = append(copies, porcupine.Operation{ClientId: own.ClientId, Input: &op, Call: own.Call, Return: max(at.ret, own.Call)})
	}
	if len(copies) == 0 && k.Op.Attempts > 1 && room >= int64(len(k.Op.Records)) {
		op := *own.Input.(*producerOp)
		op.err, op.offset, op.maybe = "", history.NoOffset, true
		op.what = "copy, if there is one, of the " + op.what
		copies = append(copies, porcupine.Operation{ClientId: own.ClientId, Input: &op, Call: own.Call, Return: Never})
	}
	return copies
}

// lostCopies are the appends of a send whose answer was lost, and then the batch too: it was sent again, and what is known of it is of the
// last time. The batches that were taken behind the first one are in order because of it.
func lostCopies(k *Call, seen sightings, ex []excuse) (copies []porcupine.Operation) {
	if k.Op.Attempts < 2 {
		return nil
	}
	own := producerOperation(k, seen)
	for _, x := range ex {
		if x.At < k.Call || x.At > own.Return {
			continue
		}
		op := *own.Input.(*producerOp)
		op.err, op.offset, op.maybe = "", history.NoOffset, true
		op.what = "copy, lost if there was one, of the " + op.what
		copies = append(copies, porcupine.Operation{ClientId: own.ClientId, Input: &op, Call: own.Call, Return: x.At})
	}
	return copies
}

// unknownRun is the length of the longest run of offsets of which no answer says what stood there.
func unknownRun(calls []Call) (longest int64) {
	known, end := []int64{-1}, int64(0)
	for i := range calls {
		k := &calls[i]
		if k.Type != history.OK {
			continue
		}
		end = max(end, k.Op.HW)
		if k.Op.Kind == history.ListOffsets && k.Op.Timestamp == -1 {
			end = max(end, k.Op.Offset)
		}
		if k.Op.Kind != history.Poll && !k.certain() {
			continue
		}
		for _, r := range k.Op.Records {
			known = append(known, r.Offset)
		}
	}
	slices.Sort(known)
	known = append(known, max(end, known[len(known)-1]+1))
	for i := 1; i < len(known); i++ {
		longest = max(longest, known[i]-known[i-1]-1)
	}
	return longest
}
