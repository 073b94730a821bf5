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
	q := kmsg.NewPtrDescribeQuorumRequest()
	x := kmsg.NewDescribeQuorumRequestTopic()
	x.Topic, x.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	q.Topics = append(q.Topics, x)
	if r := asked[*kmsg.DescribeQuorumResponse](t, cl, q); len(r.Topics[0].Partitions[0].CurrentVoters) != 3 {
		t.Errorf("voters: %+v", r.Topics[0].Partitions[0].CurrentVoters)
	}
}
