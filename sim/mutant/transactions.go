package mutant

import "github.com/seedlog/seedlog/core/plant"

// ofLogs are the mutants of transactions that live where partitions are.
func ofLogs() []Mutant {
	return []Mutant{
		{ID: plant.R17, Bug: "Redpanda #5090: a new leader serves read_committed up to a high watermark of which it does not know what is stable", Oracles: []string{"txn:"},
			Hints: Hints{Nodes: 3, Storm: true, Transactions: true, Settings: map[string]string{"log.flush.offset.checkpoint.interval.ms": "60000"}}},
		{ID: plant.I2, Bug: "Redpanda #5026: the batches of an earlier epoch are still taken for duplicates", Oracles: []string{"txn:", "settle", "liveness"},
			Hints: Hints{Transactions: true}},
		{ID: plant.T2, Bug: "KIP-890, KAFKA-14402: a transactional batch is appended whatever its coordinator says", Oracles: []string{"txn:", "settle", "liveness"},
			Hints: Hints{Transactions: true, Classes: []string{"F:N3"}}},
	}
}
