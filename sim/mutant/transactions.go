package mutant

import "github.com/seedlog/seedlog/core/plant"

// ofLogs are the mutants of transactions that live where partitions are.
func ofLogs() []Mutant {
	return []Mutant{
		{ID: plant.R17, Bug: "Redpanda #5090: a new leader serves read_committed up to a high watermark of which it does not know what is stable", Oracles: []string{"txn:"},
			Hints: Hints{Nodes: 3, Storm: true, Transactions: true, Settings: map[string]string{"log.flush.offset.checkpoint.interval.ms": "60000"}}},
		{ID: plant.I2, Bug: "Redpanda #5026: the batches of an earlier epoch are still taken for duplicates", Oracles: []string{"txn:", "settle", "liveness"},
			Hints: Hints{Transactions: true}},
		{ID: plant.R7, Bug: "KAFKA-9807: a read_committed fetch looks at the end once more, and it is the high watermark", Oracles: []string{"I:S1", "history:bad-answer", "txn:"},
			Hints: Hints{Transactions: true, Transfers: true}},
		{ID: plant.P7, Bug: "ours: a fetch is not woken by the last stable offset", Oracles: []string{"txn:prompt"},
			Hints: Hints{Transfers: true}},
		{ID: plant.I4, Bug: "KAFKA-7298, KAFKA-5793: where only a marker is left of a producer, its next batch is out of order", Oracles: []string{"txn:", "liveness", "settle"},
			Hints: Hints{Transactions: true}},
		{ID: plant.T3, Bug: "KAFKA-9144: a producer expires though its transaction is open", Oracles: []string{"txn:", "liveness", "settle"},
			Hints: Hints{Transactions: true, Transfers: true, Classes: []string{"F:L2"}, Settings: map[string]string{"producer.id.expiration.ms": "1000"}}},
		{ID: plant.T8, Bug: "Redpanda #3232: a late marker ends whatever transaction is open, whatever its epoch", Oracles: []string{"txn:", "I:T10", "liveness", "settle"},
			Test:  "core/commitlog/producers TestAMarkerIsJudgedAsKafkaDoes",
			Hints: Hints{Nodes: 3, Storm: true, Transactions: true, Transfers: true, Classes: []string{"F:N3", "F:N1"}}},
		{ID: plant.T12, Bug: "KAFKA-14920: a verification forgets which batch comes first", Oracles: []string{"txn:order-refused"},
			Test:  "core/commitlog/producers TestTheFirstBatchOfAVerificationHasTheLowestSequenceNumberAskedFor",
			Hints: Hints{Nodes: 3, Storm: true, Transfers: true, Classes: []string{"F:N1"}}},
		{ID: plant.T2, Bug: "KIP-890, KAFKA-14402: a transactional batch is appended whatever its coordinator says", Oracles: []string{"txn:", "settle", "liveness"},
			Hints: Hints{Transactions: true, Classes: []string{"F:N3"}}},
	}
}
