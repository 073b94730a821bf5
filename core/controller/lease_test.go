package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestABrokerOfAClusterIsFencedUntilItHasSeenItsRegistration(t *testing.T) {
	c := newCluster(t, 0)
	c.register(1, -1)
	if !c.img().Broker(1).Fenced {
		t.Fatal("it is registered unfenced")
	}
	r := c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) { q.CurrentMetadataOffset = c.epoch[1] - 1 })
	if !r.IsFenced || r.IsCaughtUp || !c.img().Broker(1).Fenced {
		t.Fatalf("behind its registration: %+v", r)
	}
	if r = c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) { q.WantFence = true }); !r.IsFenced || !r.IsCaughtUp {
		t.Fatalf("wants to be fenced: %+v", r)
	}
	if r = c.beat(1, nil); r.IsFenced || c.img().Broker(1).Fenced {
		t.Fatalf("has caught up: %+v", r)
	}
}

func TestAHeartbeatThatChangesNothingIsAnsweredWithoutAProposal(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3})
	n := c.q.n
	for range 10 {
		if r := c.beat(2, nil); r.ErrorCode != 0 || r.IsFenced || !r.IsCaughtUp {
			t.Fatalf("%+v", r)
		}
	}
	if c.q.n != n {
		t.Fatalf("%d proposals", c.q.n-n)
	}
}

func TestAHeartbeatOfAnotherEpochOrOfNobodyIsStale(t *testing.T) {
	c := newCluster(t, 1)
	r := c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) { q.BrokerEpoch++ })
	want(t, "another epoch", kerr.Code(r.ErrorCode), kerr.StaleBrokerEpoch)
	want(t, "nobody", kerr.Code(c.beat(9, nil).ErrorCode), kerr.StaleBrokerEpoch)
}

func TestASecondBrokerWithAnIdIsRefusedWhileTheFirstLives(t *testing.T) {
	c := newCluster(t, 1)
	want(t, "alive", c.register(1, -1), kerr.DuplicateBrokerRegistration)
	c.e.Now.Mono = c.e.Now.Mono.Add(clock.MS(9000))
	want(t, "its session is over", c.register(1, -1), kerr.None)
}

func TestAfterAFailoverABrokerThatStartsAgainNeedNotWaitForTheSessionThatItsFormerSelfWasGranted(t *testing.T) {
	c := newCluster(t, 2)
	c.q.term++
	c.store.LeaderChanged()
	want(t, "another machine under its id", c.register(1, -1, func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{1, 7}} }), kerr.DuplicateBrokerRegistration)
	want(t, "the broker itself", c.register(1, -1), kerr.None)
	c.beat(2, nil)
	want(t, "one that was heard", c.register(2, -1), kerr.DuplicateBrokerRegistration)
}

func TestTheSameIncarnationOnceMoreKeepsItsEpoch(t *testing.T) {
	c := newCluster(t, 0)
	q := c.registration(1)
	first := do[*kmsg.BrokerRegistrationResponse](c, q)
	n := c.q.n
	if again := do[*kmsg.BrokerRegistrationResponse](c, q); again.BrokerEpoch != first.BrokerEpoch || again.ErrorCode != 0 || c.q.n != n {
		t.Fatalf("%+v, then %+v", first, again)
	}
	q.Listeners[0].Port = 2
	again := do[*kmsg.BrokerRegistrationResponse](c, q)
	if again.BrokerEpoch != first.BrokerEpoch || c.img().Broker(1).Listeners[0].Port != 2 || !c.img().Broker(1).Fenced {
		t.Fatalf("amended: %+v, %+v", again, c.img().Broker(1))
	}
}

func TestARegistrationIsRefusedAsKafkaDoes(t *testing.T) {
	c := newCluster(t, 1)
	for what, x := range map[string]struct {
		mod  func(*kmsg.BrokerRegistrationRequest)
		code kerr.Code
	}{
		"another cluster":            {func(q *kmsg.BrokerRegistrationRequest) { q.ClusterID = "d" }, kerr.InconsistentClusterID},
		"no listener":                {func(q *kmsg.BrokerRegistrationRequest) { q.Listeners = nil }, kerr.InvalidRegistration},
		"no directory":               {func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = nil }, kerr.InvalidRegistration},
		"a reserved directory":       {func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{15: 1}} }, kerr.InvalidRegistration},
		"one directory twice":        {func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{5}, {5}} }, kerr.InvalidRegistration},
		"another broker's directory": {func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{1, 1}} }, kerr.InvalidRegistration},
		"a feature it does not know": {func(q *kmsg.BrokerRegistrationRequest) {
			q.Features = []kmsg.BrokerRegistrationRequestFeature{{Name: "group.version", MinSupportedVersion: 1, MaxSupportedVersion: 1}}
		}, kerr.UnsupportedVersion},
	} {
		want(t, what, c.register(2, -1, x.mod), x.code)
	}
	if c.img().Broker(2) != nil {
		t.Fatal("a refused broker is registered")
	}
}

