package group

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerRequest builds a request of the consumer protocol. A heartbeat with epoch 0 says all that a join needs, unless it says otherwise.
func (w *world) consumerRequest(kind string, a args, group, member string) kmsg.Request {
	if kind == "describe848" {
		r := kmsg.NewPtrConsumerGroupDescribeRequest()
		r.Version, r.Groups = int16(a.num("v", 1)), strings.Split(group, ",")
		return r
	}
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch = int16(a.num("v", 1)), group, member, int32(a.num("epoch", 0))
	r.InstanceID, r.RackID, r.ServerAssignor, r.SubscribedTopicRegex = a.opt("instance"), a.opt("rack"), a.opt("assignor"), a.opt("regex")
	if r.RebalanceTimeoutMillis = int32(a.num("rebalance", -1)); r.MemberEpoch == 0 {
		r.RebalanceTimeoutMillis = int32(a.num("rebalance", 60000))
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	if s, ok := a["topics"]; ok {
		r.SubscribedTopicNames = []string{}
		if s != "" {
			r.SubscribedTopicNames = strings.Split(s, "+")
		}
	}
	if s, ok := a["owned"]; ok {
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		partitions(strings.TrimPrefix(s, "none"), func(topic string, _ [16]byte, p int32, _ string) {
			id, _ := w.topics.TopicID(topic)
			if n := len(r.Topics); n > 0 && r.Topics[n-1].TopicID == id {
				r.Topics[n-1].Partitions = append(r.Topics[n-1].Partitions, p)
				return
			}
			r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: []int32{p}})
		})
		if s == "none" {
			r.Topics = nil
		}
	}
	return r
}

func (w *world) topic(id [16]byte) string {
	if n, ok := w.topics.TopicName(id); ok {
		return n
	}
	return fmt.Sprintf("id%d", id[15])
}

func (w *world) showConsumer(b *strings.Builder, r *kmsg.ConsumerGroupHeartbeatResponse) {
	fmt.Fprintf(b, "hb %s", codeOf(r.ErrorCode))
	if r.ErrorMessage != nil {
		fmt.Fprintf(b, " %q", *r.ErrorMessage)
	}
	if r.ErrorCode != 0 {
		return
	}
	fmt.Fprintf(b, " %s epoch=%d", w.short(deref(r.MemberID)), r.MemberEpoch)
	if r.Assignment != nil {
		b.WriteString(" owns")
		for _, t := range r.Assignment.Topics {
			fmt.Fprintf(b, " %s%d", w.topic(t.TopicID), t.Partitions)
		}
	}
}

func (w *world) showConsumerGroups(b *strings.Builder, r *kmsg.ConsumerGroupDescribeResponse) {
	b.WriteString("describe848")
	for _, g := range r.Groups {
		fmt.Fprintf(b, " %s: %s", g.Group, codeOf(g.ErrorCode))
		if g.ErrorCode != 0 {
			continue
		}
		fmt.Fprintf(b, " %s epoch=%d/%d %s", g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName)
		for _, m := range g.Members {
			fmt.Fprintf(b, " {%s epoch=%d type=%d", w.short(m.MemberID), m.MemberEpoch, m.MemberType)
			if m.InstanceID != nil {
				fmt.Fprintf(b, " instance=%s", *m.InstanceID)
			}
			fmt.Fprintf(b, " %v %q has", m.SubscribedTopics, deref(m.SubscribedTopicRegex))
			for _, t := range m.Assignment.TopicPartitions {
				fmt.Fprintf(b, " %s%d", t.Topic, t.Partitions)
			}
			b.WriteString(" target")
			for _, t := range m.TargetAssignment.TopicPartitions {
				fmt.Fprintf(b, " %s%d", t.Topic, t.Partitions)
			}
			b.WriteString("}")
		}
	}
}

