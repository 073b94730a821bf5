package controller

import (
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAlterPartitionIsRefusedAsKafkaDoes(t *testing.T) {
	type mod func(*kmsg.AlterPartitionRequest, *kmsg.AlterPartitionRequestTopicPartition)
	one := func(f func(p *kmsg.AlterPartitionRequestTopicPartition)) mod {
		return func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { f(p) }
	}
	for what, x := range map[string]struct {
		mod  mod
		code kerr.Code
	}{
		"a stale broker epoch": {func(q *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) { q.BrokerEpoch-- }, kerr.StaleBrokerEpoch},
		"an unknown topic": {func(q *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) {
			q.Topics[0].TopicID[3]++
		}, kerr.UnknownTopicID},
		"an unknown partition": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.Partition = 7 }), kerr.UnknownTopicOrPartition},
		"a newer leader epoch": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.LeaderEpoch++ }), kerr.NotController},
		"an older one":         {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.LeaderEpoch-- }), kerr.FencedLeaderEpoch},
		"a newer state":        {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.PartitionEpoch++ }), kerr.NotController},
		"an older state":       {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.PartitionEpoch-- }), kerr.InvalidUpdateVersion},
		"not the leader": {func(q *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) {
			q.BrokerID, q.BrokerEpoch = 2, q.Topics[0].Partitions[0].NewEpochISR[1].BrokerEpoch
		}, kerr.InvalidRequest},
		"without the leader":            {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.NewEpochISR = p.NewEpochISR[1:] }), kerr.InvalidRequest},
		"damaged, and still in the ISR": {one(SetDamaged), kerr.InvalidRequest},
		"damaged, with nobody left": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) {
			SetDamaged(p)
			p.NewEpochISR = nil
		}), kerr.InvalidRequest},
		"one twice": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR = append(p.NewEpochISR, p.NewEpochISR[1])
		}), kerr.InvalidRequest},
		"what is no replica": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: 4, BrokerEpoch: -1})
		}), kerr.InvalidRequest},
		"recovering once more": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR, p.LeaderRecoveryState = p.NewEpochISR[:1], 1
		}), kerr.InvalidRequest},
		"another epoch of a member": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) { p.NewEpochISR[1].BrokerEpoch-- }), kerr.IneligibleReplica},
		"a fenced member": {one(func(p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: 3, BrokerEpoch: -1})
		}), kerr.IneligibleReplica},
		"nothing wrong": {one(func(*kmsg.AlterPartitionRequestTopicPartition) {}), kerr.None},
	} {
		c := newCluster(t, 4)
		c.topic("a", []int32{1, 2, 3})
		c.kill(1) // so that epochs are above zero
		c.register(1, c.epoch[1])
		c.beat(1, nil)
		c.kill(3)
		want(t, "expand", c.alter("a", 2, 1), kerr.None)
		want(t, "preferred", c.elect("a", preferredElection), kerr.None)
		q := c.alteration("a", 1, 2)
		x.mod(q, &q.Topics[0].Partitions[0])
		r := do[*kmsg.AlterPartitionResponse](c, q)
		got := kerr.Code(r.ErrorCode)
		if got == kerr.None {
			got = kerr.Code(r.Topics[0].Partitions[0].ErrorCode)
		}
		want(t, what, got, x.code)
	}
}

func TestALeaderWithADamagedLogIsLeftInNeitherISRNorELR(t *testing.T) {
	for _, minISR := range []string{"1", "3"} {
		c := newCluster(t, 3)
		c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", minISR)
		q := c.alteration("a", 2, 3)
		epoch := c.part("a").LeaderEpoch
		SetDamaged(&q.Topics[0].Partitions[0])
		r := do[*kmsg.AlterPartitionResponse](c, q)
		want(t, "given up", kerr.Code(r.Topics[0].Partitions[0].ErrorCode), kerr.NewLeaderElected)
		c.is("a", 2, []int32{2, 3})
		if p := c.part("a"); len(p.ELR)+len(p.LastKnownELR) != 0 || p.LeaderEpoch != epoch+1 {
			t.Fatalf("min.insync.replicas=%s: %+v", minISR, p)
		}
	}
}