func TestASilentBrokerIsFencedWhenItsSessionIsOver(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	step := func(ms int64) {
		c.e.Now.Mono = c.e.Now.Mono.Add(clock.MS(ms))
		for tm := c.e.Timers.Expired(c.e.Now.Mono); tm != nil; tm = c.e.Timers.Expired(c.e.Now.Mono) {
			tm.Owner.TimerFired(tm)
			c.settle()
		}
	}
	for range 4 {
		step(2000)
		c.beat(2, nil)
		c.beat(3, nil)
	}
	step(999)
	c.is("a", 1, []int32{1, 2, 3})
	step(1)
	c.is("a", 2, []int32{2, 3})
	if !c.img().Broker(1).Fenced || c.img().Broker(2).Fenced {
		t.Fatal("1 is not fenced, or 2 is")
	}
}

func TestARefusedFenceIsTriedAgain(t *testing.T) {
	c := newCluster(t, 2)
	c.e.Now.Mono = c.e.Now.Mono.Add(clock.MS(9000))
	c.beat(2, nil)
	fire := func() {
		for tm := c.e.Timers.Expired(c.e.Now.Mono); tm != nil; tm = c.e.Timers.Expired(c.e.Now.Mono) {
			tm.Owner.TimerFired(tm)
		}
	}
	fire()
	c.q.entry = nil
	c.store.Refused(c.q.token, 0)
	c.e.Now.Mono = c.e.Now.Mono.Add(retryFence)
	fire()
	c.settle()
	if !c.img().Broker(1).Fenced || c.img().Broker(2).Fenced {
		t.Fatal("it was not tried again")
	}
}

func TestARefusedRedialFencesAtOnceAndAResetDoesNot(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3})
	c.m.PeerReset(1)
	c.settle()
	c.is("a", 1, []int32{1, 2, 3})
	c.kill(1)
	c.is("a", 2, []int32{2, 3})
}

func TestANewControllerWaitsForEachBrokersFirstHeartbeatAndThenForItsSession(t *testing.T) {
	c := newCluster(t, 3)
	pass := func(ms int64) {
		c.e.Now.Mono = c.e.Now.Mono.Add(clock.MS(ms))
		c.m.Tick()
		c.settle()
	}
	fenced := func(when string, ids ...int32) {
		t.Helper()
		for id := int32(1); id <= 3; id++ {
			if want := slices.Contains(ids, id); c.img().Broker(id).Fenced != want {
				t.Fatalf("%s: broker %d fenced: %v, want %v", when, id, !want, want)
			}
		}
	}
	pass(8999)
	c.q.lead = false
	c.store.LeaderChanged()
	r := c.beat(1, nil)
	want(t, "not leading", kerr.Code(r.ErrorCode), kerr.NotController)
	c.q.lead, c.q.term = true, 2
	c.store.LeaderChanged()
	pass(1000)
	c.beat(2, nil)
	pass(2999)
	fenced("within the grace")
	pass(1)
	fenced("after it", 1, 3)
	pass(5999)
	fenced("within the session of the one that was heard", 1, 3)
	pass(1)
	fenced("after it", 1, 2, 3)
}

func TestTheGraceIsNeverLongerThanTheSession(t *testing.T) {
	for _, x := range []struct{ session, interval, grace int64 }{{9000, 2000, 4000}, {9000, 500, 3000}, {2000, 500, 2000}, {9000, 6000, 9000}} {
		s := sessions{opt: Options{SessionMS: x.session, GraceMS: Grace(x.interval)}}
		if got := s.patience(&contact{lastMS: -1}); got != x.grace {
			t.Errorf("%+v: %d", x, got)
		}
	}
}

