package coverage

// Run is what one run has reached: how often, by name. What it never reached is not there.
type Run struct {
	Marks    map[string]int64 `json:"marks"`    // by core/sometimes' names
	Matrix   map[string]int64 `json:"matrix"`   // by Cell: rounds of a shard in which the class acted in the phase
	Workload map[string]int64 `json:"workload"` // what clients asked, and were told
}

// Cell names a cell of the matrix, "F:D1/recovery".
func Cell(class, phase string) string { return class + "/" + phase }

// Phases are what a cluster may be going through; several at a time, but for steady, which is none of the others.
var Phases = [...]string{"founding", "steady", "down", "recovery", "drain", "no controller", "no leader", "lagging", "isr shrunk", "truncation", "reassignment", "offline",
	"clean", "rebalance", "transaction end"}

// Phase is an index of Phases.
type Phase uint8

// The phases.
const (
	Founding       Phase = iota // no broker has served yet
	Steady                      // nothing of what follows
	Down                        // a process is gone
	Recovery                    // a process runs and does not serve yet
	Drain                       // one has been told to stop
	NoController                // nobody leads the quorum
	NoLeader                    // a partition has no leader
	Lagging                     // a leader's high watermark has not reached its epoch's begin
	Shrunk                      // an ISR is not whole
	Truncation                  // a log is being cut
	Reassignment                // replicas are being moved
	Offline                     // a partition's directory has failed
	Clean                       // a log is being cleaned
	Rebalance                   // a client waits to join a group
	TransactionEnd              // a client waits for the end of its transaction
	NPhases
)

// Tally counts by name. The zero value and nil count nothing.
type Tally struct{ n map[string]int64 }

// NewTally makes one that counts.
func NewTally() *Tally { return &Tally{n: map[string]int64{}} }

// Add counts a name once.
func (t *Tally) Add(name string) {
	if t != nil && t.n != nil {
		t.n[name]++
	}
}

// Counts gives what was counted.
func (t *Tally) Counts() map[string]int64 { return t.n }
