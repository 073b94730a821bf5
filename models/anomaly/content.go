package anomaly

import (
	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// inconsistentOffsets: one offset of a key has two values.
func inconsistentOffsets(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, o := range k.order {
			r.Checked++
			for i, s := range k.values[o][1:] {
				if was := k.values[o][i]; !k.excused(o, 0, max(s.at, was.at)) {
					r.fault("%s offset %d: was %v (event %d), is %v (event %d)", name, o, was.value, was.at, s.value, s.at)
				}
			}
		}
	}
}

// duplicate: one value stands at two offsets of a key, although its send may leave one copy only.
func duplicate(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.sends {
			for _, rec := range c.Op.Records {
				at := k.readAt[rec.Value]
				if k.sentBy[rec.Value][0] != c || len(at) == 0 {
					continue
				}
				r.Checked++
				if len(at) > 1 && !x.repeats(k, rec.Value) && !k.excused(max(at[0], at[1]), c.Call, models.Never) && !k.excused(min(at[0], at[1]), c.Call, models.Never) {
					r.fault("%s: %v stands at offsets %d and %d", name, rec.Value, at[0], at[1])
				}
			}
		}
	}
}

func (x *index) repeats(k *keyIndex, v history.Value) bool {
	for _, c := range k.sentBy[v] {
		if x.mayRepeat(c) {
			return true
		}
	}
	return false
}

// lostWrite: a write that must have been committed was read by nobody, although something behind it was.
func lostWrite(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.sends {
			if !certain(c) {
				continue
			}
			for _, rec := range c.Op.Records {
				if rec.Offset < k.removed || rec.Offset > k.maxRead {
					continue
				}
				r.Checked++
				if len(k.readAt[rec.Value]) == 0 && !k.excused(rec.Offset, c.Call, models.Never) {
					r.fault("%s: %v was acknowledged at offset %d (event %d); offset %d was read, it never was", name, rec.Value, rec.Offset, c.Return, k.maxRead)
				}
			}
		}
	}
}

// unseen: after the final readers, an acknowledged write has still not been read.
func unseen(x *index, r *Result) {
	if !x.final {
		return
	}
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.sends {
			if !certain(c) {
				continue
			}
			for _, rec := range c.Op.Records {
				if rec.Offset < k.removed {
					continue
				}
				r.Checked++
				if len(k.readAt[rec.Value]) == 0 && !k.excused(rec.Offset, c.Call, models.Never) {
					r.fault("%s: %v was acknowledged at offset %d (event %d) and never read", name, rec.Value, rec.Offset, c.Return)
				}
			}
		}
	}
}

// abortedRead (G1a): a value whose every send definitely failed was read: the error was of the wrong class, or the data appeared from nowhere.
func abortedRead(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.sends {
			if c.Type != history.Fail {
				continue
			}
			for _, rec := range c.Op.Records {
				r.Checked++
				if at := k.readAt[rec.Value]; len(at) > 0 && allFailed(k.sentBy[rec.Value]) {
					r.fault("%s: %v was refused with %s (event %d) and is at offset %d", name, rec.Value, c.Err, c.Return, at[0])
				}
			}
		}
	}
}

func allFailed(cs []*models.Call) bool {
	for _, c := range cs {
		if c.Type != history.Fail {
			return false
		}
	}
	return true
}

// phantomOffset: an acknowledgement names an offset at which the value is not.
func phantomOffset(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		for _, c := range k.sends {
			if c.Type != history.OK {
				continue
			}
			for _, rec := range c.Op.Records {
				at := k.readAt[rec.Value]
				if rec.Offset < 0 || len(at) == 0 || has(at, rec.Offset) {
					continue
				}
				if !x.repeats(k, rec.Value) && !k.excused(min(rec.Offset, at[0]), c.Call, models.Never) {
					r.fault("%s: %v was acknowledged at offset %d (event %d) and is at %d", name, rec.Value, rec.Offset, c.Return, at[0])
				}
			}
			r.Checked += int64(len(c.Op.Records))
		}
	}
}

// phantomValue: a value was read that nobody sent to the key.
func phantomValue(x *index, r *Result) {
	for _, name := range x.keys {
		k := x.byKey[name]
		if len(k.sends) == 0 {
			continue // a history of readers only
		}
		for _, c := range k.polls {
			for _, rec := range c.Op.Records {
				r.Checked++
				if len(k.sentBy[rec.Value]) == 0 && c.Type == history.OK {
					r.fault("%s offset %d holds %v, which nobody sent (event %d)", name, rec.Offset, rec.Value, c.Return)
				}
			}
		}
	}
}

// precommittedRead: an operation reads a value that it itself sends.
func precommittedRead(x *index, r *Result) {
	for _, e := range x.events {
		if e.Type != history.OK {
			continue
		}
		own := map[history.Value]bool{}
		for _, o := range e.Ops {
			for _, rec := range o.Records {
				switch {
				case o.Kind == history.Send:
					own[rec.Value] = true
				case o.Kind == history.Poll:
					r.Checked++
					if own[rec.Value] {
						r.fault("event %d reads %v, which it sends itself", e.I, rec.Value)
					}
				}
			}
		}
	}
}
