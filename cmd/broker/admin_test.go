package main_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestATopicOfOneReplicaTakesAcksAllWhateverMinInsyncReplicasSays(t *testing.T) {
	n := start(t, t.TempDir(), "min.insync.replicas=2")
	cl := n.client(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(10*time.Second))
	createTopic(t, cl, "one", 1)
	if _, err := cl.ProduceSync(bounded(t, 20*time.Second), &kgo.Record{Topic: "one", Value: []byte("x")}).First(); err != nil {
		t.Fatal(err)
	}
}

func TestAVoterThatNobodyKnowsIsNotAddedToTheQuorum(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	cl := c.dial()
	add := func(dir [16]byte, listener bool, cluster *string) int16 {
		q := kmsg.NewPtrAddRaftVoterRequest()
		q.TimeoutMillis, q.VoterID, q.VoterDirectoryID, q.ClusterID = 5_000, 77, dir, cluster
		if listener {
			l := kmsg.NewAddRaftVoterRequestListener()
			l.Name, l.Host, l.Port = "CONTROLLER", "127.0.0.1", 9
			q.Listeners = append(q.Listeners, l)
		}
		return asked[*kmsg.AddRaftVoterResponse](t, cl, q).ErrorCode
	}
	other := "of another cluster"
	for _, x := range []struct {
		what string
		got  int16
		want int16
	}{
		{"no directory", add([16]byte{}, true, nil), 42},
		{"no listener", add([16]byte{1}, false, nil), 42},
		{"another cluster", add([16]byte{1}, true, &other), 104},
		{"it follows no quorum", add([16]byte{1}, true, nil), 7},
	} {
		if x.got != x.want {
			t.Errorf("%s: code %d, want %d", x.what, x.got, x.want)
		}
	}
	hasVoters(t, cl, []int32{1, 2, 3}, nil)
}

func TestSettingsOfABrokerAreChangedAndShownByThatBrokerOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	cl := c.dial()
	to := func(node int, q kmsg.Request) kmsg.Response {
		t.Helper()
		r, err := cl.Broker(node).RetriableRequest(bounded(t, 20*time.Second), q)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	change := func(node int, kind kmsg.ConfigResourceType, name, key, value string) (int16, string) {
		t.Helper()
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		q.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Value: &value}}}}
		r := to(node, q).(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
		return r.ErrorCode, deref(r.ErrorMessage)
	}
	shown := func(node int, kind kmsg.ConfigResourceType, name, key string) (int16, string) {
		t.Helper()
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: []string{key}}}
		r := to(node, q).(*kmsg.DescribeConfigsResponse).Resources[0]
		if r.ErrorCode != 0 || len(r.Configs) != 1 {
			return r.ErrorCode, deref(r.ErrorMessage)
		}
		return 0, deref(r.Configs[0].Value)
	}
	for _, x := range []struct {
		node int
		kind kmsg.ConfigResourceType
		name string
		code int16
	}{
		{1, kmsg.ConfigResourceTypeBroker, "2", 42}, {3, kmsg.ConfigResourceTypeBroker, "2", 42}, {2, kmsg.ConfigResourceTypeBroker, "9", 42}, {2, kmsg.ConfigResourceTypeBroker, "2", 0},
		{1, kmsg.ConfigResourceTypeBrokerLogger, "2", 42}, {2, kmsg.ConfigResourceTypeBrokerLogger, "2", 40}, // there is no such logger
	} {
		if code, text := change(x.node, x.kind, x.name, "log.retention.ms", "123456"); code != x.code {
			t.Errorf("node %d changes %v %s: code %d, %s", x.node, x.kind, x.name, code, text)
		}
	}
	if code, v := shown(2, kmsg.ConfigResourceTypeBroker, "2", "log.retention.ms"); code != 0 || v != "123456" {
		t.Errorf("code %d, %s", code, v)
	}
	if code, v := shown(1, kmsg.ConfigResourceTypeBroker, "1", "log.retention.ms"); code != 0 || v == "123456" {
		t.Errorf("a broker that was not named: code %d, %s", code, v)
	}
	if code, v := shown(1, kmsg.ConfigResourceTypeBroker, "2", "log.retention.ms"); code != 42 {
		t.Errorf("asked of another: code %d, %s", code, v)
	}
	if code, v := shown(2, kmsg.ConfigResourceTypeBrokerLogger, "2", "root"); code != 0 || v != "INFO" {
		t.Errorf("loggers: code %d, %s", code, v)
	}
}

func TestABrokerThatIsUnregisteredWhileItLivesSaysSoAndComesBackWhenItIsStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "broker.heartbeat.interval.ms=500")
	cl := c.dial()
	createReplicated(t, cl, "t", 6, 3)
	l := newLedger()
	put := func(first uint64) {
		t.Helper()
		if err := produceAll(bounded(t, time.Minute), c.dial(), "t", 1, first, 300, l); err != nil || len(l.bad) > 0 {
			t.Fatal(err, l.bad)
		}
	}
	put(0)
	q := kmsg.NewPtrUnregisterBrokerRequest()
	for _, id := range []int32{77, -1} {
		if q.BrokerID = id; asked[*kmsg.UnregisterBrokerResponse](t, cl, q).ErrorCode != 102 {
			t.Errorf("broker %d, which nobody knows, is unregistered", id)
		}
	}
	q.BrokerID = 3
	if r := asked[*kmsg.UnregisterBrokerResponse](t, cl, q); r.ErrorCode != 0 {
		t.Fatalf("code %d, %s", r.ErrorCode, deref(r.ErrorMessage))
	}
	c.nodes[2].says("start it again")
	put(300)
	if code := c.nodes[2].term(); code != 0 {
		t.Errorf("code %d", code)
	}
	c.nodes[2] = c.begin(2).wentReady()
	c.inSync(0, "t", 3)
	put(600)
	all := readAll(t, c.dial(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 900)
	same(t, 1, l, all[1])
	c.endAll()
}