func TestAControlledShutdownMovesLeadersFirstAndEndsWhenTheOthersKnow(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "2")
	stop := func(q *kmsg.BrokerHeartbeatRequest) { q.WantShutdown = true }
	r := c.beat(1, stop)
	if r.ShouldShutdown || r.IsFenced || !c.img().Broker(1).InShutdown {
		t.Fatalf("at first: %+v", r)
	}
	c.is("a", 2, []int32{2, 3})
	if r = c.beat(1, stop); r.ShouldShutdown {
		t.Fatal("told to go before the others know the new leader")
	}
	want(t, "it cannot come back", c.alter("a", 2, 3, 1), kerr.IneligibleReplica)
	c.beat(2, nil)
	if r = c.beat(1, stop); r.ShouldShutdown {
		t.Fatal("told to go before all know the new leader")
	}
	c.beat(3, nil)
	if r = c.beat(1, stop); !r.ShouldShutdown || !c.img().Broker(1).Fenced {
		t.Fatalf("at last: %+v", r)
	}
	if r = c.beat(1, stop); !r.ShouldShutdown || !r.IsFenced {
		t.Fatalf("asked again: %+v", r)
	}
}

func TestABrokerThatLeadsNothingMayStopAtOnce(t *testing.T) {
	c := newCluster(t, 2)
	c.topic("a", []int32{1, 2})
	if r := c.beat(2, func(q *kmsg.BrokerHeartbeatRequest) { q.WantShutdown = true }); !r.ShouldShutdown {
		t.Fatalf("%+v", r)
	}
	c.is("a", 1, []int32{1})
}

func TestAnOfflineDirectoryMovesItsLeadersAndNoOthers(t *testing.T) {
	c := newCluster(t, 2)
	c.register(3, -1, func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{3, 1}, {3, 2}} })
	c.beat(3, nil)
	c.topic("a", []int32{3, 1})
	c.topic("b", []int32{3, 1})
	q := kmsg.NewPtrAssignReplicasToDirsRequest()
	q.BrokerID, q.BrokerEpoch = 3, c.epoch[3]
	for i, name := range []string{"a", "b"} {
		d := kmsg.NewAssignReplicasToDirsRequestDirectory()
		d.ID = [16]byte{3, byte(i + 1)}
		d.Topics = []kmsg.AssignReplicasToDirsRequestDirectoryTopic{{TopicID: c.img().TopicByName(name).ID,
			Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: 0}, {Partition: 1}}}}
		q.Directories = append(q.Directories, d)
	}
	r := do[*kmsg.AssignReplicasToDirsResponse](c, q)
	want(t, "assigned", kerr.Code(r.Directories[1].Topics[0].Partitions[0].ErrorCode), kerr.None)
	want(t, "no such partition", kerr.Code(r.Directories[1].Topics[0].Partitions[1].ErrorCode), kerr.UnknownTopicOrPartition)
	if d := c.part("b").Dir(3); d != [16]byte{3, 2} {
		t.Fatalf("b lies in %x", d)
	}
	c.beat(3, func(q *kmsg.BrokerHeartbeatRequest) { q.OfflineLogDirs = [][16]byte{{3, 2}} })
	c.is("a", 3, []int32{3, 1})
	c.is("b", 1, []int32{1})
	if d := c.img().Broker(3).LogDirs; len(d) != 1 || d[0] != [16]byte{3, 1} {
		t.Fatalf("directories %x", d)
	}
	n := c.q.n
	c.beat(3, func(q *kmsg.BrokerHeartbeatRequest) { q.OfflineLogDirs = [][16]byte{{3, 2}} })
	if c.q.n != n {
		t.Fatal("told again, it was proposed again")
	}
}

