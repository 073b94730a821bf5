package config

// ownSettings are the broker settings that Kafka does not have.
var ownSettings = []Setting{
	{"admin.listener", String, "127.0.0.1:9644", "", supported, "The host:port of health and metrics over HTTP; port 0 lets the system choose."},
	{"disk.reserve.bytes", Long, "67108864", "0..", supported, "The space that a full disk still leaves to the metadata log, to __consumer_offsets and to DeleteRecords."},
	{"flush.policy", String, "ack", "ack|os", supported, "ack: what is acknowledged with acks=all is on disk. os: the operating system decides when, as in Apache Kafka."},
	{"internal.log.segment.bytes", Int, "", "1..", null | internal | supported, "The default of internal.segment.bytes: segments smaller than log.segment.bytes allows, for tests."},
	{"internal.transactional.id.first.epoch", Int, "0", "0..32766", internal | supported, "The producer epoch that a new transactional id begins with, for tests of what comes after the last one."},
	{"shards", Int, "0", "0..64", supported, "How many event loops the broker runs; 0 chooses by the number of cores."},
}
