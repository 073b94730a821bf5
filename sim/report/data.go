package report

// Run is what one run came to. Times are in ns since its begin: virtual ones, but of real processes.
type Run struct {
	Head
	Violation *Violation   // nil: no property was broken
	Checks    []Check      // by name
	Faults    []FaultCount // by class
	Spans     []Span       // faults, in the order of their begins
	Lanes     []NodeLane   // of nodes, by index
	Control   []Span       // which node led the quorum
	Parts     []Part       // by key
	Roles     []Role       // of clients
	Ops       []Op         // in the order of their begins
	Messages  []Message    // the last ones, in the order in which they were sent
	Copies    []Copy       // of the violation's partition, in the order of their times
	Windows   []Window     // what the models found no order for
	Grids     []Grid       // by key
	Near      []Near       // the records around that of which the violation speaks
	Resembles []Bug
	Marks     map[string]int64 // rare things that happened, by their names in the core; nil: none are counted
	Met       map[string]int64 // how often a class of fault acted in a phase, as "F:D1/recovery"; nil: that was not counted
	Board     []Row            // the scoreboard of mutants, if it was asked for
	Changes   map[string]int64 // counts of what the cluster did: elections, restarts, …
	Cut       map[string]int64 // what is not in here because it would be too much, by what it is
}

// Head names the run.
type Head struct {
	System  string `json:"system,omitempty"` // what ran as real processes, and under which workload; "": it was simulated
	Seed    uint64 `json:"seed"`
	Plan    string `json:"plan"`  // "sha256:…"
	Trace   string `json:"trace"` // hash
	Verdict string `json:"verdict"`
	Harness string `json:"harness,omitempty"` // what the simulator itself could not do
	Build   string `json:"build"`
	Go      string `json:"go"`
	Nodes   int    `json:"nodes"`
	Shards  int    `json:"shards"`
	Clients int    `json:"clients"`
	Flush   string `json:"flush"`
	Mutant  string `json:"mutant,omitempty"`
	Bug     string `json:"bug,omitempty"` // what the mutant repeats
	Replay  string `json:"replay"`
	End     int64  `json:"end_ns"`
	Healed  int64  `json:"healed_ns"` // when the faults were over; 0: they never were
	Events  int64  `json:"events"`
}

// Verdicts.
const (
	Pass      = "pass"
	Fail      = "fail"
	Unchecked = "unchecked"
	Harness   = "harness"
)

// Violation is the property that broke first.
type Violation struct {
	Property string   `json:"property"`
	At       int64    `json:"at_ns"`
	Was      string   `json:"was"` // what should have been
	Is       string   `json:"is"`
	Key      string   `json:"key,omitempty"`    // the partition it speaks of, if it names one
	Offset   int64    `json:"offset,omitempty"` // of the record there that it speaks of, if Record
	Record   bool     `json:"record,omitempty"`
	Shown    int64    `json:"shown_ns,omitempty"` // when what is wrong was there to be seen, if it was found later; 0: At
	Last     []string `json:"last,omitempty"`
	Stack    string   `json:"stack,omitempty"` // of a panic
}

// Check is a property, and how often it was looked at.
type Check struct {
	Name      string `json:"name"`
	Checked   int64  `json:"checked"`
	Unchecked int64  `json:"unchecked"`
}

// FaultCount is how often a class of fault acted.
type FaultCount struct {
	Class string `json:"class"` // "F:N1"
	On    bool   `json:"on"`    // the plan has it
	Count int64  `json:"count"`
}

// Span is something that lasted: a fault of a class, a node's life, a leader's time. End is that of the run if it never ended. An instant has
// End = Begin.
type Span struct {
	Begin int64  `json:"begin_ns"`
	End   int64  `json:"end_ns"`
	Class string `json:"class,omitempty"` // of a fault
	Node  int    `json:"node"`            // from 1; 0: all, or none
	Text  string `json:"text,omitempty"`
}

// NodeLane is when a node's process ran.
type NodeLane struct {
	Lives []Span `json:"lives"`
}

// Part is one partition's story.
type Part struct {
	Key     string   `json:"key"`
	Leaders []Lead   `json:"leaders"` // as the nodes themselves believed
	States  []State  `json:"states"`  // as the quorum decided
	Marks   []Offset `json:"offsets"` // as its leader knew
	Step    int64    `json:"step_ns"` // offsets were taken down no more often than this
}

// Lead is a time in which a node took itself for the leader.
type Lead struct {
	Begin int64 `json:"begin_ns"`
	End   int64 `json:"end_ns"`
	Node  int   `json:"node"`
	Epoch int32 `json:"epoch"`
}

// State is a partition's, from a time on.
type State struct {
	At     int64 `json:"at_ns"`
	Leader int   `json:"leader"` // 0: none
	Epoch  int32 `json:"epoch"`
	ISR    []int `json:"isr"`
	Want   int   `json:"replicas"` // how many replicas it has; 0: the partition is gone
}

