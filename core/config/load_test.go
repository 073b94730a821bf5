package config

import (
	"strings"
	"testing"
)

func TestDefaultsNeedNothing(t *testing.T) {
	n := DefaultNode()
	if n.NodeID != 1 || n.LogDir != "./data" || n.Listeners[0].Port != 9092 || n.Topic.RetentionMS != 604800000 || n.Topic.FlushMS != 1<<63-1 {
		t.Fatalf("%+v", n)
	}
}

func TestEveryDefaultOfTheRegistryIsAllowedByItsOwnRule(t *testing.T) {
	for _, all := range [][]*Setting{allBroker, allTopic} {
		for i, s := range all {
			if i > 0 && all[i-1].Name >= s.Name {
				t.Errorf("%s is there twice or out of order", s.Name)
			}
			if s.Flags&null != 0 || s.Rule == "nonempty" && s.Default == "" {
				continue
			}
			if err := s.Check(s.Default); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if s.Supported() && s.Doc == "" {
				t.Errorf("%s has no documentation", s.Name)
			}
		}
	}
}

func TestAnUnknownNameIsRefusedWithTheNearestKnownOne(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"num.partition=3", "unknown setting num.partition in --set; the nearest known name is num.partitions"},
		{"retention.ms=3", "retention.ms in --set is a setting of topics; for all topics set log.retention.ms"},
		{"zookeeper.connect=x", "zookeeper.connect in --set was removed in Kafka 4; delete it"},
		{"xyz=1", "unknown setting xyz in --set; delete it"},
		{"num.partitions", "--set num.partitions is not key=value; write for example --set num.partitions=3"},
		{"num.partitions=0", "num.partitions=0 (--set num.partitions) is not allowed: Value must be at least 1; change it"},
		{"log.dirs=/a,/b", "log.dirs names 2 directories and this build uses one; name a single directory"},
		{"listeners=SSL://:9093", "listener SSL uses SSL, which this build does not speak; map it to PLAINTEXT in listener.security.protocol.map"},
		{"advertised.listeners=PLAINTEXT://0.0.0.0:1", "advertised.listeners says 0.0.0.0, where nobody can connect to; give the host name that clients use"},
		{"controller.quorum.bootstrap.servers=a:1,b:2", "controller.quorum.bootstrap.servers names 2 nodes and this build runs one; name only this node, or delete the setting"},
	} {
		_, _, err := Load(Args{Set: []string{c.set}})
		if err == nil || err.Error() != c.want {
			t.Errorf("--set %s\n got %v\nwant %s", c.set, err, c.want)
		}
	}
}

func TestSetBeatsEnvironmentWhichBeatsFile(t *testing.T) {
	n, warn, err := Load(Args{
		File: "# a comment\nnum.partitions=2\nlog.retention.hours : 1\nnum.io.threads 8\nlog.dirs=/f\nnode.id=\\\n   7\n",
		Env:  []string{"KAFKA_NUM_PARTITIONS=3", "KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_MIN_INSYNC_REPLICAS=2", "CLUSTER_ID=abc", "PATH=/bin", "KAFKA_LOG_DIR=/e"},
		Set:  []string{"num.partitions=4"}})
	if err != nil {
		t.Fatal(err)
	}
	if n.NumPartitions != 4 || n.Topic.RetentionMS != 3600000 || n.Topic.MinInsyncReplicas != 2 || n.NodeID != 7 || n.ClusterID != "abc" || n.LogDir != "/e" {
		t.Errorf("%+v", n)
	}
	if len(warn) != 1 || !strings.Contains(warn[0], "num.io.threads") || !strings.Contains(warn[0], "KAFKA_HEAP_OPTS") || strings.Contains(warn[0], "PATH") {
		t.Errorf("%q", warn)
	}
}
