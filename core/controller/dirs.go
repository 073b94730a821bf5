package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AssignReplicasToDirs decides API 73, v0: a broker says in which directory its replicas lie (KIP-858). A replica in a directory that is not
// online leaves the ISR.
//
// STALE_BROKER_EPOCH: the whole request. Of a partition: UNKNOWN_TOPIC_ID; UNKNOWN_TOPIC_OR_PARTITION; NOT_LEADER_OR_FOLLOWER: no replica.
func AssignReplicasToDirs(c *Context, req *kmsg.AssignReplicasToDirsRequest) (*kmsg.AssignReplicasToDirsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.AssignReplicasToDirsResponse)
	if c.staleBroker(req.BrokerID, req.BrokerEpoch) {
		resp.ErrorCode = int16(kerr.StaleBrokerEpoch)
		return resp, nil
	}
	named := make(once[byID])
	var records []metadata.Record
	for i := range req.Directories {
		rd := &req.Directories[i]
		od := kmsg.NewAssignReplicasToDirsResponseDirectory()
		od.ID = rd.ID
		for j := range rd.Topics {
			rt := &rd.Topics[j]
			ot := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
			ot.TopicID = rt.TopicID
			for k := range rt.Partitions {
				op := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
				op.Partition = rt.Partitions[k].Partition
				code := kerr.InvalidRequest // a replica cannot lie in two directories
				if named.first(byID{rt.TopicID, op.Partition}) {
					var r metadata.Record
					if r, code = c.assignDir(req.BrokerID, rt.TopicID, op.Partition, rd.ID); r != nil {
						records = append(records, r)
					}
				}
				op.ErrorCode = int16(code)
				ot.Partitions = append(ot.Partitions, op)
			}
			od.Topics = append(od.Topics, ot)
		}
		resp.Directories = append(resp.Directories, od)
	}
	return resp, records
}

func (c *Context) assignDir(broker int32, id [16]byte, n int32, dir [16]byte) (metadata.Record, kerr.Code) {
	t := c.Image.TopicByID(id)
	if t == nil {
		return nil, kerr.UnknownTopicID
	}
	p := t.Partition(n)
	if p == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	i := slices.Index(p.Replicas, broker)
	if i < 0 {
		return nil, kerr.NotLeaderForPartition
	}
	ch := c.change(t, n)
	ch.dirs = slices.Clone(p.Dirs)
	ch.dirs[i] = dir
	if !c.Image.Broker(broker).HasDir(dir) {
		ch.without = broker
	}
	return ch.record(), kerr.None
}
