// Package controller decides what becomes of the cluster's state: it turns requests and an image into records and an answer.
//
//	api ──Submit(request, Waiter)──▶ Machine ──decide against the image──▶ records ──Propose──▶ metadata.Quorum
//	                                    ▲                                                            │
//	            Waiter.Decided(answer) ─┴──────────── ImageChanged ◀── metadata.Store ◀──Committed───┘
//
// The deciding functions are pure: an image, settings and a source of randomness in, an answer and records out. The Machine keeps one
// entry in flight; what arrives meanwhile is decided together as the next. It promises that no answer leaves before the entry that
// it speaks of is committed and folded, and that an entry decided in an older term is answered with NOT_CONTROLLER.
// It never changes an image and never touches a disk. A decision that no entry can hold becomes several if it is about many partitions, and is
// refused otherwise (large.go).
//
// In a cluster (Machine.Cluster) it is also what gives brokers their lease, and partitions their leaders:
//
//	heartbeats, refused dials, time ──▶ sessions (soft) ──fence──▶ brokers.go, heartbeat.go ─┐
//	AlterPartition, reassignments, elections, directories, settings ─────────────────────────┴▶ partitionChange: elr.go, elect.go ──▶ record
//
// Every change of a partition goes through partitionChange.record, which keeps ISR, ELR and LastKnownELR such that whoever can be elected
// without the word unclean holds all that is below the high watermark. property_test.go says so over random histories.
// Read next: machine.go, change.go, sessions.go, create_topics.go; core/metadata for what records do.
package controller
