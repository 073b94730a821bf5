package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupDescribe handles ConsumerGroupDescribe v0 and v1 for groups of this coordinator's partition. Authorized operations are the
// caller's to fill in.
func (c *Coordinator) ConsumerGroupDescribe(req *kmsg.ConsumerGroupDescribeRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, id := range req.Groups {
		resp.Groups = append(resp.Groups, c.describeConsumer(id))
	}
	c.parkFor(req.Groups, w, resp)
}

func consumerError(id string, code kerr.Code, text string) kmsg.ConsumerGroupDescribeResponseGroup {
	out := kmsg.NewConsumerGroupDescribeResponseGroup()
	out.Group, out.ErrorCode = id, int16(code)
	if text != "" {
		out.ErrorMessage = &text
	}
	return out
}

func (c *Coordinator) describeConsumer(id string) kmsg.ConsumerGroupDescribeResponseGroup {
	g := c.consumers[id]
	switch {
	case id == "":
		return consumerError(id, kerr.InvalidGroupID, "")
	case g == nil && c.groups[id] != nil:
		return consumerError(id, kerr.GroupIDNotFound, "Group "+id+" is not a consumer group.")
	case g == nil:
		return consumerError(id, kerr.GroupIDNotFound, "Group "+id+" not found.")
	}
	out := kmsg.NewConsumerGroupDescribeResponseGroup()
	out.Group, out.State, out.Epoch, out.AssignmentEpoch = id, g.State(), g.Epoch, g.TargetEpoch
	out.AssignorName = c.change(g, nil).Assignor()
	for _, m := range g.Members() {
		out.Members = append(out.Members, c.describeConsumerMember(g, m))
	}
	return out
}

func (c *Coordinator) describeConsumerMember(g *consumer.Group, m *consumer.Member) kmsg.ConsumerGroupDescribeResponseGroupMember {
	regex := m.Regex
	d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
	d.MemberID, d.MemberEpoch, d.ClientID, d.ClientHost = m.ID, m.Epoch, m.ClientID, m.ClientHost
	d.InstanceID, d.RackID = orNull(m.InstanceID), orNull(m.RackID)
	d.SubscribedTopics, d.SubscribedTopicRegex = m.Topics, &regex
	// The member answers for what it is to revoke until it has let go of it.
	d.Assignment.TopicPartitions = c.described(m.Assigned.Plus(m.Revoking))
	d.TargetAssignment.TopicPartitions = c.described(g.Target(m.ID))
	d.MemberType = 1
	if m.Classic != nil {
		d.MemberType = 0
	}
	return d
}

func (c *Coordinator) described(a consumer.Assignment) []kmsg.AssignmentTopicPartition {
	var out []kmsg.AssignmentTopicPartition
	for i := range a {
		if name, ok := c.topics.TopicName(a[i].TopicID); ok {
			out = append(out, kmsg.AssignmentTopicPartition{TopicID: a[i].TopicID, Topic: name, Partitions: a[i].Numbers})
		}
	}
	return out
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
