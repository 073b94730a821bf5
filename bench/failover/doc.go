// Command failover measures how long a producer waits for its next acknowledgement when a node of a cluster of three fails: from kill -9 or
// SIGSTOP of a node to the first acknowledgement of a record that was sent after it, on each partition that the node led. Run it from the
// top of the tree:
//
//	go run ./bench/failover            20 tries of kill -9, every fourth of them on the controller
//	FAULT=stop TRIES=5 go run ./bench/failover
//
// A line of JSON a try, then a summary. leader_ms is when a surviving node's metadata named other leaders for all that the node led; fresh_ms
// is when a producer that began right then had an acknowledgement from each of them; ack_ms is what the slowest of these partitions' old
// producers waited, idempotent, with acks=all, RF=3 and min.insync.replicas=2. The brokers have their defaults. The producer is franz-go with
// two changes: it asks for metadata and tries again as soon as the Java client and librdkafka do (100 ms after the last time; franz-go's own
// defaults are seconds, and then they are all that one measures), and it gives up a request that is not answered after 1.5 s: after a SIGSTOP
// connections stay open, and what is in flight on them keeps any client for as long as its own time-out says.
// The summary is of ack_ms after a kill, and of fresh_ms after a SIGSTOP: franz-go may try the stopped broker ten times in a row without a look
// at new metadata, whatever the cluster does.
//
// LOGS=dir leaves the brokers' logs there.
package main