func TestADeposedControllerDoesNotAnswerAsIfItHadHappened(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2})
	w := &waiter{}
	c.m.Submit(c.alteration("a", 1), w)
	c.store.Committed(c.img().Index()+1, c.q.term+1, c.q.entry, c.q.token)
	want(t, "another term", kerr.Code(w.resp.(*kmsg.AlterPartitionResponse).ErrorCode), kerr.NotController)
	c.is("a", 1, []int32{1, 2})
}

func TestAReassignmentIsDoneWhenWhatItAddsIsInSync(t *testing.T) {
	c := newCluster(t, 4)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	code, _ := c.reassign("a", []int32{4, 2}, 0, false)
	want(t, "reassign", code, kerr.None)
	p := c.part("a")
	if got := list(p.Replicas); len(got) != 4 || got[0] != 4 || got[1] != 2 || len(p.Adding) != 1 || p.Adding[0] != 4 || len(p.Removing) != 2 {
		t.Fatalf("%+v", p)
	}
	lr := do[*kmsg.ListPartitionReassignmentsResponse](c, kmsg.NewPtrListPartitionReassignmentsRequest())
	if len(lr.Topics) != 1 || len(lr.Topics[0].Partitions[0].RemovingReplicas) != 2 {
		t.Fatalf("%+v", lr)
	}
	epoch := p.LeaderEpoch
	want(t, "in sync", c.alter("a", 1, 2, 3, 4), kerr.NewLeaderElected)
	c.is("a", 4, []int32{2, 4})
	if p = c.part("a"); p.Reassigning() || p.LeaderEpoch != epoch+1 || len(p.Replicas) != 2 || p.Dir(4) != [16]byte{4, 1} {
		t.Fatalf("%+v", p)
	}
	if lr = do[*kmsg.ListPartitionReassignmentsResponse](c, kmsg.NewPtrListPartitionReassignmentsRequest()); len(lr.Topics) != 0 {
		t.Fatalf("%+v", lr)
	}
}

func TestWhoIsTakenOutOfTheReplicasBeginsANewEpoch(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3})
	epoch := c.part("a").LeaderEpoch
	code, _ := c.reassign("a", []int32{1, 2}, 0, false)
	want(t, "reassign", code, kerr.None)
	c.is("a", 1, []int32{1, 2})
	if p := c.part("a"); p.LeaderEpoch != epoch+1 || p.Reassigning() {
		t.Fatalf("%+v", p)
	}
}

func TestAReassignmentIsTakenBackAndChanged(t *testing.T) {
	c := newCluster(t, 5)
	c.topic("a", []int32{1, 2})
	if code, text := c.reassign("a", nil, 0, false); code != kerr.NoReassignmentInProgress || text != "No partition reassignment is in progress." {
		t.Fatal(code, text)
	}
	c.reassign("a", []int32{3, 4}, 0, false)
	want(t, "3 in sync", c.alter("a", 1, 2, 3), kerr.None)
	code, _ := c.reassign("a", []int32{3, 5}, 0, false)
	want(t, "changed", code, kerr.None)
	p := c.part("a")
	if !subset(p.Adding, []int32{3, 5}) || len(p.Adding) != 2 || len(p.Removing) != 2 || len(p.Replicas) != 4 {
		t.Fatalf("%+v", p)
	}
	c.is("a", 1, []int32{1, 2, 3})
	code, _ = c.reassign("a", nil, 0, false)
	want(t, "taken back", code, kerr.None)
	c.is("a", 1, []int32{1, 2})
	if p = c.part("a"); p.Reassigning() || len(p.Replicas) != 2 {
		t.Fatalf("%+v", p)
	}
}

