package oracle

import (
	"fmt"
	"math"

	"github.com/seedlog/seedlog/sim/history"
)

// epochEnds: what leaders answer to OffsetForLeaderEpoch (KIP-101, KIP-320) agrees with what was read before they were asked. All offsets below the
// answer are of the epoch asked about or of earlier ones, and all at or above it of later ones, so:
//
//	 epoch 3      epoch 4          epoch 6
//	|------------|----------------|--------  what was read, asked about epoch 5
//	                        floor ▲▲ ceiling
//
// A reader that is told less than the floor takes what it has read for lost, and goes back. A deposed leader began with all that was committed in epochs
// before its own, and wrote all of its own, so the floor binds it too; a ceiling, and what others have acknowledged since, bind only who still leads.
// Where the batches of an epoch are deleted, it ends where the log begins.
type epochEnds struct {
	quiet
	g     *ghosts
	read  map[string][]epochRead
	asked map[int32][]epochBounds // by process
}

// epochRead is what is known to have been read of a leader epoch: first is the lowest offset known to be of it, end stands behind the highest.
type epochRead struct {
	epoch      int32
	first, end int64
}

// epochBounds are what an answer must lie between, as it was when the question was asked. shown is the end of all that was exposed.
type epochBounds struct {
	key                   string
	floor, ceiling, shown int64
}

func (x *epochEnds) Name() string { return "epoch-end" }

func (x *epochEnds) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Excuse:
			x.excuse(o)
		case o.Kind == history.EpochEnd && e.Type == history.Invoke:
			x.invoked(e, i)
		case e.Type != history.OK || x.g.stale[e.Process]:
		case o.Kind == history.Poll:
			x.polled(e, o)
		case o.Kind == history.EpochEnd:
			if err := x.answered(e, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// invoked keeps what bounds the answers to a question. What is read while it is under way may come after the answer.
func (x *epochEnds) invoked(e *history.Event, i int) {
	if x.asked == nil {
		x.asked = map[int32][]epochBounds{}
	}
	if i == 0 {
		x.asked[e.Process] = x.asked[e.Process][:0]
	}
	o := &e.Ops[i]
	b := epochBounds{key: o.Key, ceiling: math.MaxInt64, shown: x.g.of(o.Key).exposed}
	for _, r := range x.read[o.Key] {
		if r.epoch <= o.Generation {
			b.floor = max(b.floor, r.end)
		} else {
			b.ceiling = min(b.ceiling, r.first)
		}
	}
	x.asked[e.Process] = append(x.asked[e.Process], b)
}

func (x *epochEnds) answered(e *history.Event, o *history.Op) error {
	topic, _ := history.SplitKey(o.Key)
	if x.g.deleted[topic] || o.Seq < o.Generation { // epochs of a topic that is made anew begin again; and who asks about later ones than the leader's is told nothing
		return nil
	}
	x.checks++
	what := fmt.Sprintf("%s: %s, leader of epoch %d, says where epoch %d ended", o.Key, o.Member, o.Seq, o.Generation)
	if o.Batches > o.Generation {
		return fail(x.Name(), what+", and of which epoch that is", e.I, fmt.Sprintf("at most %d", o.Generation), itoa(int64(o.Batches)))
	}
	for _, b := range x.asked[e.Process] {
		if b.key != o.Key {
			continue
		}
		weak, h := x.g.lagging(e, o.Key), x.g.of(o.Key)
		switch {
		case o.Offset < b.floor:
			return fail(x.Name(), what, e.I, "read in that epoch or before it up to "+itoa(b.floor), itoa(o.Offset))
		case o.Offset > max(b.ceiling, h.removable) && !h.retains && !weak:
			return fail(x.Name(), what, e.I, "read in a later epoch from "+itoa(b.ceiling), itoa(o.Offset))
		case o.Generation == o.Seq && o.Offset < b.shown && !weak:
			return fail(x.Name(), what+", its own", e.I, "shown up to "+itoa(b.shown), itoa(o.Offset))
		}
	}
	return nil
}

// polled notes of which epoch the last record of a poll is. What was excused, and may be shown still by who has not heard of it, is not noted.
func (x *epochEnds) polled(e *history.Event, o *history.Op) {
	if len(o.Records) == 0 {
		return
	}
	at := o.Records[len(o.Records)-1].Offset
	if h := x.g.of(o.Key); h.doubtEnd > h.doubtFrom && at >= h.doubtFrom && at < h.doubtEnd && x.g.lagging(e, o.Key) {
		return
	}
	if x.read == nil {
		x.read = map[string][]epochRead{}
	}
	list := x.read[o.Key]
	for i := range list {
		if r := &list[i]; r.epoch == o.Generation {
			r.first, r.end = min(r.first, at), max(r.end, at+1)
			return
		}
	}
	x.read[o.Key] = append(list, epochRead{o.Generation, at, at + 1})
}

// excuse forgets what may be gone from now on.
func (x *epochEnds) excuse(o *history.Op) {
	for _, k := range x.g.keys {
		if o.Key != "" && o.Key != k || len(x.read[k]) == 0 {
			continue
		}
		kept := x.read[k][:0]
		for _, r := range x.read[k] {
			if r.end = min(r.end, max(o.Offset, 0)); r.first < r.end {
				kept = append(kept, r)
			}
		}
		x.read[k] = kept
	}
}
