package txn

import "github.com/seedlog/seedlog/core/sometimes"

// State is where a transactional id stands. Source: Kafka's TransactionState; the numbers are on the log.
//
//	                 InitProducerId (any but Ongoing, Prepare*)
//	               ┌──────────────┐
//	               ▼              │
//	             Empty ───────────┼──── add partitions ───▶ Ongoing ──┐ add partitions
//	               ▲              │                          │  │  ▲───┘
//	InitProducerId │              │        end: commit ◀─────┘  └─────▶ end: abort, time-out, InitProducerId
//	               │              │              ▼                          ▼
//	               │              │        PrepareCommit              PrepareAbort ◀─ end: abort of an empty transaction (version 2)
//	               │              │              │ all markers written     │
//	               │              │              ▼                         ▼
//	               └──────────────┴─────── CompleteCommit            CompleteAbort ── add partitions ──▶ Ongoing
//
// Dead and PrepareEpochFence never stand in a record.
type State int8

// The states.
const (
	Empty State = iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
	Dead
	PrepareEpochFence
	states
)

var stateNames = [states]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

func (s State) String() string {
	if s < 0 || s >= states {
		return "Unknown"
	}
	return stateNames[s]
}

// stateOf finds a state by its name.
func stateOf(name string) (State, bool) {
	for s, n := range stateNames {
		if n == name {
			return State(s), true
		}
	}
	return 0, false
}

// Preparing says that the outcome is decided and markers are being written.
func (s State) Preparing() bool { return s == PrepareCommit || s == PrepareAbort }

// Idle says that no transaction is open or being ended: the id may expire.
func (s State) Idle() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }

// mayFollow are the states from which each state may be reached. Source: validPreviousStates.
var mayFollow = [states][]State{
	Empty:          {Empty, CompleteCommit, CompleteAbort},
	Ongoing:        {Ongoing, Empty, CompleteCommit, CompleteAbort},
	PrepareCommit:  {Ongoing},
	PrepareAbort:   {Ongoing, Empty, CompleteCommit, CompleteAbort},
	CompleteCommit: {PrepareCommit},
	CompleteAbort:  {PrepareAbort},
}

// Legal says whether a record of state s may follow one of state from.
func Legal(from, s State) bool {
	if s < 0 || s >= states {
		return false
	}
	for _, p := range mayFollow[s] {
		if p == from {
			return true
		}
	}
	return false
}

// zombie marks in which state a producer is refused that is over.
func (s State) zombie() {
	if !sometimes.On {
		return
	}
	switch s {
	case Empty:
		sometimes.Hit("txn: a zombie is fenced in Empty")
	case Ongoing:
		sometimes.Hit("txn: a zombie is fenced in Ongoing")
	case PrepareCommit:
		sometimes.Hit("txn: a zombie is fenced in PrepareCommit")
	case PrepareAbort:
		sometimes.Hit("txn: a zombie is fenced in PrepareAbort")
	case CompleteCommit:
		sometimes.Hit("txn: a zombie is fenced in CompleteCommit")
	case CompleteAbort:
		sometimes.Hit("txn: a zombie is fenced in CompleteAbort")
	}
}
