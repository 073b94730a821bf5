package mutant

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/sim/workload"
)

// Mutant is one row.
type Mutant struct {
	ID   plant.ID
	Name string // as MUTANT= takes it
	Bug  string // the bug that it repeats, or "ours" with the mistake in a few words
	// Oracles are beginnings of the names of properties that may break first. Another one is worth a look, not a failure.
	Oracles []string
	// Test is a package and a test of it, as "core/txn TestName", that fails with the mutant where the simulator does not show it; "": none is needed.
	Test string
	// System is what is simulated, as SYSTEM= takes it; "": the broker.
	System string
	Hints  Hints
}

// Hints are what a plan needs so that the mutant's site is reached and matters.
type Hints struct {
	Flush   string   // "ack", "os", or "" for either
	Classes []string // fault classes that must be on, such as "F:D1"
	Without []string // classes that hide it, or that excuse it
	// Follow are pairs of classes: each fault of the first is followed by one of the second, while the node comes up again or shortly after.
	Follow       [][2]string
	Shards       int               // at least so many
	Nodes        int               // 0: one
	Storm        bool              // nodes are killed, paused and cut off again and again, so that leaders never last
	Blackout     bool              // again and again one node is away while all others end at once, so that a leader comes back that knows little
	Relays       bool              // leadership goes to and fro while what a leader sends to another node is held up
	Stale        bool              // leadership goes to and fro while a replica does not hear of it
	Rebirths     bool              // again and again a follower's machine loses power when it has just caught up, while its leader does not reach the controller
	Transactions bool              // every run has some
	Transfers    bool              // every run has clients that move amounts between accounts
	Compaction   bool              // every run compacts logs
	Chorus       bool              // every run has many small transactions into one partition, until all end at once
	Linger       bool              // every run has a group that is forgotten again and again
	Resets       bool              // again and again the connections between one node and the others break
	Workload     workload.Hints    // what clients should do more of
	Settings     map[string]string // broker settings
}

// Expects says whether a property is one of those that the mutant was expected to break.
func (m *Mutant) Expects(property string) bool {
	for _, o := range m.Oracles {
		if strings.HasPrefix(property, o) {
			return true
		}
	}
	return false
}

// AmongThree says whether it is looked for among three brokers too: its own plans have one, and show it.
func (m *Mutant) AmongThree() bool { return m.Hints.Nodes <= 1 && m.System == "" && m.Test == "" }

// Find gives a row by its name.
func Find(name string) (Mutant, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Mutant{}, false
}

// What most storage mutants show: a promised record is gone or another, on disk or to a reader.
var gone = []string{"I:I3", "I:S2", "I:S3", "I:I5", "I:I13", "I:S1", "history:"}

// What most mutants of replication show: that too, or copies that differ, or a copy in the ISR that lacks what is committed.
var apart = append([]string{"I:I1", "I:I2", "I:I4", "I:I6", "I:I12"}, gone...)

// Classes that come up again and again.
var (
	power   = []string{"F:D1"}
	crashes = []string{"F:D1", "F:P1"}
	// calm leaves out what would disturb a story that is told with faults of its own.
	calm = []string{"F:N3", "F:N5", "F:N6", "F:N7", "F:P1", "F:P2", "F:P3", "F:P4", "F:D1", "F:D2", "F:D3", "F:D4", "F:D6", "F:D7", "F:D8", "F:C1", "F:L1", "F:L2", "F:M1", "F:M2", "F:M3", "F:B1"}
)

