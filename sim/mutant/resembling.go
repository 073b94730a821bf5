package mutant

import (
	"cmp"
	"slices"
	"strings"
)

// broke says which properties were the first to break when a bug was put back, in runs of one broker and of several: MUTANTS.md, with which a test
// compares it. It is what a resemblance goes by first.
var broke = map[string][]string{
	"P1": {"I:I3"}, "P2": {"I:S3"}, "P3": {"I:I13"}, "P4": {"contract"}, "P5": {"liveness"}, "P6": {"I:G7", "history:M3"}, "P7": {"txn:prompt"},
	"P8": {"I:S3"}, "P9": {"liveness"}, "P10": {"exact-errors"}, "P11": {"dense-offsets"}, "R1": {"I:I3"}, "R2": {"I:I1"}, "R3": {"I:I12"},
	"R4": {"liveness"}, "R5": {"I:I12"}, "R6": {"I:I1"}, "R7": {"I:S1"}, "R8": {"I:I13"}, "R9": {"I:I13"}, "R10": {"unclean-return"},
	"R11": {"unclean-return"}, "R12": {"I:I1"}, "R13": {"I:I8"}, "R14": {"I:I1"}, "R15": {"I:I1"}, "R16": {"exact-errors"}, "R17": {"txn:dirty-read"},
	"R18": {"I:I13"}, "R19": {"I:I13"}, "R20": {"epoch-end"}, "I1": {"history:M2"}, "I2": {"txn:order-refused", "txn:cut"}, "I3": {"exact-errors"},
	"I4": {"txn:order-refused"}, "I5": {"exact-errors"}, "I6": {"history:M2"}, "I7": {"assert"}, "K1": {"I:K2"}, "K2": {"I:K6"}, "K3": {"I:K1"},
	"M1": {"quorum:term"}, "M2": {"fenced-in-vain"}, "S1": {"I:S2", "dense-offsets"}, "S2": {"leader-epochs"}, "S3": {"I:S1", "I:I4"},
	"S4": {"txn:committed"}, "S5": {"txn:aborted-read"}, "S6": {"txn:committed"}, "S7": {"I:S1", "I:I3"}, "T1": {"txn:order-refused", "history:M4"},
	"T2": {"txn:aborted-read", "txn:dirty-read"}, "T3": {"txn:hanging", "txn:order-refused"}, "T4": {"liveness"}, "T5": {"txn:hanging"},
	"T6": {"txn:aborted-read"}, "T7": {"txn:aborted-read", "history:M4"}, "T9": {"history:M4"}, "T10": {"I:T10"}, "G1": {"I:G7", "I:G2"},
	"G2": {"liveness"}, "G4": {"I:S1"}, "G5": {"history:expired-alive"}, "B1": {"prompt-fetch"}, "B2": {"I:I5"}, "B3": {"I:I13", "I:I3"},
}

// Signs are what is known of a run that broke a property, as far as bugs can be told apart by it.
type Signs struct {
	Property     string
	Nodes        int
	Flush        string
	Faults       map[string]int64 // how often each class acted
	Elections    bool             // leadership moved
	Transactions bool             // there were some
}

// Likeness is a bug that a run resembles: a likeness is not a proof.
type Likeness struct {
	Mutant
	First   bool     // the same property was the first to break when it was put back
	Present []string // classes of faults that it needs, and that acted
	score   int
}

// Resembling gives the bugs of the catalogue that may break the property, at most n, the most alike first. Those that need what the run did not have
// (several brokers, transactions, a class of faults) come later, or not at all. What was planted in the run itself
// has no place of its own.
func Resembling(s *Signs, n int) []Likeness {
	var like []Likeness
	for _, m := range All() {
		if m.System != "" || m.Hints.Nodes > 1 && s.Nodes == 1 {
			continue
		}
		if l, ok := s.compare(&m); ok {
			like = append(like, l)
		}
	}
	slices.SortStableFunc(like, func(a, b Likeness) int { return cmp.Compare(b.score, a.score) })
	return like[:min(n, len(like))]
}

// What each sign counts.
const (
	scoreFirst   = 8 // the property was the first to break
	scoreRank    = 2 // it is what the bug is expected to break before all else
	scorePresent = 2
	scoreLacking = -4
)

func (s *Signs) compare(m *Mutant) (Likeness, bool) {
	l := Likeness{Mutant: *m, First: slices.Contains(broke[m.Name], s.Property)}
	rank := slices.IndexFunc(m.Oracles, func(o string) bool { return strings.HasPrefix(s.Property, o) })
	if rank < 0 && !l.First {
		return l, false
	}
	if l.First {
		l.score += scoreFirst - len(broke[m.Name])
	}
	if rank == 0 {
		l.score += scoreRank
	}
	for _, c := range m.Hints.Classes {
		if s.Faults[c] > 0 {
			l.Present = append(l.Present, c)
			l.score += scorePresent
		} else {
			l.score += scoreLacking
		}
	}
	h := &m.Hints
	needs := func(needed, there bool) {
		switch {
		case needed && there:
			l.score++
		case needed:
			l.score += scoreLacking
		}
	}
	needs(h.Storm || h.Blackout || h.Relays || h.Stale || h.Rebirths, s.Elections)
	needs(h.Transactions || h.Transfers || h.Chorus, s.Transactions)
	needs(h.Flush != "", h.Flush == s.Flush)
	needs(h.Nodes > 1, s.Nodes > 1)
	return l, true
}
