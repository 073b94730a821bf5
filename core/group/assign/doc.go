// Package assign decides which member of a consumer group (KIP-848) is to own which partition, and which topics a regular expression means.
//
//	members, with what each has now ─┐
//	                                 ├─ Uniform: as many partitions for everybody; who has a partition keeps it if that allows
//	topics, with their partitions ───┘  Range: of each topic a range for each subscriber
//
// Everything is a pure function: the same members and topics give the same targets, on each broker and in each run. What a member has now may be wrong in
// any way (topics that are gone, partitions that are not there, two owners of one): it is only a wish, and a target never repeats it.
//
// It promises that each partition of a topic that somebody subscribes to has exactly one owner, who subscribes to it. It never looks at racks, as Kafka's
// assignors do not either.
//
// Read next: Uniform, then homogeneous.go and heterogeneous.go.
package assign
