package config

import (
	"math"
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
		{"log.dirs=/a,/b/../a/", "log.dirs names /b/../a/ twice; name each directory once"},
		{"log.dirs=/a,,/b", "log.dirs=/a,,/b names 3 directories, or one without a name; name 1 to 64"},
		{"listeners=SSL://:9093", "listener SSL uses SSL, which this build does not speak; map it to PLAINTEXT in listener.security.protocol.map"},
		{"advertised.listeners=PLAINTEXT://0.0.0.0:1", "advertised.listeners says 0.0.0.0, where nobody can connect to; give the host name that clients use"},
		{"controller.quorum.bootstrap.servers=a:1,b:2", "controller.quorum.bootstrap.servers names 2 nodes, and a quorum has 1, 3 or 5; name so many of them, the others follow as brokers"},
		{"controller.quorum.bootstrap.servers=a:1,a:1,b:1", "controller.quorum.bootstrap.servers has a:1 twice; name each node once"},
		{"controller.quorum.bootstrap.servers=a:0", "controller.quorum.bootstrap.servers has a:0: others cannot reach it; write host:port, such as 127.0.0.1:9093"},
		{"controller.quorum.voters=a:1", "controller.quorum.voters has a:1; write id@host:port, such as 1@127.0.0.1:9093"},
		{"controller.quorum.bootstrap.servers=a:1", "listeners=PLAINTEXT://127.0.0.1:9092 has no listener for the quorum; add one such as CONTROLLER://127.0.0.1:9093"},
		{"process.roles=broker", "process.roles=broker needs a cluster; name its quorum in controller.quorum.bootstrap.servers, or use process.roles=broker,controller"},
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

func TestANodeOfAClusterKnowsItsRolesAndListeners(t *testing.T) {
	const quorum = "controller.quorum.bootstrap.servers=127.0.0.1:19093,127.0.0.1:29093,127.0.0.1:39093"
	for _, c := range []struct {
		name string
		set  []string
		want func(n *Node) bool
	}{
		{"broker and controller", []string{"process.roles=broker,controller", "listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093", quorum}, func(n *Node) bool {
			return n.Clustered && n.Broker && n.Controller && len(n.Listeners) == 1 && n.ControllerAddr() == "127.0.0.1:19093" && len(n.QuorumServers) == 3 &&
				n.InterBroker == "PLAINTEXT" && n.IsControllerListener("CONTROLLER") && !n.IsControllerListener("PLAINTEXT")
		}},
		{"controller", []string{"process.roles=controller", "listeners=CONTROLLER://:19093", "advertised.listeners=CONTROLLER://one:19093", quorum}, func(n *Node) bool {
			return n.Clustered && !n.Broker && n.Controller && len(n.Listeners) == 0 && len(n.Advertised) == 0 && n.ControllerAddr() == "one:19093"
		}},
		{"broker without a listener for the quorum", []string{"process.roles=broker", "listeners=IN://127.0.0.1:19092,OUT://127.0.0.1:19094", "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT", "inter.broker.listener.name=OUT", quorum}, func(n *Node) bool {
			return n.Clustered && n.Broker && !n.Controller && n.InterBroker == "OUT" && n.ControllerAddr() == "127.0.0.1:0"
		}},
		{"voters in the older form", []string{"process.roles=broker,controller", "listeners=PLAINTEXT://127.0.0.1:19092,CTL://127.0.0.1:19093", "controller.listener.names=CTL", "controller.quorum.voters=1@127.0.0.1:19093"}, func(n *Node) bool {
			return n.Clustered && len(n.QuorumServers) == 1 && n.QuorumServers[0] == "127.0.0.1:19093" && n.IsControllerListener("CTL")
		}},
		{"alone", nil, func(n *Node) bool { return !n.Clustered && n.Broker && n.Controller && n.InterBroker == "PLAINTEXT" }},
	} {
		n, warn, err := Load(Args{Set: c.set})
		if err != nil || len(warn) > 0 || !c.want(n) {
			t.Errorf("%s: %v %q %+v", c.name, err, warn, n)
		}
	}
}

func TestAControllerServesNoClients(t *testing.T) {
	_, _, err := Load(Args{Set: []string{"process.roles=controller", "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2", "controller.quorum.bootstrap.servers=127.0.0.1:2"}})
	if err == nil || !strings.Contains(err.Error(), "serves no clients; delete it") {
		t.Error(err)
	}
}

func TestAThrottledReplicaIsListedByPartitionAndBroker(t *testing.T) {
	for list, want := range map[string]bool{"": false, "*": true, "3:1": true, "3:2,3:1": true, " 3:1 ": true, "1:3": false, "3:11": false, "33:1": false, "3": false} {
		if got := Throttles(list, 3, 1); got != want {
			t.Errorf("%q: want %v, got %v", list, want, got)
		}
	}
	n := DefaultNode()
	if n.LeaderThrottledRate != math.MaxInt64 {
		t.Errorf("without a setting the rate is %d", n.LeaderThrottledRate)
	}
	n = n.With(Pairs{{"leader.replication.throttled.rate", "5"}}, Pairs{{"follower.replication.throttled.rate", "7"}})
	if n.LeaderThrottledRate != 5 || n.FollowerThrottledRate != 7 {
		t.Errorf("the rates are %d and %d", n.LeaderThrottledRate, n.FollowerThrottledRate)
	}
}
