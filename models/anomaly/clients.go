package anomaly

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// stuckAfter is how long a client of a healed cluster may go without a success.
const stuckAfter = 30 * clock.Second

// notes calls f for each micro-operation of a kind.
func (x *index) notes(k history.Kind, f func(e *history.Event, o *history.Op)) {
	for _, e := range x.events {
		for i := range e.Ops {
			if e.Ops[i].Kind == k {
				f(e, &e.Ops[i])
			}
		}
	}
}

// badAnswer: a client saw bytes that no broker may send.
func badAnswer(x *index, r *Result) {
	for i := range x.calls {
		if x.calls[i].Op.Kind == history.Poll {
			r.Checked += int64(x.calls[i].Op.Batches)
		}
	}
	rotten := false
	x.notes(history.Copy, func(_ *history.Event, o *history.Op) { rotten = rotten || o.Meta == history.Rotten })
	x.notes(history.Caught, func(e *history.Event, o *history.Op) {
		r.Checked++
		if rotten && o.Meta == history.BadBatch {
			return // records are sent unread: the reader was able to see it
		}
		r.fault("%s %s: %s (event %d)", o.Key, o.Meta, o.Got, e.I)
	})
}

// wrongError: a misbehaving client did not get the one error that it should.
func wrongError(x *index, r *Result) {
	x.notes(history.Probe, func(e *history.Event, o *history.Op) {
		if x.facts.ProducersExpire && strings.HasPrefix(o.Meta, "sequence ") {
			return // a repeated sequence is no duplicate once its producer id has expired
		}
		switch e.Type {
		case history.OK:
			r.Checked++
		case history.Fail:
			r.Checked++
			r.fault("%s: was to be answered with %s, was answered with %s (event %d)", o.Meta, o.Want, o.Got, e.I)
		}
	})
}

// unanswered: a request sent after healing got no answer.
func unanswered(x *index, r *Result) {
	for _, e := range x.events {
		if x.healed > 0 && e.Time >= x.healed && e.Type == history.OK {
			r.Checked++
		}
	}
	x.notes(history.Unheard, func(e *history.Event, o *history.Op) {
		if x.healed > 0 && clock.Time(o.Offset) >= x.healed {
			r.fault("%s sent at %d ms by client %d was not answered by %d ms", o.Meta, o.Offset/1e6, history.ClientOf(e.Process), o.Timestamp/1e6)
		}
	})
}

// stuck: a client that keeps asking in a healed cluster has no success for long.
func stuck(x *index, r *Result) {
	type line struct {
		client int
		f      string
	}
	since := map[line]clock.Time{}
	for _, e := range x.events {
		if x.healed == 0 || e.Time < x.healed || e.F != "send" && e.F != "poll" && e.F != "join" {
			continue
		}
		at := line{history.ClientOf(e.Process), e.F}
		dropped := e.Type == history.Fail && e.Err == "assignment changed" // an answer came, to a question that no longer stood
		if e.Type == history.OK || dropped || e.F == "send" && e.Type == history.Info && len(e.Ops) > 0 && e.Ops[0].Acks == 0 {
			r.Checked++
			delete(since, at)
			continue
		}
		start, waiting := since[at]
		switch {
		case e.Type == history.Invoke && !waiting:
			since[at] = e.Time
		case waiting && e.Time.Sub(start) > stuckAfter:
			r.fault("client %d: no %s succeeded between %d and %d ms", at.client, at.f, start/1e6, e.Time/1e6)
			delete(since, at)
		}
	}
}

