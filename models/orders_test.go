package models

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/prng"
)

// between draws numbers, from rapid or from a seed.
type between func(lo, hi int64) int64

// coordinated is what clients of one transactional id might have seen: calls that happen one after the other, with intervals that overlap, and
// some whose answers were lost. Where it lies, one answer is not what it was.
func coordinated(draw between, n int, lies bool) []porcupine.Operation {
	s := txnState{pid: noPID, prev: noPID}
	lie := int64(-1)
	if lies {
		lie = draw(0, int64(n-1))
	}
	next, ops := int64(1000), []porcupine.Operation(nil)
	for i := int64(0); i < int64(n); i++ {
		op := &txnOp{call: []string{"init", "write", "write", "commit", "abort"}[draw(0, 4)], pid: noPID, epoch: -1, toPID: noPID, old: draw(0, 3) == 0}
		if op.call != "init" {
			op.pid, op.epoch = s.pid, s.epoch-int16(draw(0, 5)/5)
		}
		if moves := s.moves(); len(moves) > 0 && draw(0, 2) > 0 {
			s = moves[draw(0, int64(len(moves)-1))]
		}
		s = answer(s, op, draw, &next)
		if i == lie {
			op.toEpoch, op.epoch, op.err = op.toEpoch+int16(draw(0, 1)), op.epoch+int16(draw(0, 1)), []string{"", op.err, "PRODUCER_FENCED"}[draw(0, 2)]
		}
		op.what = fmt.Sprintf("%+v", *op)
		o := porcupine.Operation{ClientId: int(i), Input: op, Call: 10*i - draw(0, 35), Return: 10*i + 1 + draw(0, 35)}
		if op.unknown {
			o.Call, o.Return = 10*i, 10*i
		}
		ops = append(ops, o)
	}
	return sorted(ops)
}

// answer has a call happen, and gives what is then.
func answer(s txnState, op *txnOp, draw between, next *int64) txnState {
	if op.unknown = draw(0, 5) == 0; op.unknown {
		after := s.step(op)
		return after[draw(0, int64(len(after)-1))]
	}
	if op.call == "init" {
		for s.phase == txnOpen || s.phase == txnDecided {
			s = s.moves()[0]
		}
		s = s.init()
	} else if after := s.does(op); len(after) > 0 {
		s = after[0]
	} else {
		op.err = "CONCURRENT_TRANSACTIONS"
		return s
	}
	if s.pid == newPID {
		*next++
		s.pid = *next
	}
	if op.call != "write" && !op.old || op.call == "init" {
		op.toPID, op.toEpoch = s.after()
		if op.toPID == newPID {
			op.toPID, op.toEpoch = noPID, 0
		}
	}
	return s
}

// reach gives the states that a state may have become by itself and that are wanted. What comes after a wanted one can still come later, so
// nobody looks behind it; nil wants all.
func (s txnState) reach(wanted func(*txnState) bool) (found []txnState) {
	all, seen := []txnState{s}, map[txnState]bool{s: true}
	for i := 0; i < len(all); i++ {
		d := all[i]
		if wanted == nil || wanted(&d) {
			if found = append(found, d); wanted != nil {
				continue
			}
		}
		for _, n := range all[i].moves() {
			if !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	return found
}

// step gives the states after a call, none where its answer is wrong. What the state may become by itself afterwards is left to the next call.
func (s txnState) step(op *txnOp) (next []txnState) {
	if op.unknown && op.call == "init" {
		s.inits = min(s.inits+1, 100)
		return []txnState{s}
	}
	switch {
	case op.unknown:
		next = s.reach(func(d *txnState) bool { return d.is(op.pid) && d.epoch == op.epoch })
		for i := range next {
			next[i].late |= lates[op.call]
		}
		next = append(next, s) // or it comes too late for any
	case op.err != "":
		next = s.reach(func(d *txnState) bool { return d.refuses(op) })
	case op.call == "init":
		for _, d := range s.reach(nil) {
			if d.phase == txnOpen || d.phase == txnDecided {
				continue
			}
			if n := d.init(); n.is(op.toPID) && n.epoch == op.toEpoch {
				next = append(next, n)
			}
		}
	default:
		for _, d := range s.reach(nil) {
			next = append(next, d.does(op)...)
		}
	}
	return next
}

// txnModel is the same for porcupine: a set of states at a time.
func txnModel(first txnState) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{first} },
		Step: func(state, input, _ any) []any {
			var out []any
			for _, n := range state.(txnState).step(input.(*txnOp)) {
				out = append(out, n)
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(txnState) == b.(txnState) },
		Hash: func(a any) uint64 {
			s := a.(txnState)
			return uint64(s.pid)<<24 ^ uint64(uint16(s.epoch))<<8 ^ uint64(s.phase)<<4 ^ uint64(s.late) ^ uint64(s.inits)<<56
		},
		DescribeOperation: func(in, _ any) string { return in.(*txnOp).what },
	}
	return m.ToModel()
}

