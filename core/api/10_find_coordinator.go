package api

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// FindCoordinator (key 10): the leader of the partition that a group or a transactional id hashes to (KIP-699: several keys from version 4 on).
// The first question creates the topic.
func findCoordinator(r *Request, req kmsg.Request) {
	q := req.(*kmsg.FindCoordinatorRequest)
	r.finish = func(r *Request) { r.answer(r.coordinators(q)) }
	r.remain++
	if topic := coordinatorTopic(q.CoordinatorType); topic != "" && r.s.Image.TopicByName(topic) == nil {
		r.create(0, []string{topic})
	}
	r.part()
}

// coordinatorTopic is the topic that coordinators of a kind keep their state in, "" if there are none.
func coordinatorTopic(kind int8) string {
	switch kind {
	case 0:
		return offsetsTopic
	case 1:
		return transactionTopic
	}
	return ""
}

func (r *Request) coordinators(q *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if r.Version < 4 {
		c := r.coordinatorOf(q.CoordinatorType, q.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage, resp.NodeID, resp.Host, resp.Port = c.ErrorCode, c.ErrorMessage, c.NodeID, c.Host, c.Port
		return resp
	}
	for _, k := range q.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, r.coordinatorOf(q.CoordinatorType, k))
	}
	return resp
}

func (r *Request) coordinatorOf(kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key, c.NodeID, c.Port = key, -1, -1
	topic := coordinatorTopic(kind)
	if topic == "" {
		text := "coordinators of type " + strconv.Itoa(int(kind)) + " are not served: this broker has no share groups yet; use a consumer group"
		c.ErrorCode, c.ErrorMessage = code(kerr.InvalidRequest), &text
		return c
	}
	t := r.s.Image.TopicByName(topic)
	if t == nil {
		c.ErrorCode = code(kerr.CoordinatorNotAvailable)
		return c
	}
	leader := t.Partitions[coordinator.PartitionFor(key, int32(len(t.Partitions)))].Leader
	for _, b := range r.brokers() {
		if b.NodeID == leader {
			c.NodeID, c.Host, c.Port = b.NodeID, b.Host, b.Port
			return c
		}
	}
	c.ErrorCode = code(kerr.CoordinatorNotAvailable)
	return c
}

// groupPlace gives the partition of __consumer_offsets that a group's state is in, and the shard that owns it.
func (s *State) groupPlace(id string) (number int32, owner int, t *metadata.Topic) {
	return s.placeOf(offsetsTopic, id)
}

// placeOf gives the partition of an internal topic that an id's state is in, and the shard that owns it.
func (s *State) placeOf(topic, id string) (number int32, owner int, t *metadata.Topic) {
	t = s.Image.TopicByName(topic)
	if t == nil {
		return -1, 0, nil
	}
	n := coordinator.PartitionFor(id, int32(len(t.Partitions)))
	return n, Owner(t.Name, n, s.Shards), t
}
