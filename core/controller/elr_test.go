package controller

import (
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// crash ends a broker and starts it again after an unclean end; synced says whether its disk proves that it is the one that it had.
func (c *cluster) crash(id int32, synced bool) {
	c.t.Helper()
	c.kill(id)
	epoch := c.epoch[id]
	c.register(id, -1, func(q *kmsg.BrokerRegistrationRequest) {
		if synced {
			SetSyncedEpoch(q, epoch)
		}
	})
}

// tells makes a broker's heartbeat say where its log of an orphaned partition ends.
func (c *cluster) tells(name string, epoch int32, end int64) func(*kmsg.BrokerHeartbeatRequest) {
	p := c.part(name)
	return func(q *kmsg.BrokerHeartbeatRequest) {
		SetLogEnds(q, []LogEnd{{Topic: c.img().TopicByName(name).ID, LeaderEpoch: p.LeaderEpoch, Epoch: epoch, End: end}})
	}
}

const nobodyLeads = metadata.NoLeader

func TestWhoLeavesAnISRThatIsTooSmallStaysEligible(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.kill(3)
	c.is("a", 1, []int32{1, 2})
	c.kill(2)
	c.is("a", 1, []int32{1}, []int32{2})
	c.kill(1)
	c.is("a", nobodyLeads, nil, []int32{2, 1})
	if c.part("a").LastLeader != 1 {
		t.Fatalf("last leader %d", c.part("a").LastLeader)
	}
	c.register(2, c.epoch[2]) // after a clean end
	c.is("a", nobodyLeads, nil, []int32{2, 1})
	c.beat(2, nil)
	c.is("a", 2, []int32{2}, []int32{1})
	if c.part("a").Recovering {
		t.Fatal("an election from the ELR is clean")
	}
	c.register(1, c.epoch[1])
	c.beat(1, nil)
	c.is("a", 2, []int32{2}, []int32{1})
	want(t, "the ELR has no say while somebody is in sync", c.elect("a", preferredElection), kerr.PreferredLeaderNotAvailable)
	want(t, "expand", c.alter("a", 2, 1), kerr.None)
	c.is("a", 2, []int32{2, 1})
}

func TestALeaderThatShrinksTheISRLeavesWhoGoesEligible(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	want(t, "3 lags", c.alter("a", 1, 2), kerr.None)
	c.is("a", 1, []int32{1, 2})
	epoch := c.part("a").LeaderEpoch
	want(t, "2 lags", c.alter("a", 1), kerr.None)
	c.is("a", 1, []int32{1}, []int32{2})
	if c.part("a").LeaderEpoch != epoch {
		t.Fatal("a shrink under the same leader begins no epoch")
	}
}

func TestAfterAnUncleanEndABrokerIsNotEligibleAndTheOthersAre(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.kill(3)
	c.kill(2)
	c.crash(1, false)
	c.is("a", nobodyLeads, nil, []int32{2})
	c.beat(1, nil)
	c.is("a", nobodyLeads, nil, []int32{2})
	c.register(2, c.epoch[2])
	c.beat(2, nil)
	c.is("a", 2, []int32{2})
}

func TestARestartWithinTheSessionIsNoticed(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.topic("alone", []int32{1})
	before := c.part("alone").LeaderEpoch
	c.kill(1)
	c.register(1, c.epoch[1])
	c.is("alone", nobodyLeads, nil, []int32{1})
	c.beat(1, nil)
	c.is("alone", 1, []int32{1})
	if c.part("alone").LeaderEpoch <= before {
		t.Fatal("leader again in the same epoch")
	}
}

func TestWithASyncedDiskTheLastOnesComeBackWithoutAnUncleanElection(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.kill(3)
	c.crash(2, true)
	c.is("a", 1, []int32{1}, nil, []int32{2})
	c.crash(1, true)
	c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
	c.beat(2, c.tells("a", 0, 7))
	c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
	c.beat(1, c.tells("a", 0, 7))
	c.is("a", 1, []int32{1}, nil, []int32{2})
	if c.part("a").Recovering {
		t.Fatal("that election was clean")
	}
	want(t, "expand", c.alter("a", 1, 2), kerr.None)
	c.is("a", 1, []int32{1, 2})
}

// One disk of those that were the last in sync may have lost what it said it had synced. Nobody knows which, so who holds most leads.
func TestOfThoseWhoWereTheLastInSyncWhoHoldsMostLeads(t *testing.T) {
	for _, x := range []struct {
		epoch1, epoch2 int32
		end1, end2     int64
		leads          int32
	}{{0, 0, 7, 7, 1}, {0, 0, 3, 7, 2}, {0, 0, 7, 3, 1}, {-1, 0, 0, 7, 2}, {1, 0, 3, 7, 1}, {0, 1, 7, 3, 2}} {
		for _, first := range []int32{1, 2} {
			c := newCluster(t, 3)
			c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
			c.kill(3)
			c.crash(2, true)
			c.crash(1, true)
			c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
			told := map[int32]func(*kmsg.BrokerHeartbeatRequest){1: c.tells("a", x.epoch1, x.end1), 2: c.tells("a", x.epoch2, x.end2)}
			c.beat(first, told[first])
			c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
			c.beat(3-first, nil) // it is there, and its log is not open yet
			c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
			c.beat(3-first, told[3-first])
			if p := c.part("a"); p.Leader != x.leads || p.Recovering {
				t.Fatalf("%+v: %d leads, recovering %v", x, p.Leader, p.Recovering)
			}
		}
	}
}

func TestWhatWasToldInAnotherEpochOrLifeDoesNotCount(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
	c.crash(2, true)
	c.crash(1, true)
	told := c.tells("a", 0, 7)
	c.beat(1, told)
	c.crash(1, true) // it may have lost more
	c.beat(2, told)
	c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) {
		SetLogEnds(q, []LogEnd{{Topic: c.img().TopicByName("a").ID, LeaderEpoch: c.part("a").LeaderEpoch - 1, End: 7}})
	})
	c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
	c.failover()
	c.beat(2, told)
	c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
	c.beat(1, told)
	c.is("a", 1, []int32{1}, nil, []int32{2})
}

