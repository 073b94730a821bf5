package models

import (
	"fmt"
	"sort"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// logOp is one operation on a partition, in terms of the canonical list of batches: the state is how many of them exist.
type logOp struct {
	kind logKind
	n    int // append: its batch's index. read: batches that must exist. empty, latest: batches that must (not) exist
	weak bool
	what string
}

type logKind uint8

const (
	logAppend logKind = iota
	logRead           // state >= n
	logEmpty          // state <= n
	logLatest         // state == n; weak: state >= n
)

func logModel(from int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return from },
		Step: func(state, input, _ any) (bool, any) {
			s, op := state.(int), input.(*logOp)
			switch op.kind {
			case logAppend:
				return s == op.n, s + 1
			case logRead:
				return s >= op.n, s
			case logEmpty:
				return op.weak || s <= op.n, s
			}
			return s == op.n || op.weak && s >= op.n, s
		},
		Hash:              func(s any) uint64 { return uint64(s.(int)) },
		DescribeOperation: func(in, _ any) string { return in.(*logOp).what },
	}
}

// instance is one batch at its place in the log, with the interval in which it was appended.
type instance struct {
	base, end int64
	call, ret int64
}

// content is the fold of a segment: which value stands at which offset, and which calls put it there.
type content struct {
	at    map[int64]history.Value
	insts []instance // by base
	limit int64      // no answer may tell of an end above it: nothing that was sent can stand there
}

// CheckLog checks one partition as a log (M1; M1w where opt.Weak says so). ex cuts the history: what stood above an excuse may be gone.
func CheckLog(key string, calls []Call, ex []excuse, opt Options) Result {
	r := Result{Model: "M1", Key: key, Verdict: OK}
	start, kept := int64(-1), map[int64]history.Value{}
	for i := 0; i <= len(ex); i++ {
		end := int64(Never)
		if i < len(ex) {
			end = ex[i].At
		}
		seg := clip(calls, start, end)
		c, why := fold(seg, kept, opt.ProducersExpire)
		c.limit = Never
		if len(ex) == 0 {
			c.limit = c.highest(calls, opt.ProducersExpire)
		}
		if why == "" {
			why = c.check(seg, opt, &r)
		}
		if why != "" {
			r.Verdict, r.Detail = Illegal, why
		}
		if r.Verdict != OK {
			return r
		}
		if i < len(ex) {
			start, kept = end, below(c.at, ex[i].Offset)
		}
	}
	return r
}

func below(at map[int64]history.Value, offset int64) map[int64]history.Value {
	kept := map[int64]history.Value{}
	for o, v := range at {
		if o < offset {
			kept[o] = v
		}
	}
	return kept
}

// clip gives the calls that touch (start, end). One that spans the end has no known outcome in this segment; one that spans the start
// may have taken effect in either. Sends from before stay as possible owners of what survived.
func clip(calls []Call, start, end int64) []Call {
	var seg []Call
	for _, c := range calls {
		if c.Call >= end {
			continue
		}
		send := c.Op.Kind == history.Send
		if c.Return < start {
			if !send {
				continue
			}
			c.Return, c.Type = Never, history.Info
		}
		if c.Return > end && c.Return != Never {
			if !send {
				continue
			}
			c.Return, c.Type = Never, history.Info
		}
		if c.Call < start {
			if !send {
				continue
			}
			c.Call, c.Return, c.Type = start, Never, history.Info // its answer may be from before
		}
		seg = append(seg, c)
	}
	return seg
}

// certain says that the call's answer promises the records at their offsets: an acknowledgement of acks=all.
func (c *Call) certain() bool {
	return c.Op.Kind == history.Send && c.Type == history.OK && c.Op.Acks == -1 && len(c.Op.Records) > 0 && c.Op.Records[0].Offset != history.NoOffset
}

// mayRepeat says that the send may have left several copies: it is not idempotent and it, or nobody knows, was tried again.
func (c *Call) mayRepeat() bool {
	return c.Op.PID < 0 && (c.Op.Attempts > 1 || c.Type == history.Info) || c.scattered()
}

// outlives says that the send may have left more of them since its producer id has expired while it was in use.
func (c *Call) outlives(expire bool) bool { return expire && c.Op.PID >= 0 }

