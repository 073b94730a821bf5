package config

// groupSettings is every setting of a group of Apache Kafka 4.3 (KIP-848, KIP-932, KIP-1071), by name; columns as in Setting. The default of most
// is the broker's setting of that name with "group." before it.
var groupSettings = []Setting{
	{"consumer.assignment.interval.ms", Int, "1000", "0..", supported, "The least time between two assignments of a consumer group."},
	{"consumer.heartbeat.interval.ms", Int, "5000", "1..", supported, "How often the members of a consumer group send a heartbeat."},
	{"consumer.session.timeout.ms", Int, "45000", "1..", supported, "A member of a consumer group whose heartbeats stay away for this long has left it."},
	{"share.assignment.interval.ms", Int, "1000", "0..", 0, ""},
	{"share.auto.offset.reset", String, "latest", "reset", 0, ""},
	{"share.delivery.count.limit", Int, "5", "2..", 0, ""},
	{"share.heartbeat.interval.ms", Int, "5000", "1..", 0, ""},
	{"share.isolation.level", String, "read_uncommitted", "read_committed|read_uncommitted", 0, ""},
	{"share.partition.max.record.locks", Int, "2000", "100..", 0, ""},
	{"share.record.lock.duration.ms", Int, "30000", "1000..", 0, ""},
	{"share.renew.acknowledge.enable", Boolean, "true", "", 0, ""},
	{"share.session.timeout.ms", Int, "45000", "1..", 0, ""},
	{"streams.assignment.interval.ms", Int, "1000", "0..", 0, ""},
	{"streams.heartbeat.interval.ms", Int, "5000", "1..", 0, ""},
	{"streams.initial.rebalance.delay.ms", Int, "3000", "0..", 0, ""},
	{"streams.num.standby.replicas", Int, "0", "0..", 0, ""},
	{"streams.session.timeout.ms", Int, "45000", "1..", 0, ""},
}

var (
	allGroup   = sorted(groupSettings)
	groupIndex = index(allGroup)
)

// ForGroup gives a group's setting, or nil.
func ForGroup(name string) *Setting { return groupIndex[name] }