// doubleOwner: two members own one partition in one generation.
func doubleOwner(x *index, r *Result) {
	type held struct {
		key        string
		generation int32
	}
	owner, lastAnew := map[held]string{}, map[string]int64{}
	lossy := x.lossyOffsets()
	x.notes(history.Own, func(e *history.Event, o *history.Op) {
		for len(lossy) > 0 && lossy[0] < e.I { // the group may begin again from generation 1, and a late answer may tell of the old one
			clear(owner)
			lossy = lossy[1:]
		}
		if began := x.began(o.Key, e.I); began >= 0 {
			if began > lastAnew[o.Key] {
				lastAnew[o.Key] = began
				maps.DeleteFunc(owner, func(at held, _ string) bool { return at.key == o.Key })
			}
			if !x.toldSince(o, began, e.I) {
				return
			}
		}
		if x.late(o, e.I) {
			return
		}
		at := held{o.Key, o.Generation}
		r.Checked++
		if was, ok := owner[at]; ok && was != o.Member && !x.facts.OffsetsExpire {
			r.fault("%s in generation %d: %s owns it, and so does %s (event %d)", o.Key, o.Generation, was, o.Member, e.I)
		}
		owner[at] = o.Member
	})
}

// began is when the group of a group key last began anew before an event, -1: it did not.
func (x *index) began(groupKey string, before int64) int64 {
	began := int64(-1)
	group, _, _ := strings.Cut(groupKey, "|")
	for _, at := range models.Notes(x.events, history.Anew, group) {
		if at < before {
			began = at
		}
	}
	return began
}

// toldSince says that the membership behind an Own was asked for, and answered, between two events.
func (x *index) toldSince(own *history.Op, from, to int64) bool {
	group, _, _ := strings.Cut(own.Key, "|")
	return slices.ContainsFunc(x.calls, func(c models.Call) bool {
		return c.Op.Kind == history.Join && c.Type == history.OK && strings.TrimSuffix(c.Op.Key, "+") == group && c.Op.Generation == own.Generation &&
			c.Op.Member == own.Member && c.Call > from && c.Return < to
	})
}

// late says that the membership behind an Own was asked for before an excuse and answered after it.
func (x *index) late(own *history.Op, at int64) bool {
	lossy := x.lossyOffsets()
	if len(lossy) == 0 {
		return false
	}
	for i := range x.calls {
		c := &x.calls[i]
		if c.Op.Kind != history.Join || c.Type != history.OK || c.Return > at || c.Op.Generation != own.Generation || c.Op.Member != own.Member {
			continue
		}
		for _, l := range lossy {
			if c.Call < l && l < c.Return {
				return true
			}
		}
	}
	return false
}

// commitRegression: a group is told an offset below one whose commit was acknowledged before it asked.
func commitRegression(x *index, r *Result) {
	if x.facts.OffsetsExpire {
		return
	}
	commits := map[string][]*models.Call{}
	for i := range x.calls {
		if c := &x.calls[i]; c.Op.Kind == history.Commit && c.Type != history.Fail {
			commits[c.Op.Key] = append(commits[c.Op.Key], c)
		}
	}
	lossy := x.lossyOffsets()
	landed := map[string]landing{}
	for i := range x.calls {
		c := &x.calls[i]
		if c.Op.Kind != history.FetchOffsets || c.Type != history.OK {
			continue
		}
		if x.weak.Weak(c.Op.Key, c.Call, c.Return) {
			continue // a coordinator that was deposed may tell of the past
		}
		floor, event := floorOf(commits[c.Op.Key], c, landed[c.Op.Key])
		r.Checked++
		if c.Op.Offset < floor && mayLand(commits[c.Op.Key], c) {
			landed[c.Op.Key] = landing{c.Op.Offset, c.Return}
			continue
		}
		if c.Op.Offset < floor && !(len(lossy) > 0 && lossy[0] < c.Return) {
			r.fault("%s: offset %d was committed (event %d), the group is told %d (event %d)", c.Op.Key, floor, event, c.Op.Offset, c.Return)
		}
	}
}