// scattered says that the records of one acknowledged send do not stand side by side, as in histories of other programs.
func (c *Call) scattered() bool {
	recs := c.Op.Records
	return c.certain() && recs[len(recs)-1].Offset != recs[0].Offset+int64(len(recs)-1)
}

// fold joins all observations. It gives a reason where they contradict each other.
func fold(calls []Call, kept map[int64]history.Value, expire bool) (*content, string) {
	c := &content{at: map[int64]history.Value{}}
	for o, v := range kept {
		c.at[o] = v
	}
	for i := range calls {
		k := &calls[i]
		if !k.certain() && (k.Op.Kind != history.Poll || k.Type != history.OK) {
			continue
		}
		for _, r := range k.Op.Records {
			if was, ok := c.at[r.Offset]; ok && was != r.Value {
				return c, fmt.Sprintf("inconsistent offsets: offset %d was %v, is %v (event %d)", r.Offset, was, r.Value, k.Return)
			}
			c.at[r.Offset] = r.Value
		}
	}
	return c, c.place(calls, kept, expire)
}

type owner struct{ call, index int }

// place finds, for each value of the content, the send that brought it, and makes instances of whole batches.
func (c *content) place(calls []Call, kept map[int64]history.Value, expire bool) string {
	owners := map[history.Value]owner{}
	for i := range calls {
		if calls[i].Op.Kind != history.Send {
			continue
		}
		for j, r := range calls[i].Op.Records {
			if _, sent := owners[r.Value]; !sent { // a retry by hand (same sequence) is no second append
				owners[r.Value] = owner{i, j}
			}
		}
	}
	offsets := make([]int64, 0, len(c.at))
	for o := range c.at {
		if _, old := kept[o]; !old {
			offsets = append(offsets, o)
		}
	}
	sort.Slice(offsets, func(i, j int) bool { return offsets[i] < offsets[j] })
	end, placed := int64(-1), map[int]int{}
	for _, o := range offsets {
		if o < end {
			continue // in the batch before
		}
		own, ok := owners[c.at[o]]
		if !ok {
			return fmt.Sprintf("phantom: offset %d holds %v, which nobody sent", o, c.at[o])
		}
		inst, why := c.instance(&calls[own.call], o-int64(own.index), own.index)
		if why != "" {
			return why
		}
		if inst.base < end {
			return fmt.Sprintf("batches overlap at offset %d", inst.base)
		}
		if placed[own.call]++; placed[own.call] > 1 && !calls[own.call].mayRepeat() && !calls[own.call].outlives(expire) {
			return fmt.Sprintf("duplicate: %v stands at offset %d too", c.at[o], o)
		}
		end = inst.end
		c.insts = append(c.insts, inst)
	}
	c.tighten(calls)
	return ""
}

// instance is the batch of a send with its first record at base. Foreign histories may scatter a batch: there each record stands alone.
func (c *content) instance(k *Call, base int64, index int) (instance, string) {
	recs := k.Op.Records
	inst := instance{base: base, end: base + int64(len(recs)), call: k.Call, ret: Never}
	if k.scattered() {
		o := base + int64(index)
		return instance{o, o + 1, k.Call, Never}, ""
	}
	for i, r := range recs {
		if was, ok := c.at[base+int64(i)]; ok && was != r.Value {
			return inst, fmt.Sprintf("torn batch: offset %d holds %v where the batch has %v", base+int64(i), was, r.Value)
		}
	}
	return inst, ""
}

// highest bounds where the log can end: behind what is known of it stands at most what was sent and nobody has seen, and what may stand there once more.
func (c *content) highest(calls []Call, expire bool) int64 {
	end, seen := int64(0), map[history.Value]bool{}
	for o, v := range c.at {
		end, seen[v] = max(end, o+1), true
	}
	for i := range calls {
		k := &calls[i]
		n := int64(len(k.Op.Records))
		switch {
		case k.Op.Kind != history.Send || n == 0 || k.Type == history.Fail && !k.mayRepeat():
		case k.outlives(expire):
			return Never
		case k.mayRepeat():
			end += n * int64(max(1, k.Op.Attempts))
		case !seen[k.Op.Records[0].Value]:
			end += n
		}
	}
	return end
}