func ordersOf(ops []porcupine.Operation) (Verdict, *porcupine.Operation) {
	return txnOrders().search(txnState{pid: noPID, prev: noPID}, ops)
}

func TestOrdersAreFoundWherePorcupineFindsThem(t *testing.T) {
	found := map[Verdict]int{}
	for seed := range uint64(200) {
		found[asPorcupine(t, prng.New(seed).Between)]++
	}
	require.Greater(t, found[OK], 50)
	require.Greater(t, found[Illegal], 20)
	rapid.Check(t, func(t *rapid.T) {
		asPorcupine(t, func(lo, hi int64) int64 { return rapid.Int64Range(lo, hi).Draw(t, "n") })
	})
}

// asPorcupine has both search for an order of a short history, and looks at the window of one that has none.
func asPorcupine(t require.TestingT, draw between) Verdict {
	model := txnModel(txnState{pid: noPID, prev: noPID})
	ops := coordinated(draw, int(draw(1, 14)), draw(0, 1) == 1)
	verdict, at := ordersOf(ops)
	want := map[porcupine.CheckResult]Verdict{porcupine.Ok: OK, porcupine.Illegal: Illegal, porcupine.Unknown: Unchecked}[porcupine.CheckOperationsTimeout(model, ops, time.Minute)]
	require.Equal(t, want, verdict)
	if verdict == OK {
		return OK
	}
	// Up to there none explains it, and before there one does.
	byReturn := slices.SortedStableFunc(slices.Values(ops), func(a, b porcupine.Operation) int { return int(a.Return - b.Return) })
	n := slices.IndexFunc(byReturn, func(o porcupine.Operation) bool { return o.Input == at.Input })
	require.Equal(t, porcupine.Illegal, porcupine.CheckOperationsTimeout(model, prefix(byReturn, n+1), time.Minute))
	what := func(x porcupine.Operation) string { return x.Input.(*txnOp).what }
	w := txnOrders().window(txnState{pid: noPID, prev: noPID}, ops, at, what)
	require.Equal(t, what(*at), w.Ops[w.Unplaced].What)
	require.NotContains(t, w.Order, w.Unplaced)
	require.Equal(t, w, txnOrders().window(txnState{pid: noPID, prev: noPID}, ops, at, what), "the same each time")
	for k, i := range w.Order {
		for _, j := range w.Order[k+1:] {
			require.True(t, i != j && w.Ops[i].Call <= w.Ops[j].Return, "nothing stands before what had ended before it began")
		}
	}
	return verdict
}

func TestALongHistoryOfManyClientsAndLostAnswersIsDecided(t *testing.T) {
	verdicts := map[Verdict]int{}
	for seed := uint64(1); seed <= 6; seed++ {
		src := prng.New(seed)
		verdict, _ := ordersOf(coordinated(src.Between, 300, seed%2 == 0))
		verdicts[verdict]++
		if seed%2 == 1 {
			require.Equal(t, OK, verdict, seed)
		}
	}
	require.Zero(t, verdicts[Unchecked])
}

func TestMoreOperationsAtATimeThanASearchCanHoldAreUnchecked(t *testing.T) {
	var ops []porcupine.Operation
	for i := range int64(mostOpen + 1) {
		ops = append(ops, porcupine.Operation{Input: &txnOp{call: "write", err: "CONCURRENT_TRANSACTIONS"}, Call: i, Return: 1000 + i})
	}
	verdict, at := ordersOf(ops)
	require.Equal(t, Unchecked, verdict)
	require.Equal(t, int64(mostOpen), at.Call)
	verdict, _ = ordersOf(ops[:5])
	require.Equal(t, OK, verdict)
}
