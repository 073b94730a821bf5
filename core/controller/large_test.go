package controller

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// many makes a cluster whose broker 1 is in the ISR of many partitions, and leads a third of them.
func many(t *testing.T, entry int) *cluster {
	c := newCluster(t, 3)
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	x := kmsg.NewCreateTopicsRequestTopic()
	var places [][]int32
	for n := range int32(100) {
		places = append(places, []int32{n, 1 + n%3, 1 + (n+1)%3, 1 + (n+2)%3})
	}
	A("many", -1, -1, places...)(&x)
	set(&x, "min.insync.replicas", "2")
	q.Topics = append(q.Topics, x)
	if r := do[*kmsg.CreateTopicsResponse](c, q); r.Topics[0].ErrorCode != 0 {
		t.Fatal(*r.Topics[0].ErrorMessage)
	}
	c.m.maxEntry = entry
	c.q.n = 0
	return c
}

// TestADecisionThatIsTooLargeForAnEntryBecomesSeveral compares what several small entries make with what one makes. The cluster checks its
// image after each of them.
func TestADecisionThatIsTooLargeForAnEntryBecomesSeveral(t *testing.T) {
	for name, act := range map[string]func(c *cluster){
		"a fence":                    func(c *cluster) { c.kill(1) },
		"a fence of all":             func(c *cluster) { c.kill(1); c.kill(2); c.kill(3) },
		"all fenced, one comes back": func(c *cluster) { c.kill(1); c.kill(2); c.kill(3); c.register(3, c.epoch[3]); c.beat(3, nil) },
		"an unclean restart":         func(c *cluster) { c.crash(1, false); c.beat(1, nil) },
		"a controlled shutdown":      func(c *cluster) { c.beat(1, func(q *kmsg.BrokerHeartbeatRequest) { q.WantShutdown = true }) },
		"an unregistration": func(c *cluster) {
			q := kmsg.NewPtrUnregisterBrokerRequest()
			q.BrokerID = 2
			if r := do[*kmsg.UnregisterBrokerResponse](c, q); r.ErrorCode != 0 {
				t.Errorf("code %d", r.ErrorCode)
			}
		},
		"another min.insync.replicas": func(c *cluster) {
			c.kill(1)
			c.kill(2)
			c.alterConfig(metadata.ResourceTopic, "many", minISR, "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, several := many(t, metadata.MaxEntryBytes), many(t, 600)
			act(one)
			act(several)
			if several.q.n < one.q.n+3 {
				t.Fatalf("%d entries, and %d with room for all", several.q.n, one.q.n)
			}
			a, b := one.img().TopicByName("many").Partitions, several.img().TopicByName("many").Partitions
			for n := range a {
				x, y := a[n], b[n]
				x.LeaderEpoch, x.PartitionEpoch, y.LeaderEpoch, y.PartitionEpoch = 0, 0, 0, 0 // a registration counts once more what it finds led
				if !reflect.DeepEqual(x, y) {
					t.Fatalf("partition %d: want %+v, got %+v", n, x, y)
				}
			}
			for id := range int32(3) {
				x, y := one.img().Broker(id+1), several.img().Broker(id+1)
				if (x == nil) != (y == nil) || x != nil && (x.Fenced != y.Fenced || x.InShutdown != y.InShutdown) {
					t.Fatalf("broker %d: want %+v, got %+v", id+1, x, y)
				}
			}
		})
	}
}

func TestALargeDecisionOfAControllerThatIsDeposedIsNotAcknowledged(t *testing.T) {
	c := many(t, 600)
	q := kmsg.NewPtrUnregisterBrokerRequest()
	q.BrokerID = 2
	w := &waiter{}
	c.m.Submit(q, w)
	c.store.Committed(c.img().Index()+1, c.q.term, c.q.entry, c.q.token)
	if w.times != 0 || !c.m.Busy() {
		t.Fatal("it is answered after its first part")
	}
	c.q.lead = false
	c.m.LeaderChanged()
	c.m.Refused(c.q.token, 0)
	if w.times != 1 || kerr.Code(w.resp.(*kmsg.UnregisterBrokerResponse).ErrorCode) != kerr.NotController || c.m.Busy() {
		t.Fatalf("answered %d times: %+v", w.times, w.resp)
	}
	if c.img().Broker(2) == nil {
		t.Fatal("the broker is forgotten before it was taken out of everything")
	}
}