// find gives the index of the first instance that ends after offset.
func (c *content) find(offset int64) int {
	return sort.Search(len(c.insts), func(i int) bool { return c.insts[i].end > offset })
}

// tighten ends each append at the return of the first operation that saw it, its own acknowledgement included.
func (c *content) tighten(calls []Call) {
	for i := range calls {
		k := &calls[i]
		if !k.certain() && (k.Type != history.OK || k.Op.Kind != history.Poll) {
			continue
		}
		for j, r := range k.Op.Records {
			if j > 0 && r.Offset == k.Op.Records[j-1].Offset+1 && c.sameInstance(r.Offset) {
				continue
			}
			if n := c.find(r.Offset); r.Offset >= 0 && n < len(c.insts) && c.insts[n].base <= r.Offset {
				c.insts[n].ret = min(c.insts[n].ret, k.Return)
			}
		}
	}
}

// sameInstance says that offset and the one before it are of one batch.
func (c *content) sameInstance(offset int64) bool {
	n := c.find(offset)
	return n < len(c.insts) && c.insts[n].base < offset
}

// check lets porcupine look for an order, and leaves its verdict in r; why: an operation contradicts the content already.
func (c *content) check(calls []Call, opt Options, r *Result) (why string) {
	var ops []porcupine.Operation
	for i, inst := range c.insts {
		ops = append(ops, porcupine.Operation{Input: &logOp{kind: logAppend, n: i, what: fmt.Sprintf("append [%d,%d)", inst.base, inst.end)}, Call: inst.call, Return: inst.ret})
	}
	for i := range calls {
		op, why := c.observe(&calls[i], opt, r)
		if why != "" {
			return why
		}
		if op != nil {
			ops = append(ops, porcupine.Operation{ClientId: int(calls[i].Process), Input: op, Call: calls[i].Call, Return: calls[i].Return})
		}
	}
	r.Ops += len(ops)
	r.search(ops, opt.Timeout, func(before []porcupine.Operation) porcupine.Model {
		n := 0
		for i := range before {
			if before[i].Input.(*logOp).kind == logAppend {
				n++
			}
		}
		return logModel(n)
	})
	return ""
}

// weak says that the call's answer may lag.
func (o *Options) weak(k *Call) bool {
	if k.Op.Kind == history.Poll && o.WeakFetch != nil {
		return o.WeakFetch(k.Op.Key, k.Op.Member, k.Call, k.Return)
	}
	return o.Weak != nil && o.Weak(k.Op.Key, k.Call, k.Return)
}

// observe turns a read or ListOffsets into its condition on the state; nil if it says nothing.
func (c *content) observe(k *Call, opt Options, r *Result) (*logOp, string) {
	if k.Type != history.OK {
		return nil, ""
	}
	weak := opt.weak(k)
	op := &logOp{weak: weak}
	switch o := k.Op; {
	case o.Kind == history.Poll && len(o.Records) > 0:
		last := o.Records[len(o.Records)-1].Offset
		op.kind, op.n, op.what = logRead, c.find(last)+1, fmt.Sprintf("read [%d,%d]", o.Records[0].Offset, last)
		if n := c.find(last); n == len(c.insts) || c.insts[n].base > last {
			op.n = n // from before this segment
		}
	case o.Kind == history.Poll && o.From >= 0:
		op.kind, op.n, op.what = logEmpty, c.find(o.From), fmt.Sprintf("read from %d: nothing", o.From)
	case o.Kind == history.ListOffsets && o.Timestamp == -1 && o.Offset >= 0:
		op.kind, op.n, op.what = logLatest, c.find(o.Offset), fmt.Sprintf("latest offset %d", o.Offset)
		if o.Offset > c.limit {
			return nil, fmt.Sprintf("latest offset %d (event %d): nothing that was sent can stand above %d", o.Offset, k.Return, c.limit)
		}
		if n := op.n; n < len(c.insts) && c.insts[n].base < o.Offset {
			return nil, fmt.Sprintf("latest offset %d lies inside the batch [%d,%d)", o.Offset, c.insts[n].base, c.insts[n].end)
		}
	default:
		return nil, ""
	}
	if weak {
		r.Weak++
	} else {
		r.Strong++
	}
	return op, ""
}
