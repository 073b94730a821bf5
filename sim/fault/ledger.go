package fault

import "github.com/seedlog/seedlog/io/clock"

// Ledger counts what was injected, and remembers what a run may excuse.
type Ledger struct {
	hits  [Count]int64
	ways  [Count][mostWays]int64
	notes []Note
}

// Note is one fault that an oracle may have to excuse.
type Note struct {
	At    clock.Time
	Class Class
	Node  int
	What  string
}

// MaxNotes bounds the ledger; hits are counted beyond it.
const MaxNotes = 10000

// Hit counts a fault that fired; what ends in its way, where its class has several.
func (l *Ledger) Hit(c Class, what string) { l.count(c, what) }

// Note counts a fault and remembers it.
func (l *Ledger) Note(at clock.Time, c Class, node int, what string) {
	l.count(c, what)
	if len(l.notes) < MaxNotes {
		l.notes = append(l.notes, Note{at, c, node, what})
	}
}

// Hits is how often a class fired.
func (l *Ledger) Hits(c Class) int64 { return l.hits[c] }

// Any says whether one of the classes fired on a node (-1: on any).
func (l *Ledger) Any(node int, cs ...Class) bool {
	for _, n := range l.notes {
		for _, c := range cs {
			if n.Class == c && (node < 0 || n.Node == node) {
				return true
			}
		}
	}
	return false
}

// Notes are what was remembered, in order.
func (l *Ledger) Notes() []Note { return l.notes }

// Counts gives the classes that fired, for the summary. The map is encoded with sorted keys.
func (l *Ledger) Counts() map[string]int64 {
	m := map[string]int64{}
	for c, n := range l.hits {
		if n > 0 {
			m[Class(c).String()] = n
		}
	}
	return m
}

// DiskLost says whether acknowledged bytes of a node may be gone, so that losing them is excused: a wiped, rotten, rolled-back or
// lying disk. Under flush policy os a power loss is one too; the caller adds that.
func (l *Ledger) DiskLost(node int) bool { return l.Any(node, D2, D4, D5, D7, D8) }
