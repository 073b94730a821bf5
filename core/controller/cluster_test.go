package controller

import (
	"fmt"
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// raft is a quorum that commits what it is given when it is told to.
type raft struct {
	lead  bool
	term  int64
	token disk.Token
	entry []byte
	n     int // proposals
}

func (q *raft) Propose(token disk.Token, _ int64, entry []byte) {
	q.token, q.entry = token, append([]byte(nil), entry...)
	q.n++
}
func (q *raft) Leader() bool { return q.lead }
func (q *raft) Term() int64  { return q.term }

// cluster is a controller with brokers that a test plays.
type cluster struct {
	t     fataler
	q     raft
	e     *env.Env
	m     *Machine
	store *metadata.Store
	epoch map[int32]int64
	lives byte
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func newCluster(t fataler, brokers int, set ...string) *cluster {
	t.Helper()
	n, _, err := config.Load(config.Args{Set: append([]string{"node.id=1", "controller.quorum.bootstrap.servers=a:1", "listeners=PLAINTEXT://h:1,CONTROLLER://a:1"}, set...)})
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	c := &cluster{t: t, q: raft{lead: true, term: 1}, e: env.New(0, nil, prng.New(1)), epoch: map[int32]int64{}}
	c.e.Out, c.e.Now = &step.Effects{}, clock.Now{Mono: clock.Time(clock.Second)}
	c.m = NewMachine(n, metadata.Empty(), &c.q, c.e.Rand, nil)
	c.m.Cluster(c.e, Options{SessionMS: 9000, GraceMS: Grace(2000)})
	c.store = metadata.NewStore(metadata.Empty(), c.m)
	c.store.Watchers = []metadata.Watcher{c.m}
	for id := range int32(brokers) {
		c.register(id+1, -1)
		c.beat(id+1, nil)
	}
	return c
}

func (c *cluster) img() *metadata.Image { return c.store.Image() }

// settle commits what is proposed until nothing is.
func (c *cluster) settle() {
	for c.q.entry != nil {
		entry := c.q.entry
		c.q.entry = nil
		before := c.img()
		c.store.Committed(before.Index()+1, c.q.term, entry, c.q.token)
		c.check(before)
	}
}

// check holds what must hold after every entry.
func (c *cluster) check(before *metadata.Image) {
	c.t.Helper()
	img := c.img()
	if text := img.Wrong(); text != "" {
		c.t.Fatalf("%s", text)
	}
	if text := c.m.context(img).wrong(); text != "" {
		c.t.Fatalf("%s", text)
	}
	for _, t := range before.Topics() {
		now := img.TopicByID(t.ID)
		if now == nil {
			continue
		}
		for n := range t.Partitions {
			was, is := &t.Partitions[n], &now.Partitions[n]
			if is.LeaderEpoch < was.LeaderEpoch || is.PartitionEpoch < was.PartitionEpoch {
				c.t.Fatalf("%s-%d: an epoch went back: %+v to %+v", t.Name, n, was, is)
			}
			if is.Leader != was.Leader && is.LeaderEpoch == was.LeaderEpoch {
				c.t.Fatalf("%s-%d: two leaders in epoch %d: %d and %d", t.Name, n, is.LeaderEpoch, was.Leader, is.Leader)
			}
			if is.Leader != metadata.NoLeader && !img.Broker(is.Leader).Active() {
				c.t.Fatalf("%s-%d: leader %d is not active", t.Name, n, is.Leader)
			}
		}
	}
}

// do asks and gives the answer, after the entry that it speaks of.
func do[R kmsg.Response](c *cluster, req kmsg.Request) R {
	c.t.Helper()
	w := &waiter{}
	c.m.Submit(req, w)
	c.settle()
	if w.times != 1 {
		c.t.Fatalf("%T was answered %d times", req, w.times)
	}
	return w.resp.(R)
}

// registration is of a new incarnation, that has the directory that the broker always had.
func (c *cluster) registration(id int32) *kmsg.BrokerRegistrationRequest {
	q := kmsg.NewPtrBrokerRegistrationRequest()
	q.Version, q.BrokerID, q.ClusterID, q.PreviousBrokerEpoch = 4, id, "c", -1
	q.LogDirs = [][16]byte{{byte(id), 1}}
	c.lives++
	q.IncarnationID = [16]byte{byte(id), c.lives}
	q.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: 1}}
	return q
}

func (c *cluster) register(id int32, previous int64, mods ...func(*kmsg.BrokerRegistrationRequest)) kerr.Code {
	c.t.Helper()
	q := c.registration(id)
	q.PreviousBrokerEpoch = previous
	for _, m := range mods {
		m(q)
	}
	r := do[*kmsg.BrokerRegistrationResponse](c, q)
	if r.ErrorCode == 0 {
		c.epoch[id] = r.BrokerEpoch
	}
	return kerr.Code(r.ErrorCode)
}