func TestADirectoryThatItsBrokerSaysIsGoneIsNotWaitedFor(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
	c.crash(2, true)
	c.crash(1, true)
	c.beat(1, c.tells("a", 0, 7))
	c.beat(2, func(q *kmsg.BrokerHeartbeatRequest) { q.OfflineLogDirs = c.img().Broker(2).LogDirs })
	c.is("a", nobodyLeads, nil, nil, []int32{2, 1})
	c.beat(1, c.tells("a", 0, 7))
	c.is("a", 1, []int32{1}, nil, []int32{2})
}

func TestAnUncleanElectionDoesNotWaitAndTakesWhoIsKnownToHoldMost(t *testing.T) {
	for _, byRequest := range []bool{false, true} {
		c := newCluster(t, 3)
		c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
		c.kill(1)
		c.register(1, c.epoch[1])
		c.crash(3, true)
		c.crash(2, true)
		c.is("a", nobodyLeads, nil, nil, []int32{3, 2})
		c.beat(1, nil)
		c.beat(3, c.tells("a", 0, 7))
		c.is("a", nobodyLeads, nil, nil, []int32{3, 2})
		if byRequest {
			want(t, "unclean", c.elect("a", uncleanElection), kerr.None)
		} else {
			c.alterConfig(metadata.ResourceTopic, "a", "unclean.leader.election.enable", "true")
		}
		c.is("a", 3, []int32{3})
		if !c.part("a").Recovering {
			t.Fatal("2 was not asked: that election was unclean")
		}
	}
}

// A replica that was not in sync may hold more than the last leader, of which nothing is left.
func TestWhoHoldsMostLeadsOnceTheLastLeaderIsThereWithLess(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2})
	want(t, "2 lags", c.alter("a", 1), kerr.None)
	c.crash(1, false)
	told := c.tells("a", 0, 7)
	c.beat(2, told)
	c.is("a", nobodyLeads, nil)
	c.beat(1, c.tells("a", -1, 0))
	c.is("a", 2, []int32{2})
	if !c.part("a").Recovering {
		t.Fatal("that election was unclean")
	}
}

func TestWhatLeftAnISRThatIsLargeEnoughIsInNoList(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.crash(3, true)
	c.is("a", 1, []int32{1, 2})
}

func TestADiskThatIsNotTheOneThatSyncedDoesNotCount(t *testing.T) {
	for what, mod := range map[string]func(c *cluster, q *kmsg.BrokerRegistrationRequest){
		"an older disk":  func(c *cluster, q *kmsg.BrokerRegistrationRequest) { SetSyncedEpoch(q, c.epoch[1]-1) },
		"a wiped one":    func(c *cluster, q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{1, 9}} },
		"under os":       func(*cluster, *kmsg.BrokerRegistrationRequest) {},
		"one of nowhere": func(c *cluster, q *kmsg.BrokerRegistrationRequest) { SetSyncedEpoch(q, 1<<60) },
		"a new directory ": func(c *cluster, q *kmsg.BrokerRegistrationRequest) {
			SetSyncedEpoch(q, c.epoch[1])
			q.LogDirs = [][16]byte{{1, 9}}
		},
	} {
		c := newCluster(t, 2)
		c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
		c.kill(2)
		c.kill(1)
		c.register(1, -1, func(q *kmsg.BrokerRegistrationRequest) { mod(c, q) })
		if p := c.part("a"); len(p.LastKnownELR) != 0 || len(p.ELR) != 1 || p.ELR[0] != 2 {
			t.Fatalf("%s: %+v", what, p)
		}
	}
}