func TestTakingAReassignmentBackIsRefusedIfOnlyWhatItAddedIsInSync(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2})
	c.reassign("a", []int32{3, 2}, 0, false)
	c.kill(2)
	want(t, "3 in sync", c.alter("a", 1, 3), kerr.None)
	c.kill(1)
	c.is("a", 3, []int32{3})
	for _, allowed := range []string{"false", "true"} { // it cannot happen now, and later it may not be allowed any more
		c.alterConfig(metadata.ResourceTopic, "a", "unclean.leader.election.enable", allowed)
		code, text := c.reassign("a", nil, 0, false)
		if code != kerr.InvalidReplicaAssignment || text != "Unable to revert partition assignment for a:0 because it would require an unclean leader election." {
			t.Fatal(allowed, code, text)
		}
	}
	code, _ := c.reassign("a", []int32{1, 2}, 0, false)
	want(t, "to what it was before", code, kerr.None)
	c.is("a", 3, []int32{3})
}

func TestAReassignmentIsRefusedAsKafkaDoes(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2})
	for _, x := range []struct {
		topic  string
		target []int32
		keep   bool
		code   kerr.Code
		text   string
	}{
		{"b", []int32{1}, false, kerr.UnknownTopicOrPartition, "Unable to find a topic named b."},
		{"a", []int32{}, false, kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."},
		{"a", []int32{1, 1}, false, kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."},
		{"a", []int32{1, 9}, false, kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
		{"a", []int32{1, 2, 3}, true, kerr.InvalidReplicationFactor, "The replication factor is changed from 2 to 3"},
		{"a", []int32{1, 3}, true, kerr.None, ""},
	} {
		if code, text := c.reassign(x.topic, x.target, 1, x.keep); code != x.code || text != x.text {
			t.Errorf("%+v: got %v %q", x, code, text)
		}
	}
}

func TestReplicasAreSpreadOverRacksAndFencedBrokersComeLast(t *testing.T) {
	racks := []string{"x", "x", "x", "y", "y", "y"}
	c := newCluster(t, 0)
	for i, r := range racks {
		c.register(int32(i+1), -1, func(q *kmsg.BrokerRegistrationRequest) { q.Rack = s(r) })
		if i != 0 {
			c.beat(int32(i+1), nil)
		}
	}
	q := create("a")
	q.Topics[0].NumPartitions, q.Topics[0].ReplicationFactor = 60, 4
	want(t, "create", kerr.Code(do[*kmsg.CreateTopicsResponse](c, q).Topics[0].ErrorCode), kerr.None)
	leads := map[int32]int{}
	for _, p := range c.img().TopicByName("a").Partitions {
		x := 0
		for _, r := range p.Replicas {
			if racks[r-1] == "x" {
				x++
			}
			if r == 1 {
				t.Fatalf("a fenced broker where others were left: %v", p.Replicas)
			}
		}
		if x != 2 || !sameSet(p.ISR, p.Replicas) {
			t.Fatalf("%d of 4 on rack x: %v, ISR %v", x, p.Replicas, p.ISR)
		}
		leads[p.Leader]++
	}
	for id := int32(2); id <= 6; id++ {
		if leads[id] < 6 || leads[id] > 18 {
			t.Errorf("broker %d leads %d of 60", id, leads[id])
		}
	}
	q = create("b")
	q.Topics[0].NumPartitions, q.Topics[0].ReplicationFactor = 1, 6
	do[*kmsg.CreateTopicsResponse](c, q)
	if p := c.part("b"); len(p.Replicas) != 6 || len(p.ISR) != 5 || p.Leader == 1 {
		t.Fatalf("%+v", p)
	}
	q = create("c")
	q.Topics[0].NumPartitions, q.Topics[0].ReplicationFactor = 1, 7
	if r := do[*kmsg.CreateTopicsResponse](c, q).Topics[0]; kerr.Code(r.ErrorCode) != kerr.InvalidReplicationFactor ||
		*r.ErrorMessage != "Unable to replicate the partition 7 time(s): The target replication factor of 7 cannot be reached because only 6 broker(s) are registered." {
		t.Fatalf("%v", *r.ErrorMessage)
	}
}

func sameSet(a, b []int32) bool { return subset(a, b) && subset(b, a) }

func TestAssignmentsToFencedBrokersOnlyAreRefused(t *testing.T) {
	c := newCluster(t, 2)
	c.kill(2)
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	x := kmsg.NewCreateTopicsRequestTopic()
	A("a", -1, -1, []int32{0, 2})(&x)
	q.Topics = append(q.Topics, x)
	r := do[*kmsg.CreateTopicsResponse](c, q).Topics[0]
	if kerr.Code(r.ErrorCode) != kerr.InvalidReplicaAssignment ||
		*r.ErrorMessage != "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown." {
		t.Fatal(kerr.Code(r.ErrorCode), *r.ErrorMessage)
	}
	c.topic("b", []int32{2, 1})
	c.is("b", 1, []int32{1})
	c.kill(1)
	r = do[*kmsg.CreateTopicsResponse](c, create("c")).Topics[0]
	if kerr.Code(r.ErrorCode) != kerr.InvalidReplicationFactor || *r.ErrorMessage != "Unable to replicate the partition 1 time(s): All brokers are currently fenced." {
		t.Fatal(kerr.Code(r.ErrorCode), *r.ErrorMessage)
	}
}

func TestInternalTopicsWaitForTheListedQuorum(t *testing.T) {
	n, _, err := config.Load(config.Args{Set: []string{"node.id=1", "controller.quorum.bootstrap.servers=a:1", "listeners=PLAINTEXT://h:1,CONTROLLER://a:1"}})
	if err != nil {
		t.Fatal(err)
	}
	three := *n
	three.QuorumServers = []string{"a:1", "b:1", "c:1"}
	if rf := AutoCreate(&three, metadata.Empty(), OffsetsTopic).Topics[0].ReplicationFactor; rf != 3 {
		t.Fatalf("%d replicas", rf)
	}
	c := newCluster(t, 2)
	r := do[*kmsg.CreateTopicsResponse](c, AutoCreate(&three, c.img(), OffsetsTopic)).Topics[0]
	want(t, "two of three are registered", kerr.Code(r.ErrorCode), kerr.InvalidReplicationFactor)
	c.register(3, -1)
	r = do[*kmsg.CreateTopicsResponse](c, AutoCreate(&three, c.img(), OffsetsTopic)).Topics[0]
	want(t, "all are", kerr.Code(r.ErrorCode), kerr.None)
	if rf := AutoCreate(n, metadata.Empty(), OffsetsTopic).Topics[0].ReplicationFactor; rf != 1 {
		t.Fatalf("a broker alone: %d replicas", rf)
	}
}

func TestEveryRequestThatIsDecidedCanBeRefused(t *testing.T) {
	c := newCluster(t, 1)
	c.q.lead = false
	for _, q := range []kmsg.Request{kmsg.NewPtrBrokerHeartbeatRequest(), kmsg.NewPtrBrokerRegistrationRequest(), kmsg.NewPtrAlterPartitionRequest(), kmsg.NewPtrElectLeadersRequest(),
		kmsg.NewPtrAlterPartitionAssignmentsRequest(), kmsg.NewPtrListPartitionReassignmentsRequest(), kmsg.NewPtrAssignReplicasToDirsRequest(),
		kmsg.NewPtrUnregisterBrokerRequest(), kmsg.NewPtrDescribeQuorumRequest(), kmsg.NewPtrAllocateProducerIDsRequest()} {
		w := &waiter{}
		c.m.Submit(q, w)
		if w.times != 1 {
			t.Errorf("%T", q)
		}
	}
}
