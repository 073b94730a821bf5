package admin

import "github.com/prometheus/client_golang/prometheus"

// metric is one name that is shown, with the labels that its values carry.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// all is every metric of collector, in the order of its making.
var all []*prometheus.Desc

func define(kind prometheus.ValueType, name, help string, labels ...string) metric {
	m := metric{prometheus.NewDesc(name, help, labels, nil), kind}
	all = append(all, m.desc)
	return m
}

func gauge(name, help string, labels ...string) metric {
	return define(prometheus.GaugeValue, name, help, labels...)
}

func counter(name, help string, labels ...string) metric {
	return define(prometheus.CounterValue, name, help, labels...)
}

// The names of kafka_exporter, whose dashboards work unchanged. As there, a partition's offsets are its leader's: it has them at the one broker that leads it.
var (
	brokers           = gauge("kafka_brokers", "Brokers registered in the cluster.")
	topicPartitions   = gauge("kafka_topic_partitions", "Partitions of the topic that this broker leads.", "topic")
	partitionCurrent  = gauge("kafka_topic_partition_current_offset", "High watermark: the next offset that a consumer will see.", "topic", "partition")
	partitionOldest   = gauge("kafka_topic_partition_oldest_offset", "Log start offset.", "topic", "partition")
	partitionLeader   = gauge("kafka_topic_partition_leader", "Node id of the leader.", "topic", "partition")
	partitionReplicas = gauge("kafka_topic_partition_replicas", "Number of replicas.", "topic", "partition")
	partitionISR      = gauge("kafka_topic_partition_in_sync_replica", "Number of in-sync replicas.", "topic", "partition")
	partitionUnder    = gauge("kafka_topic_partition_under_replicated_partition", "1 if the ISR is smaller than the replicas.", "topic", "partition")
	groupCurrent      = gauge("kafka_consumergroup_current_offset", "Offset that the group has committed.", "consumergroup", "topic", "partition")
	groupCurrentSum   = gauge("kafka_consumergroup_current_offset_sum", "Sum of the offsets that the group has committed in the topic.", "consumergroup", "topic")
	groupLag          = gauge("kafka_consumergroup_lag", "Records between the committed offset and the high watermark.", "consumergroup", "topic", "partition")
	groupLagSum       = gauge("kafka_consumergroup_lag_sum", "Sum of the group's lag in the topic, in records.", "consumergroup", "topic")
	groupMembers      = gauge("kafka_consumergroup_members", "Members of the group.", "consumergroup")
)

