package api

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// FindCoordinator (key 10): the leader of the partition of __consumer_offsets that a group hashes to (KIP-699: several keys from
// version 4 on). The first question creates the topic.
func findCoordinator(r *Request, req kmsg.Request) {
	q := req.(*kmsg.FindCoordinatorRequest)
	r.finish = func(r *Request) { r.answer(r.coordinators(q)) }
	r.remain++
	if q.CoordinatorType == 0 && r.s.Image.TopicByName(offsetsTopic) == nil {
		r.create(0, []string{offsetsTopic})
	}
	r.part()
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
	if kind != 0 {
		text := "coordinators of type " + strconv.Itoa(int(kind)) + " are not served: this broker has no transactions and no share groups yet; use an idempotent producer or a consumer group"
		c.ErrorCode, c.ErrorMessage = code(kerr.InvalidRequest), &text
		return c
	}
	t := r.s.Image.TopicByName(offsetsTopic)
	if t == nil {
		c.ErrorCode = code(kerr.CoordinatorNotAvailable)
		return c
	}
	leader := t.Partitions[group.PartitionFor(key, int32(len(t.Partitions)))].Leader
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
	t = s.Image.TopicByName(offsetsTopic)
	if t == nil {
		return -1, 0, nil
	}
	n := group.PartitionFor(id, int32(len(t.Partitions)))
	return n, Owner(t.Name, n, s.Shards), t
}
