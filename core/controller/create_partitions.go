package controller

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions decides API 37, v0–3: a topic grows to Count partitions, never fewer than it has.
//
// UNKNOWN_TOPIC_OR_PARTITION; INVALID_PARTITIONS: no increase; INVALID_REPLICA_ASSIGNMENT; INVALID_REPLICATION_FACTOR; INVALID_REQUEST:
// named twice; POLICY_VIOLATION: more than 10,000 records.
func CreatePartitions(c *Context, req *kmsg.CreatePartitionsRequest) (*kmsg.CreatePartitionsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	var records []metadata.Record
	times := make(map[string]int, len(req.Topics)) // how often a name is there; 0 again once it is answered
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		n := times[t.Topic]
		if times[t.Topic] = 0; n == 0 {
			continue
		}
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = t.Topic
		var recs []metadata.Record
		bad := refuse(kerr.InvalidRequest, "Duplicate topic name.")
		if n == 1 {
			recs, bad = c.createPartitions(t, len(records))
		}
		records = append(records, recs...)
		out.ErrorCode, out.ErrorMessage = int16(bad.code), bad.message()
		resp.Topics = append(resp.Topics, out)
	}
	if req.ValidateOnly {
		records = nil
	}
	return resp, records
}

func (c *Context) createPartitions(req *kmsg.CreatePartitionsRequestTopic, have int) ([]metadata.Record, refusal) {
	t := c.Image.TopicByName(req.Topic)
	if t == nil || len(t.Partitions) == 0 {
		return nil, refusal{code: kerr.UnknownTopicOrPartition}
	}
	n := len(t.Partitions)
	switch {
	case int(req.Count) == n:
		return nil, refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", n)
	case int(req.Count) < n:
		return nil, refuse(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, n, req.Count)
	case have+int(req.Count)-n > maxRecords:
		return nil, tooMany()
	}
	more, rf := int(req.Count)-n, len(t.Partitions[0].Replicas)
	if req.Assignment == nil {
		return c.place(t.ID, int32(n), more, int16(rf))
	}
	if len(req.Assignment) != more {
		return nil, refuse(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", more, len(req.Assignment))
	}
	var out []metadata.Record
	for i := range req.Assignment {
		replicas := req.Assignment[i].Replicas
		if bad := c.checkReplicas(replicas, rf); bad.code != kerr.None {
			return nil, bad
		}
		r, bad := c.assignedPartition(t.ID, int32(n+i), replicas)
		if bad.code != kerr.None {
			return nil, bad
		}
		out = append(out, r)
	}
	return out, refusal{}
}