// showConsumerRecord shows a record through a group that replays it alone.
func (w *world) showConsumerRecord(key, value []byte) string {
	k, err := consumer.ReadKey(key)
	must(err)
	name := map[int16]string{3: "epoch", 4: "old-metadata", 5: "member", 6: "target-epoch", 7: "target", 8: "current", 16: "regex"}[k.Kind]
	s := fmt.Sprintf("848 %s %s", k.Group, name)
	if k.Name != "" {
		s += " " + w.short(k.Name)
	}
	if value == nil {
		return s + " deleted"
	}
	g := consumer.New(w.env, w.c, k.Group)
	_, err = g.Replay(k, value)
	must(err)
	switch k.Kind {
	case consumer.KeyMetadata:
		return s + fmt.Sprintf(" %d", g.Epoch)
	case consumer.KeyTargetMetadata:
		return s + fmt.Sprintf(" %d", g.TargetEpoch)
	case consumer.KeyTarget:
		return s + w.parts(g.Target(k.Name))
	case consumer.KeyMember:
		m := g.Member(k.Name)
		s += fmt.Sprintf(" %v", m.Topics)
		if m.InstanceID != "" {
			s += " instance=" + m.InstanceID
		}
		if m.Regex != "" {
			s += fmt.Sprintf(" %q", m.Regex)
		}
		if m.Classic != nil {
			s += " classic"
		}
	case consumer.KeyCurrent:
		m := g.Member(k.Name)
		s += fmt.Sprintf(" %d<-%d %d", m.Epoch, m.PreviousEpoch, m.State) + w.parts(m.Assigned)
		if len(m.Revoking) > 0 {
			s += " revoking" + w.parts(m.Revoking)
		}
	case consumer.KeyRegex:
		for _, t := range []string{"t1", "t2", "t3", "t4", "u1"} {
			if g.IsSubscribed(t) {
				s += " " + t
			}
		}
	}
	return s
}

func (w *world) parts(a consumer.Assignment) string {
	s := ""
	for i := range a {
		s += " " + w.topic(a[i].TopicID)
		for j, p := range a[i].Numbers {
			s += fmt.Sprintf("-%d", p)
			if a[i].Epochs != nil {
				s += fmt.Sprintf("@%d", a[i].Epochs[j])
			}
		}
	}
	return s
}

func (w *world) consumerState() {
	for _, id := range sortedKeys(w.c.consumers) {
		g := w.c.consumers[id]
		w.say("%s %s epoch=%d/%d", id, g.State(), g.Epoch, g.TargetEpoch)
		for _, m := range g.Members() {
			w.say("  %s epoch=%d state=%d%s", w.short(m.ID), m.Epoch, m.State, w.parts(m.Assigned))
		}
	}
}

// showAssignment shows a ConsumerProtocolAssignment as such, and anything else as bytes.
func showAssignment(b []byte) string {
	if len(b) < 2 || b[0] != 0 {
		return fmt.Sprintf("%q", b)
	}
	tps, _, ok := consumer.ReadAssignment(b)
	if !ok {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("v%d%v", b[1], tps)
}

// subscribed is a subscription that says what the member owns, if it is to.
func subscribed(a args, topics ...string) []byte {
	b := subscription(topics...)
	if _, ok := a["owned"]; !ok {
		return b
	}
	b[1] = 1
	byTopic := map[string][]int32{}
	partitions(a["owned"], func(topic string, _ [16]byte, p int32, _ string) { byTopic[topic] = append(byTopic[topic], p) })
	return appendTopics(b, byTopic)
}

func appendTopics(b []byte, byTopic map[string][]int32) []byte {
	b = be.AppendUint32(b, uint32(len(byTopic)))
	for _, t := range sortedKeys(byTopic) {
		b = append(be.AppendUint16(b, uint16(len(t))), t...)
		b = be.AppendUint32(b, uint32(len(byTopic[t])))
		for _, p := range byTopic[t] {
			b = be.AppendUint32(b, uint32(p))
		}
	}
	return b
}

// embedded makes a ConsumerProtocolAssignment of t1-0+t1-1, or of t1-0+custom one with data of an assignor; anything else is bytes.
func (w *world) embedded(s string) []byte {
	if !strings.Contains(s, "-") {
		return []byte(s)
	}
	byTopic, custom := map[string][]int32{}, false
	for _, one := range strings.Split(s, "+") {
		if one == "custom" {
			custom = true
			continue
		}
		partitions(one, func(topic string, _ [16]byte, p int32, _ string) { byTopic[topic] = append(byTopic[topic], p) })
	}
	b := appendTopics([]byte{0, 1}, byTopic)
	if custom {
		return append(b, 0, 0, 0, 1, 'x')
	}
	return be.AppendUint32(b, 0xffffffff)
}
