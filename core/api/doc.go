// Package api answers requests: one file for each Kafka API, table.go the only registry of what is advertised.
//
//	broker.Shard ─ frame ─▶ Start(r) ─ handler ─▶ items to the shards that own the partitions ─▶ Done(r) ─▶ Encode(r)
//
// A handler runs on the shard that accepted the connection. What concerns a partition, a group or the controller is done by the shard that
// owns it: at once where that is this one, by mail otherwise, with the same structs (call.go). A handler answers each request exactly once;
// it never touches a socket or a file. Start with request.go and call.go, then 00_produce.go and 01_fetch.go.
package api
