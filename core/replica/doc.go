// Package replica is one partition's replica on this broker: who may append, how far the high watermark stands, and who waits for it.
//
//	Append ─▶ commitlog ─ LogWritten ─▶ acks=1 answered          readers see offsets < high watermark
//	                    └ LogSynced  ─▶ high watermark moves ─▶ acks=all answered, watches fired
//
// Under flush.policy=ack the log end that counts is the synced one; under os it is the written one (DESIGN.md, "Log and durability").
// It never reads a clock, never answers a client itself: it tells a Waiter. Read partition.go, then watch.go.
package replica