func (c *cluster) beat(id int32, mod func(*kmsg.BrokerHeartbeatRequest)) *kmsg.BrokerHeartbeatResponse {
	c.t.Helper()
	q := kmsg.NewPtrBrokerHeartbeatRequest()
	q.BrokerID, q.BrokerEpoch, q.CurrentMetadataOffset = id, c.epoch[id], c.img().Index()
	if mod != nil {
		mod(q)
	}
	return do[*kmsg.BrokerHeartbeatResponse](c, q)
}

// kill fences a broker as if its process had gone.
func (c *cluster) kill(id int32) {
	c.t.Helper()
	c.m.PeerRefused(id)
	c.settle()
}

// failover makes another term begin.
func (c *cluster) failover() {
	c.q.term++
	c.store.LeaderChanged()
}

// topic makes a topic with one partition.
func (c *cluster) topic(name string, replicas []int32, cfg ...string) {
	c.t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	t := kmsg.NewCreateTopicsRequestTopic()
	A(name, -1, -1, append([]int32{0}, replicas...))(&t)
	for i := 0; i+1 < len(cfg); i += 2 {
		set(&t, cfg[i], cfg[i+1])
	}
	q.Topics = append(q.Topics, t)
	if r := do[*kmsg.CreateTopicsResponse](c, q); r.Topics[0].ErrorCode != 0 {
		c.t.Fatalf("create %s: %v %v", name, kerr.Code(r.Topics[0].ErrorCode), *r.Topics[0].ErrorMessage)
	}
}

func (c *cluster) part(name string) *metadata.Partition {
	return &c.img().TopicByName(name).Partitions[0]
}

// is compares what matters of a partition: leader, ISR, ELR, LastKnownELR.
func (c *cluster) is(name string, leader int32, lists ...[]int32) {
	c.t.Helper()
	p := c.part(name)
	for len(lists) < 3 {
		lists = append(lists, nil)
	}
	got := fmt.Sprint(p.Leader, list(p.ISR), list(p.ELR), list(p.LastKnownELR))
	if want := fmt.Sprint(leader, list(lists[0]), list(lists[1]), list(lists[2])); got != want {
		c.t.Fatalf("leader, ISR, ELR, LastKnownELR: got %s, want %s", got, want)
	}
}

func list(v []int32) []int32 { return append([]int32{}, v...) }

// alter asks for an ISR on behalf of the leader.
func (c *cluster) alter(name string, isr ...int32) kerr.Code {
	c.t.Helper()
	r := do[*kmsg.AlterPartitionResponse](c, c.alteration(name, isr...))
	if r.ErrorCode != 0 {
		return kerr.Code(r.ErrorCode)
	}
	return kerr.Code(r.Topics[0].Partitions[0].ErrorCode)
}

func (c *cluster) alteration(name string, isr ...int32) *kmsg.AlterPartitionRequest {
	p := c.part(name)
	q := kmsg.NewPtrAlterPartitionRequest()
	q.Version, q.BrokerID, q.BrokerEpoch = 3, p.Leader, c.epoch[p.Leader]
	rp := kmsg.NewAlterPartitionRequestTopicPartition()
	rp.LeaderEpoch, rp.PartitionEpoch = p.LeaderEpoch, p.PartitionEpoch
	for _, id := range isr {
		rp.NewEpochISR = append(rp.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: id, BrokerEpoch: c.epoch[id]})
	}
	rt := kmsg.NewAlterPartitionRequestTopic()
	rt.TopicID = c.img().TopicByName(name).ID
	rt.Partitions = append(rt.Partitions, rp)
	q.Topics = append(q.Topics, rt)
	return q
}

func (c *cluster) alterConfig(kind int8, name, key, value string) {
	c.t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceType(kind), name
	x := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	x.Name, x.Value = key, &value
	r.Configs = append(r.Configs, x)
	q.Resources = append(q.Resources, r)
	if a := do[*kmsg.IncrementalAlterConfigsResponse](c, q); a.Resources[0].ErrorCode != 0 {
		c.t.Fatalf("config: %v", kerr.Code(a.Resources[0].ErrorCode))
	}
}

func (c *cluster) reassign(name string, target []int32, version int16, keep bool) (kerr.Code, string) {
	c.t.Helper()
	q := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	q.Version, q.AllowReplicationFactorChange = version, !keep
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Replicas = target
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic = name
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	a := do[*kmsg.AlterPartitionAssignmentsResponse](c, q).Topics[0].Partitions[0]
	text := ""
	if a.ErrorMessage != nil {
		text = *a.ErrorMessage
	}
	return kerr.Code(a.ErrorCode), text
}

func (c *cluster) elect(name string, kind int8) kerr.Code {
	c.t.Helper()
	q := kmsg.NewPtrElectLeadersRequest()
	q.Version, q.ElectionType = 2, kind
	t := kmsg.NewElectLeadersRequestTopic()
	t.Topic, t.Partitions = name, []int32{0}
	q.Topics = append(q.Topics, t)
	return kerr.Code(do[*kmsg.ElectLeadersResponse](c, q).Topics[0].Partitions[0].ErrorCode)
}

func want(t *testing.T, what string, got, code kerr.Code) {
	t.Helper()
	if got != code {
		t.Fatalf("%s: got %v, want %v", what, got, code)
	}
}