// Offset is where a leader's log stood at a time: 0 <= Stable <= High <= End.
type Offset struct {
	At     int64 `json:"at_ns"`
	Stable int64 `json:"lso"`
	High   int64 `json:"hw"`
	End    int64 `json:"end"`
}

// Role is what a client does.
type Role struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Op is one operation of a client.
type Op struct {
	Client int    `json:"client"`
	Slot   int    `json:"slot,omitempty"` // which of the lines of work that the client has at a time
	F      string `json:"f"`
	Key    string `json:"key,omitempty"`
	Begin  int64  `json:"begin_ns"`
	End    int64  `json:"end_ns"` // that of the run if it was never answered
	Type   string `json:"type"`   // ok, fail, info (unknown), open (never answered)
	Text   string `json:"text,omitempty"`
	About  bool   `json:"about,omitempty"` // it sent, or read, the record of which the violation speaks
}

// Message is one frame between two ends. Nodes are 1, 2, …; client n is -1-n.
type Message struct {
	Sent  int64  `json:"sent_ns"`
	Taken int64  `json:"taken_ns"` // -1: never
	From  int    `json:"from"`
	To    int    `json:"to"`
	What  string `json:"what"` // "Produce v12", "answer to Produce"
	Size  int64  `json:"size"`
	About bool   `json:"about,omitempty"` // it names the topic of the violation
	Quiet bool   `json:"quiet,omitempty"` // it belongs to what goes on all the time: heartbeats, raft, metadata
	Idle  bool   `json:"idle,omitempty"`  // a replica's fetch, or one that brings nothing
}

// Bug is one of the catalogue.
type Bug struct {
	Mutant string `json:"mutant"` // "m:R5"
	Text   string `json:"bug"`
	Signs  string `json:"signs,omitempty"` // what the run has in common with it
}

// Copy is where one node's copy of a partition stood, from a time on: High <= Synced <= End under flush.policy=ack.
type Copy struct {
	At     int64 `json:"at_ns"`
	Node   int   `json:"node"`
	High   int64 `json:"hw"`
	Synced int64 `json:"synced"`
	End    int64 `json:"end"`
	Fresh  bool  `json:"fresh,omitempty"` // the first look at it in its process
}

// Window is a stretch of operations that a model found no order for.
type Window struct {
	Model  string     `json:"model"` // "M1"
	Key    string     `json:"key"`
	Detail string     `json:"detail"`
	Ops    []WindowOp `json:"ops,omitempty"` // by their begins
	Left   int        `json:"left"`          // operations of the order that are left out: its first ones
}

// WindowOp is an operation of a window. Times are event numbers of the history, which order it even where times are equal.
type WindowOp struct {
	Client int    `json:"client"`
	Begin  int64  `json:"begin"`
	End    int64  `json:"end"` // -1: nobody saw it end
	At     int64  `json:"at_ns"`
	What   string `json:"what"`
	Place  int    `json:"place"`         // in the longest order that was found, from 1; 0: in none
	Bad    bool   `json:"bad,omitempty"` // with it there is no order, and without it there is one
}

// Grid is what clients know of a partition's records, Step of them a cell.
type Grid struct {
	Key     string   `json:"key"`
	ByRead  bool     `json:"by_read,omitempty"` // nobody was told offsets: records stand in the order in which they were read, then sent
	Begin   int64    `json:"begin"`             // offset of the first cell, or 0
	Step    int64    `json:"step"`
	Records int64    `json:"records"` // in all
	Told    string   `json:"told"`    // what producers were told: a letter a cell, as in Told…
	Readers []Reader `json:"readers"`
}

// Reader is a client that read a partition, with a letter a cell, as in Saw….
type Reader struct {
	Client int    `json:"client"`
	Saw    string `json:"saw"`
}

// What a producer was told of a record. Where a cell has several, the one that stands first in ToldWorst counts.
const (
	ToldNothing   = '.' // no record is known: nobody read one, or it is a marker
	ToldAll       = 'a' // acknowledged with acks=all
	ToldLeader    = 'l' // acknowledged with another acks
	ToldUnknown   = 'u' // its answer never came
	ToldRefused   = 'r'
	ToldOpen      = 'o' // its transaction had no outcome yet, or an unknown one
	ToldCommitted = 'c'
	ToldAborted   = 'x'
	ToldTwice     = '!' // another record was acknowledged at its offset too

	ToldWorst = "!rxuolac."
)

// What a reader saw of a cell's records.
const (
	SawNone = '.'
	SawSome = 'p'
	SawAll  = 's'
	SawElse = '!' // another value at that offset than others
)

// Near is one record close to the one of which the violation speaks.
type Near struct {
	Offset int64  `json:"offset"`
	Value  string `json:"value"` // "": nobody knows of one
	Told   string `json:"told"`  // a letter
	Sender int    `json:"sender"`
	SentAt int64  `json:"sent_ns"` // when its sender asked; -1: nobody is known to have
	Saw    []Seen `json:"saw"`
}

// Seen is when a client first saw a record, and as what.
type Seen struct {
	Client int    `json:"client"`
	At     int64  `json:"at_ns"`
	Value  string `json:"value"`
}
