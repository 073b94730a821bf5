package mutant

import (
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/sim/workload"
)

// ofCleaner are the mutants of compaction.
func ofCleaner() []Mutant {
	return []Mutant{
		{ID: plant.S4, Bug: "KAFKA-14055: a marker goes with a record that has its key", Oracles: []string{"txn:", "I:T10", "liveness", "settle"},
			Hints: Hints{Transactions: true}},
		{ID: plant.S5, Bug: "KAFKA-13727: a clean that ends early forgets the aborted transactions behind its end", Oracles: []string{"txn:"},
			Hints: Hints{Transactions: true}},
		{ID: plant.S6, Bug: "Redpanda #12176: a clean takes in the first record of an open transaction", Oracles: []string{"txn:", "liveness", "settle"},
			Hints: Hints{Transactions: true}},
		{ID: plant.G2, Bug: "KAFKA-9065: loading a coordinator waits for records that compaction has taken", Oracles: []string{"liveness", "settle"},
			Hints: Hints{Workload: workload.Hints{Focus: "groups"}}},
	}
}