// All gives the catalogue, in the order of core/plant.
func All() []Mutant {
	rows := slices.Concat(ofStorage(), ofReplication(), ofClients(), ofLogs(), ofCoordinators(), ofCompaction())
	for i := range rows {
		rows[i].Name = plant.Names[rows[i].ID]
	}
	slices.SortFunc(rows, func(a, b Mutant) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

func ofStorage() []Mutant {
	return []Mutant{
		{ID: plant.P1, Bug: "ours: a sync is counted for a write that ended after it began", Oracles: gone,
			Hints: Hints{Flush: "ack", Classes: []string{"F:D1", "F:D6"}, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.P2, Bug: "ours: SyncDir is forgotten after a segment is created", Oracles: gone,
			Hints: Hints{Flush: "ack", Classes: []string{"F:D1", "F:L1"}, Workload: workload.Hints{L1: true, NoRetention: true, Focus: "storage"}}},
		{ID: plant.P3, Bug: "ours: the high watermark follows the leader's unsynced end", Oracles: append([]string{"I:I13"}, gone...),
			Hints: Hints{Flush: "ack", Classes: power, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.P4, Bug: "ours: an extent outlives the truncation or removal of its file", Oracles: append([]string{"contract", "every-request-answered", "dense-offsets"}, gone...),
			Hints: Hints{Classes: []string{"F:N1", "F:N6", "F:N7", "F:L1"}, Workload: workload.Hints{L1: true, Focus: "trim"}, Settings: map[string]string{"log.retention.check.interval.ms": "200", "log.segment.delete.delay.ms": "0"}}},
		{ID: plant.P5, Bug: "ours: a metadata image is applied on one shard only", Oracles: []string{"every-request-answered", "readers-reach-the-end", "exact-errors", "settle", "liveness", "I:S3", "I:I3"},
			Hints: Hints{Shards: 2}},
		{ID: plant.P6, Bug: "ours: a group is answered before its record is below the high watermark", Oracles: []string{"I:G7", "I:G2", "history:M3", "history:commit-regression"},
			Hints: Hints{Flush: "ack", Classes: crashes, Workload: workload.Hints{Focus: "groups"}}},
		{ID: plant.P8, Bug: "ours: recovery truncates below the high watermark", Oracles: gone,
			Hints: Hints{Flush: "ack", Classes: crashes, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.P9, Bug: "ours: an acknowledgement is dropped", Oracles: []string{"every-request-answered", "readers-reach-the-end", "settle", "liveness", "history:"}},
		{ID: plant.P10, Bug: "ours: the CRC is not checked on produce", Oracles: []string{"exact-errors", "I:S1", "I:I3"},
			Hints: Hints{Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.P11, Bug: "ours: an index lookup is off by one", Oracles: append([]string{"dense-offsets", "every-request-answered", "readers-reach-the-end", "settle", "liveness"}, gone...),
			Hints: Hints{Classes: []string{"F:L1"}, Workload: workload.Hints{L1: true, Focus: "fetch"}}},
	}
}

func ofReplication() []Mutant {
	return []Mutant{
		{ID: plant.R1, Bug: "KIP-101: a follower truncates to its own high watermark", Oracles: apart,
			Hints: Hints{Nodes: 3, Storm: true}},
		{ID: plant.R2, Bug: "KAFKA-6361, KIP-279: an epoch that the leader does not know ends at its high watermark", Oracles: apart,
			Hints: Hints{Nodes: 3, Storm: true}},
		{ID: plant.R3, Bug: "KAFKA-7395, KIP-320: the leader epoch of a fetcher is not checked", Oracles: apart,
			Hints: Hints{Nodes: 5, Stale: true, Without: calm, Workload: workload.Hints{Focus: "storage", Wide: true},
				Settings: map[string]string{"leader.imbalance.check.interval.seconds": "1", "replica.lag.time.max.ms": "500"}}},
		{ID: plant.R4, Bug: "KAFKA-7415: a new leader does not note where its epoch begins", Oracles: append([]string{"settle", "liveness"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true}},
		{ID: plant.R5, Bug: "KAFKA-7128: the ISR takes in a replica that has not reached the epoch's begin", Oracles: apart,
			Hints: Hints{Nodes: 3, Blackout: true, Settings: map[string]string{"log.flush.offset.checkpoint.interval.ms": "60000"}}},
		{ID: plant.R6, Bug: "KAFKA-15221, KIP-903: the ISR takes in an earlier life of a broker", Oracles: apart,
			Hints: Hints{Nodes: 5, Rebirths: true, Flush: "os", Without: calm, Workload: workload.Hints{Focus: "storage", Wide: true}}},
		{ID: plant.R8, Bug: "KAFKA-9835: a slice ends beyond the high watermark", Oracles: append([]string{"dense-offsets"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true}},
		{ID: plant.R9, Bug: "KAFKA-9491: a full truncation forgets the high watermark", Oracles: append([]string{"readers-reach-the-end", "settle", "liveness"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: []string{"F:L1"}, Workload: workload.Hints{L1: true, Focus: "trim"}}},
		{ID: plant.R10, Bug: "KIP-966: the last member of the ISR is elected again after an unclean end", Oracles: append([]string{"unclean-return"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true, Flush: "os", Classes: power}},
		{ID: plant.R11, Bug: "KAFKA-15586: an unclean end is not noticed, and its broker stays in the ELR", Oracles: append([]string{"unclean-return"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true, Flush: "os", Classes: power}},
		{ID: plant.R12, Bug: "Jepsen 2013, KIP-106: acks=all is satisfied by an ISR that is too small", Oracles: apart,
			Hints: Hints{Nodes: 3, Storm: true, Classes: power}},
		{ID: plant.R13, Bug: "KIP-497: the high watermark moves over the committed ISR while a change is pending", Oracles: append([]string{"I:I8"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: []string{"F:N1"}, Settings: map[string]string{"replica.lag.time.max.ms": "300"}}},
		{ID: plant.R14, Bug: "KAFKA-7786: a leader's answer is acted on after the leader epoch has changed", Oracles: append([]string{"settle", "liveness"}, apart...),
			Hints: Hints{Nodes: 5, Relays: true, Without: calm, Workload: workload.Hints{Focus: "storage", Wide: true},
				Settings: map[string]string{"leader.imbalance.check.interval.seconds": "1", "replica.fetch.wait.max.ms": "6000"}}},
		{ID: plant.R15, Bug: "KAFKA-14154: a controller that was deposed answers AlterPartition as if it had happened", Oracles: append([]string{"I:I8"}, apart...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: []string{"F:P2", "F:N5"}, Settings: map[string]string{"replica.lag.time.max.ms": "100"}}},
		{ID: plant.R16, Bug: "KAFKA-13837: a leader counts the fetches of what is no replica", Oracles: append([]string{"exact-errors", "I:I9"}, apart...),
			Hints: Hints{Nodes: 3, Classes: []string{"F:L3"}, Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.R18, Bug: "Redpanda #14794: records are read before they are committed", Oracles: apart,
			Hints: Hints{Nodes: 3, Storm: true}},
		{ID: plant.R19, Bug: "KIP-207: offsets are listed before a new leader's high watermark is known", Oracles: append([]string{"history:M1"}, apart...),
			Hints: Hints{Nodes: 3, Blackout: true, Workload: workload.Hints{Focus: "offsets"}, Settings: map[string]string{"log.flush.offset.checkpoint.interval.ms": "60000"}}},
		{ID: plant.R20, Bug: "ours: a leader whose high watermark lags tells consumers that the epoch before ended there (KIP-320)", Oracles: []string{"epoch-end"},
			Hints: Hints{Nodes: 3, Blackout: true, Settings: map[string]string{"log.flush.offset.checkpoint.interval.ms": "60000"}}},
	}
}

func ofClients() []Mutant {
	return []Mutant{
		{ID: plant.I1, Bug: "Redpanda #3039: no duplicate detection, a retry gets OUT_OF_ORDER_SEQUENCE_NUMBER", Oracles: []string{"exact-errors", "I:T1", "history:M2", "history:duplicate", "history:M1"},
			Hints: Hints{Classes: []string{"F:N2"}, Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.I3, Bug: "KAFKA-14034, Redpanda #5355: a duplicate after its segment is gone is an error", Oracles: []string{"exact-errors", "history:M2"},
			Hints: Hints{Workload: workload.Hints{L1: true, L3: true, Focus: "misbehave"}}},
		{ID: plant.I5, Bug: "Redpanda #3077: only the last batch is remembered", Oracles: []string{"exact-errors", "I:T1", "history:M2"},
			Hints: Hints{Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.I6, Bug: "sequence numbers are compared without their wrap (DefaultRecordBatch.incrementSequence)", Oracles: []string{"exact-errors", "history:M2", "history:"},
			Hints: Hints{Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.K1, Bug: "KAFKA-15489, in our place: a controller goes on deciding after raft says that leadership is lost", Oracles: []string{"I:K", "I:M", "every-request-answered", "settle", "liveness"},
			Hints: Hints{Nodes: 3, Storm: true, Classes: []string{"F:P2", "F:N5"}}},
		{ID: plant.K2, Bug: "KAFKA-12460: the metadata log is answered for before it is synced", Oracles: append([]string{"I:K", "I:M"}, gone...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: power}},
		{ID: plant.K3, Bug: "a vote is answered before it is synced", Oracles: append([]string{"I:K", "I:M"}, gone...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: power}},
		{ID: plant.M1, Bug: "ours: the fold skips the check of the term", Oracles: []string{"quorum:term"}, System: "quorum"},
		{ID: plant.M2, Bug: "ours: the controller fences a broker on a mere connection reset", Oracles: []string{"fenced-in-vain"},
			Hints: Hints{Nodes: 3, Resets: true, Without: []string{"F:N5", "F:N6", "F:N7", "F:P1", "F:P2", "F:P3", "F:P4", "F:D1", "F:D2", "F:D6", "F:C1"}}},
		{ID: plant.S1, Bug: "KAFKA-10471: the clean-shutdown marker outlives the load", Oracles: gone,
			Hints: Hints{Classes: []string{"F:P3"}, Without: []string{"F:D2"}, Follow: [][2]string{{"F:P3", "F:P1"}, {"F:P1", "F:D1"}}, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.S2, Bug: "KAFKA-16541: the leader-epoch checkpoint is renamed before it is synced", Oracles: append([]string{"leader-epochs"}, gone...),
			Hints: Hints{Nodes: 3, Storm: true, Classes: power, Follow: [][2]string{{"F:P3", "F:D1"}}, Workload: workload.Hints{L1: true, NoRetention: true, Focus: "storage"}}},
		{ID: plant.S3, Bug: "KAFKA-10778: appends are accepted after an I/O error", Oracles: append([]string{"readers-reach-the-end"}, gone...),
			Hints: Hints{Flush: "ack", Classes: []string{"F:D1", "F:D3"}, Without: []string{"F:D2"}, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.S7, Bug: "recovery keeps a torn batch whose CRC is bad", Oracles: append([]string{"dense-offsets"}, gone...),
			Hints: Hints{Classes: crashes, Workload: workload.Hints{Focus: "storage"}}},
		{ID: plant.B1, Bug: "Bufstream 0.1.0: a fetch is not woken", Oracles: []string{"prompt-fetch", "every-request-answered", "readers-reach-the-end", "settle", "liveness"},
			Hints: Hints{Workload: workload.Hints{Focus: "fetch"}}},
		{ID: plant.B2, Bug: "Bufstream 0.1.0: an offset defaults to 0", Oracles: []string{"I:I5", "I:I3", "I:I13", "I:T1", "exact-errors", "I:S1", "history:"},
			Hints: Hints{Workload: workload.Hints{L3: true, Focus: "misbehave"}}},
		{ID: plant.B3, Bug: "Bufstream 0.1.0: acknowledged before it is written", Oracles: gone,
			Hints: Hints{Flush: "ack", Classes: []string{"F:D1", "F:D6"}, Workload: workload.Hints{Focus: "storage"}}},
	}
}
