package group

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// silence takes answers, and nothing more.
type silence struct{ resp kmsg.Response }

func (s *silence) Reply(resp kmsg.Response) { s.resp = resp }

// beats sends one heartbeat of a member, and gives the answer.
func (w *world) beats(id string, epoch int32, owns []kmsg.ConsumerGroupHeartbeatRequestTopic, topics []string) *kmsg.ConsumerGroupHeartbeatResponse {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.Topics = 1, "g", id, epoch, owns
	if epoch == 0 {
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.Topics = 60000, topics, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	s := &silence{}
	w.c.ConsumerGroupHeartbeat(r, ClientInfo{ID: "c", Host: "/h"}, s)
	w.log.hw = w.log.end
	w.c.HighWatermarkMoved(w.log.hw)
	return s.resp.(*kmsg.ConsumerGroupHeartbeatResponse)
}

// fill makes a group of so many members over 20 topics of 50 partitions, which has settled; it gives their epoch.
func fill(t testing.TB, w *world, members int) int32 {
	w.cfg.Consumer.Default.AssignmentIntervalMS = 0
	var topics []string
	for i := range 20 {
		topics = append(topics, fmt.Sprintf("big%02d", i))
		w.topics.set(topics[i], 50)
	}
	epochs, owns := map[string]int32{}, map[string][]kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for round := range 6 {
		for i := range members {
			id := fmt.Sprintf("m%03d", i)
			r := w.beats(id, epochs[id], owns[id], topics)
			if r.ErrorCode != 0 {
				t.Fatalf("round %d: %s: %s", round, id, codeOf(r.ErrorCode))
			}
			epochs[id] = r.MemberEpoch
			if r.Assignment != nil {
				owns[id] = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
				for _, x := range r.Assignment.Topics {
					owns[id] = append(owns[id], kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: x.TopicID, Partitions: x.Partitions})
				}
			}
		}
	}
	if s := w.c.consumers["g"].State(); s != "Stable" {
		t.Fatalf("the group is %s", s)
	}
	return epochs["m000"]
}

func TestAHeartbeatThatChangesNothingWritesNothingAndAllocatesLittle(t *testing.T) {
	w := newWorld()
	epoch := fill(t, w, 20)
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch = 1, "g", "m007", epoch
	s := &silence{}
	batches := len(w.log.batches)
	n := testing.AllocsPerRun(100, func() { w.c.ConsumerGroupHeartbeat(r, ClientInfo{ID: "c", Host: "/h"}, s) })
	if len(w.log.batches) != batches {
		t.Fatalf("%d batches were written", len(w.log.batches)-batches)
	}
	// The answer, the change and its list of members, two copies of the member: none of them by the number of partitions.
	if n > 12 {
		t.Errorf("%.0f allocations", n)
	}
}

// BenchmarkJoinOfALargeGroup is a member more in a group of 100 over 1,000 partitions: the step that computes the target.
func BenchmarkJoinOfALargeGroup(b *testing.B) {
	w := newWorld()
	epoch := fill(b, w, 100)
	_ = epoch
	var topics []string
	for i := range 20 {
		topics = append(topics, fmt.Sprintf("big%02d", i))
	}
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("x%06d", i)
		if r := w.beats(id, 0, nil, topics); r.ErrorCode != 0 {
			b.Fatal(codeOf(r.ErrorCode))
		}
		w.beats(id, -1, nil, nil)
	}
}