// expiredAlive: an offset that was committed by a member is gone, though the group has had members ever since (KIP-211). Each generation that somebody is told of has some, and
// a group without any is a generation too: so none was in between where all of them are known. One that has been forgotten begins again with the first.
func expiredAlive(x *index, r *Result) {
	type generation struct {
		group string
		n     int32
	}
	alive, last, gone := map[generation]bool{}, map[string]*models.Call{}, map[string]bool{}
	x.notes(history.DeleteTopic, func(_ *history.Event, o *history.Op) { gone[o.Key] = true })
	lossy := x.lossyOffsets()
	for i := range x.calls {
		if c := &x.calls[i]; c.Op.Kind == history.Join && c.Type == history.OK {
			alive[generation{c.Op.Key, c.Op.Generation}] = true
		}
	}
	calls := slices.Clone(x.calls)
	slices.SortStableFunc(calls, func(a, b models.Call) int { return cmp.Compare(a.Return, b.Return) })
	for i := range calls {
		c := &calls[i]
		switch {
		case c.Type != history.OK:
		case c.Op.Kind == history.Join:
			maps.DeleteFunc(last, func(key string, k *models.Call) bool {
				group, _, _ := strings.Cut(key, "|")
				return group == c.Op.Key && c.Op.Generation <= k.Op.Generation
			})
		case c.Op.Kind == history.Commit && c.Op.Generation >= 0:
			last[c.Op.Key] = c
		case c.Op.Kind == history.FetchOffsets && last[c.Op.Key] != nil:
			k, group, key := last[c.Op.Key], "", ""
			group, key, _ = strings.Cut(c.Op.Key, "|")
			topic, _ := history.SplitKey(key)
			if k.Return >= c.Call || gone[topic] || x.weak.Weak(c.Op.Key, c.Call, c.Return) || len(lossy) > 0 && lossy[0] < c.Return {
				continue
			}
			lived := c.Op.Generation >= k.Op.Generation
			for n := k.Op.Generation; n <= c.Op.Generation; n++ {
				lived = lived && alive[generation{group, n}]
			}
			if !lived {
				continue
			}
			if r.Checked++; c.Op.Offset < 0 {
				r.fault("%s: offset %d was committed in generation %d (event %d) and is gone in %d (event %d), though the group has had members all the time", c.Op.Key, k.Op.Offset, k.Op.Generation,
					k.Return, c.Op.Generation, c.Return)
			}
		}
	}
}

// landing is when a group was told the offset of a commit of unknown outcome, which had taken effect behind others: it goes on from there.
type landing struct{ offset, event int64 }

// floorOf is the highest offset whose commit was acknowledged before the read began, of those since the last landing.
func floorOf(commits []*models.Call, read *models.Call, since landing) (floor, event int64) {
	floor = -1
	if since.event > 0 {
		floor, event = since.offset, since.event
	}
	for _, k := range commits {
		if k.Type == history.OK && k.Return < read.Call && k.Call >= since.event && k.Op.Offset > floor {
			floor, event = k.Op.Offset, k.Return
		}
	}
	return floor, event
}

// mayLand says whether a commit of unknown outcome, which may arrive late, explains what was read.
func mayLand(commits []*models.Call, read *models.Call) bool {
	return slices.ContainsFunc(commits, func(k *models.Call) bool {
		return k.Type == history.Info && k.Op.Offset == read.Op.Offset
	})
}

// lossyOffsets gives the events from which on committed offsets may be gone.
func (x *index) lossyOffsets() []int64 {
	var at []int64
	x.notes(history.Excuse, func(e *history.Event, o *history.Op) {
		if topic, _ := history.SplitKey(o.Key); o.Key == "" || topic == "__consumer_offsets" {
			at = append(at, e.I)
		}
	})
	sort.Slice(at, func(i, j int) bool { return at[i] < at[j] })
	return at
}

// producerIDReuse: a producer id is given out twice.
func producerIDReuse(x *index, r *Result) {
	given := map[producerKey]int64{}
	for i := range x.calls {
		c := &x.calls[i]
		if c.Op.Kind != history.InitProducerID || c.Type != history.OK {
			continue
		}
		at := producerKey{c.Op.PID, c.Op.Epoch}
		r.Checked++
		if was, ok := given[at]; ok {
			r.fault("producer id %d epoch %d was given out at event %d and again at %d", at.pid, at.epoch, was, c.Return)
		}
		given[at] = c.Return
	}
}
