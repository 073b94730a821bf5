package main_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// quorum asks for the quorum: its leader, and the node ids of its voters and of those that only follow.
func quorum(t testing.TB, cl *kgo.Client) (leader int32, voters, observers []int32) {
	t.Helper()
	q := kmsg.NewPtrDescribeQuorumRequest()
	x := kmsg.NewDescribeQuorumRequestTopic()
	x.Topic, x.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	q.Topics = append(q.Topics, x)
	r := asked[*kmsg.DescribeQuorumResponse](t, cl, q)
	if r.ErrorCode != 0 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("DescribeQuorum: %+v", r)
	}
	p := r.Topics[0].Partitions[0]
	for _, v := range p.CurrentVoters {
		voters = append(voters, v.ReplicaID)
	}
	for _, v := range p.Observers {
		observers = append(observers, v.ReplicaID)
	}
	slices.Sort(voters)
	slices.Sort(observers)
	return p.LeaderID, voters, observers
}

// hasVoters waits until the quorum's voters are those, and each other node that runs follows.
func hasVoters(t testing.TB, cl *kgo.Client, voters, observers []int32) {
	t.Helper()
	var v, o []int32
	defer func() {
		if t.Failed() {
			t.Logf("voters %v, observers %v; want %v and %v", v, o, voters, observers)
		}
	}()
	eventually(t, 30*time.Second, fmt.Sprintf("the voters are %v, and %v follow", voters, observers), func() bool {
		_, v, o = quorum(t, cl)
		return slices.Equal(v, voters) && slices.Equal(o, observers)
	})
}

// directoryID is the directory.id of a node's directory.
func directoryID(t testing.TB, dir string) (id [16]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "directory.id="); ok {
			raw, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(text))
			if err != nil || len(raw) != 16 {
				t.Fatalf("directory.id %q: %v", text, err)
			}
			return [16]byte(raw)
		}
	}
	t.Fatalf("%s has no directory.id", dir)
	return id
}

// addVoter asks to make a node, which listens for controllers at addr, a voter.
func addVoter(t testing.TB, cl *kgo.Client, id int32, dir, addr string) (int16, string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	q := kmsg.NewPtrAddRaftVoterRequest()
	q.TimeoutMillis, q.VoterID, q.VoterDirectoryID = 20_000, id, directoryID(t, dir)
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", host, uint16(n)
	q.Listeners = append(q.Listeners, l)
	r := asked[*kmsg.AddRaftVoterResponse](t, cl, q)
	return r.ErrorCode, deref(r.ErrorMessage)
}

func removeVoter(t testing.TB, cl *kgo.Client, id int32, dir string) (int16, string) {
	t.Helper()
	q := kmsg.NewPtrRemoveRaftVoterRequest()
	q.VoterID, q.VoterDirectoryID = id, directoryID(t, dir)
	r := asked[*kmsg.RemoveRaftVoterResponse](t, cl, q)
	return r.ErrorCode, deref(r.ErrorMessage)
}

// fourth starts a node that the founding list does not name: a broker, and a controller that is no voter yet.
func (c *cluster) fourth(addr, inner string) *node {
	c.t.Helper()
	return begin(c.t, filepath.Join(c.dir, "3"), append([]string{"node.id=4", "process.roles=broker,controller", "listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + inner,
		"controller.quorum.bootstrap.servers=" + strings.Join(c.inner, ",")}, c.extra...)...)
}