func TestACrashBeforeTheNewEpochIsSyncedDoesNotMakeTheDiskAnother(t *testing.T) {
	c := newCluster(t, 1)
	c.topic("a", []int32{1})
	active := c.epoch[1]
	c.kill(1)
	c.register(1, -1, func(q *kmsg.BrokerRegistrationRequest) { SetSyncedEpoch(q, active) })
	c.register(1, -1, func(q *kmsg.BrokerRegistrationRequest) { SetSyncedEpoch(q, active) }) // it crashed before it had synced the second
	c.is("a", nobodyLeads, nil, nil, []int32{1})
	c.beat(1, nil)
	c.is("a", 1, []int32{1})
	if c.part("a").Recovering {
		t.Fatal("that election was clean")
	}
}

func TestALogThatLostSyncedBytesTakesItsBrokerOutOfTheList(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
	c.kill(2)
	c.crash(1, true)
	c.is("a", nobodyLeads, nil, []int32{2}, []int32{1})
	c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) { SetTruncated(q) })
	c.is("a", nobodyLeads, nil, []int32{2})
}

func TestTheLastLeaderIsElectedUncleanlyOnlyWhenNobodyElseCanBe(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
	c.kill(2)
	c.crash(1, false)
	c.beat(1, nil)
	c.is("a", nobodyLeads, nil, []int32{2})
	c.register(2, -1)
	c.is("a", 1, []int32{1})
	if !c.part("a").Recovering {
		t.Fatal("what it lost is lost: that was an unclean election")
	}
	q := c.alteration("a", 1, 2)
	q.Topics[0].Partitions[0].LeaderRecoveryState = 1
	c.beat(2, nil)
	want(t, "two in sync while recovering", kerr.Code(do[*kmsg.AlterPartitionResponse](c, q).Topics[0].Partitions[0].ErrorCode), kerr.InvalidRequest)
	want(t, "recovered", c.alter("a", 1, 2), kerr.None)
	if c.part("a").Recovering {
		t.Fatal("still recovering")
	}
}

func TestTheLastLeaderIsNotElectedWhileSomebodyHoldsMore(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2}, "min.insync.replicas", "2")
	c.kill(2)
	epoch := c.epoch[2]
	c.crash(1, false)
	c.beat(1, nil)
	c.register(2, -1, func(q *kmsg.BrokerRegistrationRequest) { SetSyncedEpoch(q, epoch) })
	c.is("a", nobodyLeads, nil, nil, []int32{2})
	c.beat(2, nil)
	c.is("a", 2, []int32{2})
	if c.part("a").Recovering {
		t.Fatal("that election was clean")
	}
}

func TestAnUncleanElectionNeedsTheSettingOrARequest(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "1")
	c.kill(2)
	c.kill(3)
	c.kill(1)
	c.register(2, c.epoch[2])
	c.beat(2, nil)
	c.is("a", nobodyLeads, nil, []int32{1})
	want(t, "preferred", c.elect("a", preferredElection), kerr.PreferredLeaderNotAvailable)
	want(t, "unclean", c.elect("a", uncleanElection), kerr.None)
	c.is("a", 2, []int32{2})
	if !c.part("a").Recovering {
		t.Fatal("not recovering")
	}
	want(t, "again", c.elect("a", uncleanElection), kerr.ElectionNotNeeded)
}

func TestTheSettingElectsUncleanlyAsSoonAsItIsSet(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2})
	c.kill(2)
	c.kill(1)
	c.register(2, c.epoch[2])
	c.beat(2, nil)
	c.is("a", nobodyLeads, nil, []int32{1})
	c.alterConfig(metadata.ResourceTopic, "a", "unclean.leader.election.enable", "true")
	c.is("a", 2, []int32{2})
}

