// Package broker is the shard: the one door through which events come in, connections, start and stop, and what the shards of a node tell
// each other.
//
//	Step ─▶ conn.go (frames, in order) ─▶ api ─▶ replica ─▶ commitlog
//	     ├▶ env (completions, timers)
//	     └▶ mail.go (image, checkpoints, stop) ── shard 0 also has the controller (control.go) and the metadata log
//
// It owns the order of requests on a connection and the life of partitions. It decides nothing about a partition's or a group's content.
// Read shard.go, conn.go, boot.go, then names.go (who may use a directory) and stop.go.
package broker
