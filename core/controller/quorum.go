package controller

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeQuorum answers API 55, v0–2 (KIP-595, KIP-836, KIP-853). The library that the quorum is built on shows no follower's progress, so
// offsets and times are those of the nodes' heartbeats; -1 for a node that sends none.
//
// Of a partition: UNKNOWN_TOPIC_OR_PARTITION: any but __cluster_metadata-0.
func (m *Machine) describeQuorum(req *kmsg.DescribeQuorumRequest) *kmsg.DescribeQuorumResponse {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	q, none := m.leadership(), kmsg.StringPtr("")
	resp.ErrorMessage = none
	for i := range req.Topics {
		rt := &req.Topics[i]
		out := kmsg.NewDescribeQuorumResponseTopic()
		out.Topic = rt.Topic
		for j := range rt.Partitions {
			op := kmsg.NewDescribeQuorumResponseTopicPartition()
			op.Partition = rt.Partitions[j].Partition
			if rt.Topic != metadataTopic || op.Partition != 0 {
				op.ErrorCode, op.ErrorMessage = int16(kerr.UnknownTopicOrPartition), kmsg.StringPtr("This server does not host this topic-partition.")
			} else {
				op.ErrorMessage = none
				m.describe(&q, &op)
			}
			out.Partitions = append(out.Partitions, op)
		}
		resp.Topics = append(resp.Topics, out)
	}
	name := "CONTROLLER"
	if l := m.node.ControllerListeners; len(l) > 0 {
		name = l[0].Name
	}
	for i := range q.Members {
		id, host, port, ok := q.Members[i].Endpoint()
		if !ok {
			continue
		}
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = id
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		l.Name, l.Host, l.Port = name, host, port
		n.Listeners = append(n.Listeners, l)
		resp.Nodes = append(resp.Nodes, n)
	}
	return resp
}

// leadership is what the quorum says of itself. A broker alone is its only voter.
func (m *Machine) leadership() link.Leadership {
	if m.sessions != nil {
		return m.sessions.quorum
	}
	var dir [16]byte
	if b := m.img.Broker(m.node.NodeID); b != nil && len(b.LogDirs) > 0 {
		dir = b.LogDirs[0]
	}
	id := link.RaftID(m.node.NodeID, dir)
	return link.Leadership{Leader: true, ID: id, Term: m.quorum.Term(), Members: []link.Member{{ID: id, Voter: true}}, Commit: m.img.Index()}
}

func (m *Machine) describe(q *link.Leadership, op *kmsg.DescribeQuorumResponseTopicPartition) {
	end := max(q.Commit, m.img.Index()) + 1
	leader, _, ok := link.NodeOf(q.ID)
	if !ok {
		leader = -1
	}
	op.LeaderID, op.LeaderEpoch, op.HighWatermark = leader, int32(q.Term), end
	for i := range q.Members {
		id, dir, ok := link.NodeOf(q.Members[i].ID)
		if !ok {
			continue
		}
		x := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		x.ReplicaID, x.ReplicaDirectoryID, x.LogEndOffset, x.LastFetchTimestamp, x.LastCaughtUpTimestamp = id, dir, -1, -1, -1
		if id == leader {
			x.LogEndOffset = end
		}
		if m.sessions != nil {
			m.sessions.progress(id, id == leader, &x)
		}
		if q.Members[i].Voter {
			op.CurrentVoters = append(op.CurrentVoters, x)
		} else {
			op.Observers = append(op.Observers, x)
		}
	}
}

// progress fills what a node's heartbeats told.
func (s *sessions) progress(id int32, leader bool, x *kmsg.DescribeQuorumResponseTopicPartitionReplicaState) {
	if leader {
		now := int64(s.env.Now.Wall)
		x.LastFetchTimestamp, x.LastCaughtUpTimestamp = now, now
	} else if c := s.contact(id); c != nil && c.offset >= 0 {
		x.LogEndOffset, x.LastFetchTimestamp, x.LastCaughtUpTimestamp = c.offset+1, c.lastMS, c.caughtUpMS
	}
}