func TestAnotherMinInsyncReplicasClearsTheELRWhereSomebodyLeads(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("led", []int32{1, 2, 3}, "min.insync.replicas", "2")
	c.kill(3)
	c.kill(2)
	c.alterConfig(metadata.ResourceTopic, "led", "min.insync.replicas", "3")
	c.is("led", 1, []int32{1})
	c.kill(1)
	c.is("led", nobodyLeads, nil, []int32{1})
	c.alterConfig(metadata.ResourceTopic, "led", "min.insync.replicas", "2")
	c.is("led", nobodyLeads, nil, []int32{1})
	c.alterConfig(metadata.ResourceBroker, "", "min.insync.replicas", "2")
}

func TestALeaderThatHasNotSeenAnotherMinInsyncReplicasCannotShrinkTheISR(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "1")
	c.topic("alone", []int32{1})
	alone := c.part("alone").PartitionEpoch
	q := c.alteration("a", 1) // of the partition epoch before the change
	c.alterConfig(metadata.ResourceTopic, "a", "min.insync.replicas", "2")
	r := do[*kmsg.AlterPartitionResponse](c, q)
	want(t, "by the old number", kerr.Code(r.Topics[0].Partitions[0].ErrorCode), kerr.InvalidUpdateVersion)
	c.is("a", 1, []int32{1, 2, 3})
	want(t, "by the new one", c.alter("a", 1), kerr.None)
	c.is("a", 1, []int32{1}, []int32{2, 3})
	c.alterConfig(metadata.ResourceBroker, "", "min.insync.replicas", "2")
	if got := c.part("alone").PartitionEpoch; got != alone {
		t.Fatalf("a partition with one replica went from partition epoch %d to %d", alone, got)
	}
}

func TestMinInsyncReplicasIsOneNumberForTheWholeCluster(t *testing.T) {
	c := newCluster(t, 2, "min.insync.replicas=2")
	if v, _ := c.img().ConfigsOf(metadata.ResourceBroker, "").Get("min.insync.replicas"); v != "2" {
		t.Fatalf("the founder's is %q", v)
	}
	for _, x := range []struct {
		name  string
		value *string
		text  string
	}{
		{"1", s("1"), "Broker-level min.insync.replicas cannot be altered while ELR is enabled."},
		{"", nil, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."},
	} {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, x.name
		y := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		y.Name, y.Value = "min.insync.replicas", x.value
		if x.value == nil {
			y.Op = kmsg.IncrementalAlterConfigOpDelete
		}
		r.Configs = append(r.Configs, y)
		q.Resources = append(q.Resources, r)
		a := do[*kmsg.IncrementalAlterConfigsResponse](c, q).Resources[0]
		want(t, x.text, kerr.Code(a.ErrorCode), kerr.InvalidConfig)
		if *a.ErrorMessage != x.text {
			t.Fatal(*a.ErrorMessage)
		}
	}
}

func TestLeadershipGoesBackToPreferredReplicas(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2})
	c.topic("b", []int32{2, 1})
	want(t, "needless", c.elect("a", preferredElection), kerr.ElectionNotNeeded)
	c.kill(1)
	c.register(1, c.epoch[1])
	c.beat(1, nil)
	c.m.ask(internal{kind: rebalance})
	c.settle()
	c.is("a", 2, []int32{2})
	want(t, "expand", c.alter("a", 2, 1), kerr.None)
	c.m.ask(internal{kind: rebalance})
	c.settle()
	c.is("a", 1, []int32{2, 1})
	want(t, "unknown", c.elect("x", preferredElection), kerr.UnknownTopicOrPartition)
}

// A disk that was replaced comes back as another directory: its replicas lie there from now on, or nothing of what they were could ever be
// led from this broker again.
func TestABrokerWithANewDirectoryLeadsAgain(t *testing.T) {
	c := newCluster(t, 2)
	dir := c.img().Broker(1).LogDirs[0]
	c.topic("alone", []int32{1})
	c.topic("a", []int32{1, 2})
	c.kill(1)
	another := [16]byte{1, 9}
	c.register(1, -1, func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{another} })
	for _, name := range []string{"alone", "a"} {
		if d := c.part(name).Dir(1); d != another || d == dir {
			t.Fatalf("%s lies in %v, want %v", name, d, another)
		}
	}
	c.beat(1, nil)
	c.is("alone", 1, []int32{1})
	if !c.part("alone").Recovering {
		t.Fatal("what the broker led alone is gone: that election was unclean")
	}
	c.is("a", 2, []int32{2})
	want(t, "expand", c.alter("a", 2, 1), kerr.None)
	want(t, "prefer", c.elect("a", preferredElection), kerr.None)
	c.is("a", 1, []int32{2, 1})
}