// Else what lies there would be made anew elsewhere, and led: a disk that is away for one start would take records with it that nobody else has.
func TestWhatLiesInADirectoryThatIsAwayIsWaitedFor(t *testing.T) {
	c := newCluster(t, 2)
	both := func(q *kmsg.BrokerRegistrationRequest) { q.LogDirs = [][16]byte{{3, 1}, {3, 2}} }
	c.register(3, -1, both)
	c.beat(3, nil)
	c.topic("a", []int32{3, 1})
	c.topic("alone", []int32{3})
	q := kmsg.NewPtrAssignReplicasToDirsRequest()
	q.BrokerID, q.BrokerEpoch = 3, c.epoch[3]
	d := kmsg.NewAssignReplicasToDirsRequestDirectory()
	d.ID = [16]byte{3, 2}
	for _, name := range []string{"a", "alone"} {
		d.Topics = append(d.Topics, kmsg.AssignReplicasToDirsRequestDirectoryTopic{TopicID: c.img().TopicByName(name).ID,
			Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: 0}}})
	}
	q.Directories = append(q.Directories, d)
	do[*kmsg.AssignReplicasToDirsResponse](c, q)
	for _, told := range []bool{false, true} { // by a heartbeat, before the process ended
		if told {
			c.beat(3, func(q *kmsg.BrokerHeartbeatRequest) { q.OfflineLogDirs = [][16]byte{{3, 2}} })
		}
		c.kill(3)
		c.register(3, -1, func(q *kmsg.BrokerRegistrationRequest) {
			q.LogDirs = [][16]byte{{3, 1}}
			SetDirectoryAway(q)
		})
		c.beat(3, nil)
		for _, name := range []string{"a", "alone"} {
			if lies := c.part(name).Dir(3); lies != [16]byte{3, 2} {
				t.Fatalf("told %v: %s lies in %x", told, name, lies)
			}
		}
		c.is("a", 1, []int32{1})
		if l := c.part("alone").Leader; l != nobodyLeads {
			t.Fatalf("told %v: alone is led by %d", told, l)
		}
		c.kill(3)
		c.register(3, -1, both)
		c.beat(3, nil)
		c.is("alone", 3, []int32{3})
		want(t, "expand", c.alter("a", 1, 3), kerr.None)
	}
}

func TestAnUnregisteredBrokerIsGoneFromEveryISR(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3}, "min.insync.replicas", "3")
	q := kmsg.NewPtrUnregisterBrokerRequest()
	q.BrokerID = 1
	want(t, "unregister", kerr.Code(do[*kmsg.UnregisterBrokerResponse](c, q).ErrorCode), kerr.None)
	c.is("a", 2, []int32{2, 3})
	r := do[*kmsg.UnregisterBrokerResponse](c, q)
	want(t, "again", kerr.Code(r.ErrorCode), kerr.BrokerIDNotRegistered)
	if *r.ErrorMessage != "Broker ID 1 is not currently registered" {
		t.Fatal(*r.ErrorMessage)
	}
	want(t, "its heartbeat", kerr.Code(c.beat(1, nil).ErrorCode), kerr.StaleBrokerEpoch)
	if c.img().Broker(1) != nil || c.part("a").Replicas[0] != 1 || c.part("a").Leader == metadata.NoLeader {
		t.Fatalf("%+v", c.part("a"))
	}
}

func TestDescribeQuorumTellsWhatHeartbeatsTold(t *testing.T) {
	c := newCluster(t, 2)
	var members []link.Member
	for id := int32(1); id <= 3; id++ {
		members = append(members, link.Member{ID: link.RaftID(id, [16]byte{byte(id), 1}), Address: fmt.Sprintf("[::1]:%d", id), Voter: id != 3})
	}
	c.m.Leadership(&link.Leadership{Leader: true, ID: members[0].ID, Term: 7, Members: members, Commit: 100})
	c.e.Now.Wall = 5000
	c.beat(2, func(q *kmsg.BrokerHeartbeatRequest) { q.CurrentMetadataOffset = 90 })
	q := kmsg.NewPtrDescribeQuorumRequest()
	q.Version = 2
	for _, name := range []string{"__cluster_metadata", "x"} {
		q.Topics = append(q.Topics, kmsg.DescribeQuorumRequestTopic{Topic: name, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}})
	}
	r := do[*kmsg.DescribeQuorumResponse](c, q)
	p := r.Topics[0].Partitions[0]
	if p.LeaderID != 1 || p.LeaderEpoch != 7 || p.HighWatermark != 101 || len(p.CurrentVoters) != 2 || len(p.Observers) != 1 {
		t.Fatalf("%+v", p)
	}
	if v := p.CurrentVoters[0]; v.LogEndOffset != 101 || v.LastCaughtUpTimestamp != 5000 || v.ReplicaDirectoryID != [16]byte{1, 1} {
		t.Fatalf("the leader: %+v", v)
	}
	if v := p.CurrentVoters[1]; v.LogEndOffset != 91 || v.LastFetchTimestamp != 5000 {
		t.Fatalf("a voter: %+v", v)
	}
	if v := p.Observers[0]; v.ReplicaID != 3 || v.LogEndOffset != -1 {
		t.Fatalf("one that sends no heartbeats: %+v", v)
	}
	if n := r.Nodes; len(n) != 2 || n[1].Listeners[0].Host != "::1" || n[1].Listeners[0].Port != 2 {
		t.Fatalf("%+v", n)
	}
	want(t, "another topic", kerr.Code(r.Topics[1].Partitions[0].ErrorCode), kerr.UnknownTopicOrPartition)
}