// The names that Kafka's JMX beans get from the Prometheus JMX exporter (lower case, PerSec dropped, counts end in _total).
var (
	messagesIn       = counter("kafka_server_brokertopicmetrics_messagesin_total", "Records appended by producers.", "topic")
	bytesIn          = counter("kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches appended by producers.", "topic")
	bytesOut         = counter("kafka_server_brokertopicmetrics_bytesout_total", "Bytes of batches sent to consumers.", "topic")
	underReplicated  = gauge("kafka_server_replicamanager_underreplicatedpartitions", "Partitions led here whose ISR is smaller than their replicas.")
	underMinISR      = gauge("kafka_server_replicamanager_underminisrpartitioncount", "Partitions led here whose ISR is smaller than min.insync.replicas.")
	partitionCount   = gauge("kafka_server_replicamanager_partitioncount", "Replicas that this broker has.")
	leaderCount      = gauge("kafka_server_replicamanager_leadercount", "Partitions that this broker leads.")
	requests         = counter("kafka_network_requestmetrics_requests_total", "Requests answered.", "request")
	errorsByRequest  = counter("kafka_network_requestmetrics_errors_total", "Requests answered with an error.", "request")
	logSize          = gauge("kafka_log_log_size", "Bytes of the replica's segments.", "topic", "partition")
	logStart         = gauge("kafka_log_log_logstartoffset", "Log start offset of the replica.", "topic", "partition")
	logEnd           = gauge("kafka_log_log_logendoffset", "Log end offset of the replica.", "topic", "partition")
	offlineLogDirs   = gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log directories that are offline.")
	recopyPercent    = gauge("kafka_log_logcleaner_cleaner_recopy_percent", "Bytes that the last cleans wrote, in percent of the segments that they replaced.")
	maxCleanTime     = gauge("kafka_log_logcleaner_max_clean_time_secs", "How long the longest of the shards' last cleans took.")
	maxBufferUse     = gauge("kafka_log_logcleaner_max_buffer_utilization_percent", "How much of its map of keys the fullest of the shards' last cleans used.")
	maxDelay         = gauge("kafka_log_logcleaner_max_compaction_delay_secs", "How long max.compaction.lag.ms has passed for what is dirty.")
	maxDirty         = gauge("kafka_log_logcleanermanager_max_dirty_percent", "The dirty share of the dirtiest log when it was last looked for.")
	sinceLastRun     = gauge("kafka_log_logcleanermanager_time_since_last_run_ms", "Since the dirtiest log was last looked for, of the shard that is the longest time ago.")
	uncleanable      = gauge("kafka_log_logcleanermanager_uncleanable_partitions_count", "Logs that cannot be cleaned for now; the broker's log says why.")
	uncleanableBytes = gauge("kafka_log_logcleanermanager_uncleanable_bytes", "What those have to clean.")
	connectionsOpen  = gauge("kafka_server_socket_server_metrics_connection_count", "Open connections.")
	connectionsTotal = counter("kafka_server_socket_server_metrics_connection_creation_total", "Connections accepted.")
)

// What neither of them has.
var (
	requestDuration     = gauge("seedlog_request_duration_seconds", "Time from a request's last byte to its answer, waiting included.", "request") // a histogram
	partitionMessages   = counter("seedlog_partition_messages_in_total", "Records appended by producers.", "topic", "partition")
	partitionMessagesIO = counter("seedlog_partition_messages_out_total", "Records sent to consumers.", "topic", "partition")
	partitionBytesIn    = counter("seedlog_partition_bytes_in_total", "Bytes of batches appended by producers.", "topic", "partition")
	partitionBytesOut   = counter("seedlog_partition_bytes_out_total", "Bytes of batches sent to consumers.", "topic", "partition")
	partitionHW         = gauge("seedlog_partition_high_watermark", "High watermark as this replica knows it.", "topic", "partition")
	partitionEpoch      = gauge("seedlog_partition_leader_epoch", "Leader epoch as this replica knows it.", "topic", "partition")
	groupLagSeconds     = gauge("seedlog_consumergroup_lag_seconds", "Age of the first record that the group has not committed; 0 if there is none.", "consumergroup", "topic", "partition")
	groupState          = gauge("seedlog_consumergroup_state", "1 for the state that the group is in.", "consumergroup", "state")
	diskSyncs           = counter("seedlog_disk_syncs_total", "Syncs of files and directories that have ended, the metadata log's too. One may answer several requests.")
	cleans              = counter("seedlog_log_cleaner_cleans_total", "Cleans of compacted logs that ended well.")
	cleanFailures       = counter("seedlog_log_cleaner_failures_total", "Cleans that found no room, or a log that cannot be cleaned.")
	cleanRead           = counter("seedlog_log_cleaner_read_bytes_total", "Bytes that cleans read, in both passes: what log.cleaner.io.max.bytes.per.second limits, beside what they write.")
	cleanRemoved        = counter("seedlog_log_cleaner_removed_bytes_total", "Bytes by which cleans made logs smaller.")
	connectionsRefused  = counter("seedlog_connections_refused_total", "Connections closed at once, since max.connections were open.")
	uptime              = gauge("seedlog_uptime_seconds", "Time since the start.")
	status              = gauge("seedlog_status", "1 for the status that /readyz tells.", "status")
	buildInfo           = gauge("seedlog_build_info", "Always 1.", "version", "revision", "goversion", "node_id", "cluster_id")
)
