// Package txn is Kafka's transaction coordinator: the transactional ids of one __transaction_state partition led here, and what ends their
// transactions on the partitions that they wrote to.
//
//	request ─▶ handler ─ reads ─▶ Metadata of the id (state.go has the transitions)
//	              │ record            ▲
//	              ▼                   │
//	        coordinator.Shard ─ Replay┘   below the high watermark: PREPARE_* ─▶ Sender ─ markers ─▶ leaders
//	                                      all markers written      ◀───────────────┘  ─▶ COMPLETE_* record
//
// It owns the rules of KIP-98, KIP-360 and KIP-890, both transaction versions side by side: who may begin, extend and end a transaction, when
// a producer is fenced, when a transaction has lasted too long, and when an id is forgotten. Behaviour follows Apache Kafka 4.3 to the error
// code. Where Kafka answers CONCURRENT_TRANSACTIONS to a request that comes while the transaction before is being completed, the request is
// held until that is done, for Config.HoldMS at most, and then answered as if it had come later: a client sees no difference but the time.
//
// It promises:
//   - each request is answered exactly once;
//   - a reply leaves after the high watermark has passed every record of the id that it depends on;
//   - no marker is sent before the record of the decision is below the high watermark, and a transaction is complete only when every partition
//     that still exists has its marker;
//   - what a loaded log gives is what the live instance had: Digest of both is equal;
//   - formats on the log are Kafka's own (TransactionLogKey 0, TransactionLogValue 0 and 1).
//
// A transition is never pending in memory: a record is replayed as soon as it is appended, and what is told of it waits. So an append that is
// refused leaves nothing behind (KAFKA-5351).
//
// It never finds coordinators, checks no permission, and knows nothing of connections. The last producer epoch is soft, as in Kafka: a new
// coordinator fences a retried InitProducerId that its predecessor would have recognized (KIP-360).
//
// Read next: state.go, metadata.go, coordinator.go; then init.go, add.go and end.go in the order of a transaction.
package txn
