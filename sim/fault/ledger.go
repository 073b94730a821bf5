package fault

// Ledger counts what was injected, and says what a run may excuse.
type Ledger struct {
	counts map[string]int64
	Notes  []Note
}

// Note is one fault that an oracle may have to excuse.
type Note struct {
	At    int64  // virtual time
	Class string // "F:D2"
	Node  int
	What  string
}
