package mutant

import "github.com/seedlog/seedlog/core/plant"

// ofCompaction are the mutants of the cleaner, and of who reads what it leaves.
func ofCompaction() []Mutant {
	soon := map[string]string{"log.cleaner.backoff.ms": "50"}
	small := map[string]string{"log.cleaner.backoff.ms": "50", "log.cleaner.dedupe.buffer.size": "300"}
	return []Mutant{
		{ID: plant.S4, Bug: "KAFKA-14055: a marker goes with a record that has its key", Oracles: []string{"txn:", "I:T10", "liveness", "settle"},
			Hints: Hints{Compaction: true, Transactions: true, Classes: []string{"F:P1"}, Settings: soon}},
		{ID: plant.S5, Bug: "KAFKA-13727: a clean whose map is full knows no aborted transactions behind its end", Oracles: []string{"txn:", "I:T10"},
			Hints: Hints{Compaction: true, Transactions: true, Settings: small}},
		{ID: plant.S6, Bug: "Redpanda #12176: a clean takes in the first record of an open transaction", Oracles: []string{"txn:", "I:T10", "liveness", "settle"},
			Hints: Hints{Compaction: true, Transactions: true, Settings: soon}},
		{ID: plant.G2, Bug: "KAFKA-9065: loading a coordinator waits for records that compaction has taken", Oracles: []string{"liveness", "settle", "every-request-answered", "readers-reach-the-end"},
			Hints: Hints{Flush: "ack", Storm: true, Linger: true, Compaction: true, Without: calm, Settings: map[string]string{"log.cleaner.backoff.ms": "50", "log.cleaner.max.compaction.lag.ms": "200",
				"log.cleaner.delete.retention.ms": "0", "log.flush.offset.checkpoint.interval.ms": "60000", "offsets.topic.num.partitions": "4", "offsets.retention.check.interval.ms": "200", "offsets.retention.minutes": "10080",
				"group.initial.rebalance.delay.ms": "0"}}},
	}
}
