package mutant

import (
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/sim/workload"
)

// ofCoordinators are the mutants of transactions that live in their coordinators, and in those of groups.
func ofCoordinators() []Mutant {
	return []Mutant{
		{ID: plant.T1, Bug: "KAFKA-17754: an EndTxn that comes late ends the next transaction, since the epoch is not bumped at each end", Oracles: []string{"txn:", "I:T10"},
			Hints: Hints{Transactions: true, Classes: []string{"F:N3", "F:N4"}}},
		{ID: plant.T4, Bug: "KAFKA-5351: a transaction stays being completed for ever where the record of that was refused once", Oracles: []string{"liveness", "settle"},
			Hints: Hints{Nodes: 3, Storm: true, Transactions: true}},
		{ID: plant.T5, Bug: "KAFKA-9777: markers that wait for the answer before them are forgotten", Oracles: []string{"liveness", "settle", "txn:"},
			Test: "core/txn TestOneRequestAtATimeToAnotherNode",
			Hints: Hints{Nodes: 3, Chorus: true, Classes: []string{"F:N1"}, Without: calm,
				Settings: map[string]string{"transaction.state.log.num.partitions": "1"}}},
		{ID: plant.T6, Bug: "Redpanda #6018: partitions are added in memory alone, so that a new coordinator writes them no marker", Oracles: []string{"txn:", "I:T10", "liveness", "settle"},
			Hints: Hints{Nodes: 3, Storm: true, Transactions: true}},
		{ID: plant.T7, Bug: "Redpanda #3501: an EndTxn that is asked for again after a commit is refused", Oracles: []string{"txn:", "I:T10"},
			Hints: Hints{Transactions: true, Classes: []string{"F:N2", "F:P1"}}},
		{ID: plant.T9, Bug: "Redpanda #17880: a transactional id is forgotten by the age of its last transaction, and with it who was fenced", Oracles: []string{"history:M4", "txn:", "I:T10", "liveness", "settle"},
			Hints: Hints{Transactions: true, Settings: map[string]string{"transaction.remove.expired.transaction.cleanup.interval.ms": "300", "transactional.id.expiration.ms": "86400000"}}},
		{ID: plant.T10, Bug: "KAFKA-9365, KIP-447: offsets of a transaction are taken from any generation", Oracles: []string{"I:T10"},
			Hints: Hints{Transactions: true}},
		{ID: plant.I7, Bug: "an epoch is bumped beyond the last one", Oracles: []string{"history:M4", "assert", "liveness", "settle"},
			Hints: Hints{Transactions: true, Settings: map[string]string{"internal.transactional.id.first.epoch": "32755"}}},
		{ID: plant.G1, Bug: "KAFKA-8069: an offset without an expiry time expires at once where it was loaded", Oracles: []string{"I:G7", "history:"},
			Hints: Hints{Classes: []string{"F:P1"}, Without: []string{"F:L2"}, Workload: workload.Hints{Focus: "groups"}, Settings: map[string]string{"offsets.retention.check.interval.ms": "300"}}},
		{ID: plant.G4, Bug: "KAFKA-17267: OffsetFetch answers REQUEST_TIMED_OUT", Oracles: []string{"I:S1", "history:bad-answer"},
			Hints: Hints{Nodes: 3, Storm: true, Classes: []string{"F:N1"}, Workload: workload.Hints{Focus: "groups"}, Settings: map[string]string{"offsets.commit.timeout.ms": "20"}}},
		{ID: plant.G5, Bug: "KIP-211, KAFKA-4682: offsets expire by the age of their commit though the group lives", Oracles: []string{"history:expired-alive"},
			Hints: Hints{Classes: []string{"F:C1", "F:L2"}, Workload: workload.Hints{Focus: "groups"}, Settings: map[string]string{"offsets.retention.check.interval.ms": "300", "offsets.retention.minutes": "1"}}},
		{ID: plant.T11, Bug: "Redpanda #31483: an offset expires though an open transaction would commit it anew", Oracles: []string{"I:T10", "I:G7"},
			Test:  "core/group TestAnOffsetThatAnOpenTransactionCommitsAnewDoesNotExpire",
			Hints: Hints{Transactions: true, Classes: []string{"F:L2"}}},
	}
}
