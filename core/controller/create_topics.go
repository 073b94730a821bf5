package controller

import (
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics decides API 19, v2–7. Each topic is created or refused by itself.
//
// INVALID_TOPIC_EXCEPTION: the name, or one that differs in '.' and '_' only; TOPIC_ALREADY_EXISTS; INVALID_REQUEST: named twice, or
// counts beside a manual assignment; INVALID_PARTITIONS; INVALID_REPLICATION_FACTOR; INVALID_REPLICA_ASSIGNMENT; INVALID_CONFIG;
// POLICY_VIOLATION: more than 10,000 records.
func CreateTopics(c *Context, req *kmsg.CreateTopicsRequest) (*kmsg.CreateTopicsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
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
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.NumPartitions, out.ReplicationFactor = t.Topic, -1, -1
		out.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
		recs, bad := c.createTopic(t, n > 1, len(records))
		if bad.code == kerr.None {
			c.created(&out, recs)
			records = append(records, recs...)
		}
		out.ErrorCode, out.ErrorMessage = int16(bad.code), bad.message()
		resp.Topics = append(resp.Topics, out)
	}
	if req.ValidateOnly {
		records = nil
	}
	return resp, records
}

// createTopic gives TopicRecord, ConfigRecords and PartitionRecords, in this order. have is the number of records of the topics before.
func (c *Context) createTopic(t *kmsg.CreateTopicsRequestTopic, twice bool, have int) ([]metadata.Record, refusal) {
	if twice {
		return nil, refuse(kerr.InvalidRequest, "Duplicate topic name.")
	}
	if t.Topic == metadataTopic {
		return nil, refuse(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", metadataTopic)
	}
	if have >= maxRecords {
		return nil, tooMany()
	}
	if bad := c.checkNewName(t.Topic); bad.code != kerr.None {
		return nil, bad
	}
	id := newID(c.Rand)
	for c.Image.TopicByID(id) != nil {
		id = newID(c.Rand)
	}
	configs, bad := c.newConfigs(t)
	if bad.code != kerr.None {
		return nil, bad
	}
	var parts []metadata.Record
	if len(t.ReplicaAssignment) > 0 {
		parts, bad = c.assigned(id, t)
	} else {
		parts, bad = c.placed(id, t)
	}
	if bad.code != kerr.None {
		return nil, bad
	}
	if have+1+len(configs)+len(parts) > maxRecords {
		return nil, tooMany()
	}
	return append(append([]metadata.Record{&metadata.TopicRecord{Name: t.Topic, ID: id}}, configs...), parts...), refusal{}
}

func tooMany() refusal {
	return refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
}

func (c *Context) checkNewName(name string) refusal {
	if text := ValidName(name); text != "" {
		return refusal{kerr.InvalidTopicException, text}
	}
	if other := collides(c.Image, name); other != "" {
		return refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
	}
	if c.Image.TopicByName(name) != nil {
		return refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	return refusal{}
}

func (c *Context) newConfigs(t *kmsg.CreateTopicsRequestTopic) ([]metadata.Record, refusal) {
	var nulls []string
	var pairs config.Pairs
	for i := range t.Configs {
		if t.Configs[i].Value == nil {
			nulls = append(nulls, t.Configs[i].Name)
			continue
		}
		pairs = pairs.With(t.Configs[i].Name, t.Configs[i].Value)
	}
	if len(nulls) > 0 {
		return nil, refuse(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(nulls, ","))
	}
	if err := config.ValidateTopic(c.Node, pairs); err != nil {
		return nil, refusal{kerr.InvalidConfig, err.Error()}
	}
	var out []metadata.Record
	for i := range pairs {
		out = append(out, &metadata.ConfigRecord{ResourceType: metadata.ResourceTopic, Name: t.Topic, Key: pairs[i].Key, Value: &pairs[i].Value})
	}
	return out, refusal{}
}

func (c *Context) placed(id [16]byte, t *kmsg.CreateTopicsRequestTopic) ([]metadata.Record, refusal) {
	n, rf := t.NumPartitions, t.ReplicationFactor
	switch {
	case rf < -1 || rf == 0:
		return nil, refuse(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case n < -1 || n == 0:
		return nil, refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	if n == -1 {
		n = c.Node.NumPartitions
	}
	if rf == -1 {
		rf = int16(c.Node.ReplicationFactor)
	}
	if n > maxRecords {
		return nil, tooMany()
	}
	return c.place(id, 0, int(n), rf)
}

func (c *Context) assigned(id [16]byte, t *kmsg.CreateTopicsRequestTopic) ([]metadata.Record, refusal) {
	switch {
	case t.ReplicationFactor != -1:
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case t.NumPartitions != -1:
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	case len(t.ReplicaAssignment) > maxRecords:
		return nil, tooMany()
	}
	out := make([]metadata.Record, len(t.ReplicaAssignment))
	rf := 0
	for i := range t.ReplicaAssignment {
		a := &t.ReplicaAssignment[i]
		if bad := c.checkReplicas(a.Replicas, rf); bad.code != kerr.None {
			return nil, bad
		}
		rf = len(a.Replicas)
		if a.Partition < 0 || int(a.Partition) >= len(out) {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if out[a.Partition] != nil {
			return nil, refuse(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		r, bad := c.assignedPartition(id, a.Partition, a.Replicas)
		if bad.code != kerr.None {
			return nil, bad
		}
		out[a.Partition] = r
	}
	return out, refusal{}
}

// created fills the answer for a topic from its records.
func (c *Context) created(out *kmsg.CreateTopicsResponseTopic, records []metadata.Record) {
	var pairs config.Pairs
	out.NumPartitions = 0
	for _, r := range records {
		switch r := r.(type) {
		case *metadata.TopicRecord:
			out.TopicID = r.ID
		case *metadata.ConfigRecord:
			pairs = pairs.With(r.Key, r.Value)
		case *metadata.PartitionRecord:
			out.NumPartitions++
			out.ReplicationFactor = int16(len(r.Replicas))
		}
	}
	for _, d := range config.DescribeCreated(c.Node, pairs) {
		x := kmsg.NewCreateTopicsResponseTopicConfig()
		x.Name, x.Value, x.Source, x.IsSensitive = d.Name, d.Value, int8(d.Source), d.Sensitive
		out.Configs = append(out.Configs, x)
	}
}

// AutoCreate gives the request that creates topics which a client asked for, or which the broker needs, with defaults; submit it like a
// client's. Internal topics get their own settings and min(configured, size of the listed quorum) replicas (design.md, Replication); while
// fewer brokers are registered the decision refuses them. A broker alone has a quorum of one.
// Names that are not valid or exist are refused by the decision itself.
func AutoCreate(n *config.Node, _ *metadata.Image, names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		switch name {
		case OffsetsTopic:
			internalTopic(&t, n, n.OffsetsPartitions, n.OffsetsReplicationFactor, n.OffsetsSegmentBytes)
			set(&t, "compression.type", "producer")
		case TransactionTopic:
			internalTopic(&t, n, n.TransactionPartitions, n.TransactionReplicationFactor, n.TransactionSegmentBytes)
			set(&t, "compression.type", "uncompressed")
			set(&t, "min.insync.replicas", strconv.Itoa(int(n.TransactionMinISR)))
			set(&t, "unclean.leader.election.enable", "false")
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

func internalTopic(t *kmsg.CreateTopicsRequestTopic, n *config.Node, partitions, factor, segmentBytes int32) {
	t.NumPartitions = partitions
	t.ReplicationFactor = int16(max(1, min(int(factor), len(n.QuorumServers))))
	set(t, "cleanup.policy", "compact")
	set(t, "segment.bytes", strconv.Itoa(int(max(segmentBytes, 1<<20))))
}

func set(t *kmsg.CreateTopicsRequestTopic, name, value string) {
	x := kmsg.NewCreateTopicsRequestTopicConfig()
	x.Name, x.Value = name, &value
	t.Configs = append(t.Configs, x)
}