func TestAVoterIsReplacedByANodeThatJoinedAndTheNewQuorumOutlivesTheOldOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "t", 4, 3)
	addr, inner := freePort(t), freePort(t)
	addrs, inners := append(slices.Clone(c.clients), addr), append(slices.Clone(c.inner), inner)
	nodes := append(slices.Clone(c.nodes), c.fourth(addr, inner).wentReady())
	again := func(id int32) {
		t.Helper()
		if nodes[id-1] = nil; id == 4 {
			nodes[3] = c.fourth(addr, inner)
		} else {
			nodes[id-1] = c.begin(int(id - 1))
		}
	}
	client := func() *kgo.Client { return dial(t, addrs[0], kgo.SeedBrokers(addrs...)) }
	hasVoters(t, client(), []int32{1, 2, 3}, []int32{4})
	if code, text := addVoter(t, client(), 4, nodes[3].dir, inner); code != 0 {
		t.Fatalf("AddRaftVoter: code %d, %s", code, text)
	}
	hasVoters(t, client(), []int32{1, 2, 3, 4}, nil)
	if code, text := addVoter(t, client(), 4, nodes[3].dir, inner); code != 126 {
		t.Errorf("added twice: code %d, %s", code, text)
	}
	// The leader itself is removed. It stays a broker, and follows.
	gone, _, _ := quorum(t, client())
	left := slices.DeleteFunc([]int32{1, 2, 3, 4}, func(id int32) bool { return id == gone })
	if code, text := removeVoter(t, client(), gone, nodes[gone-1].dir); code != 0 {
		t.Fatalf("RemoveRaftVoter of the leader: code %d, %s", code, text)
	}
	hasVoters(t, client(), left, []int32{gone})
	if code, text := removeVoter(t, client(), gone, nodes[gone-1].dir); code != 127 {
		t.Errorf("removed twice: code %d, %s", code, text)
	}
	l := newLedger()
	works := func(name string) {
		t.Helper()
		createReplicated(t, client(), name, 2, 2)
		if err := produceAll(bounded(t, time.Minute), client(), "t", 1, uint64(len(l.acked)), 300, l); err != nil || len(l.bad) > 0 {
			t.Fatal(name, err, l.bad)
		}
	}
	works("replaced")
	// Two of the new three are a majority; of four, with the one that is gone, they would be none.
	leader, _, _ := quorum(t, client())
	nodes[gone-1].kill()
	nodes[leader-1].kill()
	for _, id := range left {
		if id != leader {
			eventually(t, 30*time.Second, "the probe says that there is a controller", func() bool { code, _ := health(t, nodes[id-1].ready["admin"], "/readyz"); return code == 200 })
		}
	}
	createReplicated(t, client(), "two-of-three", 2, 2)
	for _, n := range nodes {
		n.kill()
	}
	for id := range int32(4) {
		again(id + 1)
	}
	for _, n := range nodes {
		n.wentReady()
	}
	hasVoters(t, client(), left, []int32{gone})
	works("restarted")
	if code, text := addVoter(t, client(), gone, nodes[gone-1].dir, inners[gone-1]); code != 0 {
		t.Errorf("added again: code %d, %s", code, text)
	}
	hasVoters(t, client(), []int32{1, 2, 3, 4}, nil)
	all := readAll(t, dial(t, addrs[3], kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), len(l.acked))
	same(t, 1, l, all[1])
	for _, n := range nodes {
		n.signal(sigterm)
	}
	for i, n := range nodes {
		if code := n.wait(); code != 0 {
			t.Errorf("node %d ends with code %d", i+1, code)
		}
	}
}

func TestKafkasToolsChangeTheQuorumAndForgetABroker(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes")
	}
	kafkaPeer(t)
	const metadataQuorum, clusterTool = "org.apache.kafka.tools.MetadataQuorumCommand", "org.apache.kafka.tools.ClusterTool"
	c := newCluster(t, 3, "min.insync.replicas=2")
	addr, inner := freePort(t), freePort(t)
	four := c.fourth(addr, inner).wentReady()
	hasVoters(t, c.dial(), []int32{1, 2, 3}, []int32{4})
	server := []string{"--bootstrap-server", strings.Join(c.clients, ",")}
	quorumTool := func(args ...string) string {
		return kafkaTool(t, "", metadataQuorum, append(slices.Clone(server), args...)...)
	}

	file := filepath.Join(t.TempDir(), "four.properties")
	text := fmt.Sprintf("process.roles=broker,controller\nnode.id=4\ncontroller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://%s,CONTROLLER://%s\n"+
		"controller.quorum.bootstrap.servers=%s\nlog.dirs=%s\n", addr, inner, strings.Join(c.inner, ","), four.dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log(quorumTool("--command-config", file, "add-controller"))
	hasVoters(t, c.dial(), []int32{1, 2, 3, 4}, nil)
	out := quorumTool("describe", "--replication", "--human-readable")
	if strings.Count(out, "Follower") != 3 || strings.Count(out, "Leader") < 1 || strings.Contains(out, "Observer") {
		t.Errorf("describe --replication: %s", out)
	}
	dir := directoryID(t, four.dir)
	t.Log(quorumTool("remove-controller", "--controller-id", "4", "--controller-directory-id", base64.RawURLEncoding.EncodeToString(dir[:])))
	hasVoters(t, c.dial(), []int32{1, 2, 3}, []int32{4})
	if out := quorumTool("describe", "--status"); !strings.Contains(out, c.nodes[0].ready["cluster.id"]) || !strings.Contains(out, "LeaderEpoch") {
		t.Errorf("describe --status: %s", out)
	}

	if code := four.term(); code != 0 {
		t.Errorf("code %d", code)
	}
	if out := kafkaTool(t, "", clusterTool, append([]string{"cluster-id"}, server...)...); !strings.Contains(out, c.nodes[0].ready["cluster.id"]) {
		t.Errorf("cluster-id: %s", out)
	}
	if out := kafkaTool(t, "", clusterTool, append([]string{"unregister", "--id", "4"}, server...)...); !strings.Contains(out, "Broker 4 is no longer registered") {
		t.Errorf("unregister: %s", out)
	}
	eventually(t, 20*time.Second, "broker 4 is forgotten", func() bool { _, brokers, _ := c.describe(0, "none"); return brokers == 3 })
	if out := kafkaTool(t, "", clusterTool, append([]string{"list-endpoints"}, server...)...); strings.Contains(out, addr) || !strings.Contains(out, strings.Split(c.clients[0], ":")[1]) {
		t.Errorf("list-endpoints: %s", out)
	}
}
