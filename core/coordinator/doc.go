// Package coordinator is the runtime that the group and the transaction coordinator share: a replicated state machine whose log
// is one partition of an internal topic, led here.
//
// It owns what stands between a handler and its answer: the record batch, the append, the replay, the wait for the high
// watermark, and what happens when that wait does not end.
//
//	handler ── records ─▶ Write ─ Append ─▶ log          loader ── batches ─▶ Load
//	                        └──── Replay ◀──────────────────────────────────────┘
//	handler ── reply ───▶ Park … HighWatermarkMoved ─▶ Waiter.Reply, Machine.Committed
//
// It promises:
//   - Durable state changes in Machine.Replay only, so that loading from the log is the code that ran live.
//   - A parked reply leaves once the high watermark covers everything that was replayed under its key, so that what it says, a
//     write's success as much as a read's value, cannot be taken back.
//   - Each waiter is answered exactly once: with its reply, with the code of a stall after Options.StallMS, or with Drop's code.
//
// It never undoes: when the log takes batches back, the instance is dropped and another is loaded in its place.
//
// Read next: Machine, then Shard; package group for a machine.
package coordinator
