// Command bench measures what a broker's work costs: CPU per gigabyte and per request, latency, memory and start-up. It owns the load, the brokers'
// processes and the figures; it judges nothing, and no test runs it.
//
//	          ┌─ build/broker (flush.policy=os)  ─┐
//	bench ────┼─ build/broker (flush.policy=ack) ─┼── /proc/PID/{stat,status}
//	  load    └─ Apache Kafka, with PEER=DIR      ┘
//
// Every broker of a scenario runs at the same time and takes its turn in each round, so that whatever else the machine does falls on all of them alike: on a
// shared machine only the ratios within one such run mean something, and CPU means more than rates. CPU is user and system time of the broker's process,
// all threads. The clients send prepared bytes and decode as little as they can (but for franz-go's scenario), so that the broker is the limit.
//
// It promises to end: each run is bounded in requests and in time. It starts every process that it measures on loopback ports of its own choosing, with data
// in a directory of its own, and ends and removes both also after errors and SIGINT.
//
// The environment (make passes variables on): ONLY a regular expression over the scenarios' names; RUNS rounds, 3 unless told; SCALE a factor for the
// amount of load; PEER a folder with kafka-peer (KAFKA_PEER_DIR is where that keeps Kafka's jars); WARM gigabytes that Kafka is given
// before it is measured, since a virtual machine that compiles as it runs needs load to reach its speed; BASE another build of the broker, measured beside
// this one. Standard output has one JSON line a scenario and system, and after the systems' lines their ratios. Read scenario.go next.
package main