func TestANewControllerElectsWhereTheOneBeforeItWasDeposedBetweenAnUnfenceAndItsElections(t *testing.T) {
	c := many(t, 600)
	c.kill(1)
	c.kill(2)
	c.kill(3)
	c.register(3, c.epoch[3])
	q := kmsg.NewPtrBrokerHeartbeatRequest()
	q.BrokerID, q.BrokerEpoch, q.CurrentMetadataOffset = 3, c.epoch[3], c.img().Index()
	c.m.Submit(q, &waiter{})
	c.store.Committed(c.img().Index()+1, c.q.term, c.q.entry, c.q.token) // the unfence; what follows is lost
	leaderless := func() (n int) {
		for _, p := range c.img().TopicByName("many").Partitions {
			if p.Leader == metadata.NoLeader {
				n++
			}
		}
		return n
	}
	if c.img().Broker(3).Fenced || leaderless() < 50 {
		t.Fatalf("the test does not test: broker 3 is fenced or %d partitions have no leader", leaderless())
	}
	token := c.q.token
	c.q.lead, c.q.entry = false, nil
	c.m.LeaderChanged()
	c.m.Refused(token, 0)
	c.q.lead = true
	c.failover()
	c.settle()
	if n := leaderless(); n > 0 {
		t.Fatalf("%d partitions have no leader", n)
	}
}

func TestWhatNoEntryCanHoldIsRefusedAndTheRestIsDecided(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3})
	value := strings.Repeat("1:2,", metadata.MaxEntryBytes/4) + "1:2"
	small, large := &waiter{}, &waiter{}
	blocker := changing(kmsg.ConfigResourceTypeTopic, "a", "retention.ms", s("1"))
	c.m.Submit(blocker, &waiter{})
	c.m.Submit(changing(kmsg.ConfigResourceTypeTopic, "a", "retention.ms", s("2")), small)
	c.m.Submit(changing(kmsg.ConfigResourceTypeTopic, "a", "leader.replication.throttled.replicas", &value), large)
	c.settle()
	if r := small.resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]; r.ErrorCode != 0 {
		t.Errorf("the small one: %+v", r)
	}
	r := large.resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
	if kerr.Code(r.ErrorCode) != kerr.PolicyViolation || !strings.Contains(*r.ErrorMessage, "8388608 bytes") {
		t.Errorf("the large one: %+v", r)
	}
	if v, _ := c.img().TopicByName("a").Configs.Get("retention.ms"); v != "2" {
		t.Errorf("retention.ms is %q", v)
	}
	if _, set := c.img().TopicByName("a").Configs.Get("leader.replication.throttled.replicas"); set {
		t.Error("what was refused is set")
	}
}

func TestRequestsThatDoNotFitIntoOneEntryTogetherTakeSeveral(t *testing.T) {
	c := newCluster(t, 3)
	for n := range 10 {
		c.topic(fmt.Sprint("t", n), []int32{1, 2, 3})
	}
	c.m.maxEntry, c.q.n = 120, 0
	var waiters []*waiter
	for n := range 10 {
		w := &waiter{}
		waiters = append(waiters, w)
		c.m.Submit(changing(kmsg.ConfigResourceTypeTopic, fmt.Sprint("t", n), "retention.ms", s(fmt.Sprint(1000+n))), w)
	}
	c.settle()
	for n, w := range waiters {
		if v, _ := c.img().TopicByName(fmt.Sprint("t", n)).Configs.Get("retention.ms"); w.times != 1 || v != fmt.Sprint(1000+n) {
			t.Errorf("topic %d: answered %d times, retention.ms is %q", n, w.times, v)
		}
	}
	if c.q.n < 4 || c.q.n > 9 {
		t.Errorf("%d entries of at most 120 bytes for ten changes of some 30", c.q.n)
	}
}
