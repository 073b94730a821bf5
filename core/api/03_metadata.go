package api

import (
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// Metadata (key 3): topics by name or id (KIP-516), auto-creation (KIP-204). A topic that is created here is answered with its partitions:
// the wait is a few milliseconds, and the client saves a round of LEADER_NOT_AVAILABLE.
func metadataRequest(r *Request, req kmsg.Request) {
	q := req.(*kmsg.MetadataRequest)
	s := r.s
	if r.Version == 10 || r.Version == 11 {
		for i := range q.Topics {
			if q.Topics[i].TopicID != [16]byte{} || q.Topics[i].Topic == nil {
				r.answer(refusedMetadata(q))
				return
			}
		}
	}
	var missing []string
	create := s.Node.AutoCreateTopics && (r.Version < 4 || q.AllowAutoTopicCreation)
	for i := range q.Topics {
		if n := q.Topics[i].Topic; create && n != nil && q.Topics[i].TopicID == [16]byte{} && s.Image.TopicByName(*n) == nil && controller.ValidName(*n) == "" {
			missing = append(missing, *n)
		}
	}
	slices.Sort(missing)
	missing = slices.Compact(missing) // the controller refuses a name that is there twice
	r.finish = func(r *Request) { r.answer(r.allowed(q, r.metadata(q))) }
	r.remain++
	if len(missing) > 0 {
		r.create(0, missing)
	}
	r.part()
}

// refusedMetadata answers topic ids, or no names, in versions 10 and 11: these have fields for them that do not work (KIP-516).
func refusedMetadata(q *kmsg.MetadataRequest) kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	for i := range q.Topics {
		x := kmsg.NewMetadataResponseTopic()
		name := ""
		if q.Topics[i].Topic != nil {
			name = *q.Topics[i].Topic
		}
		x.Topic, x.TopicID, x.ErrorCode = &name, q.Topics[i].TopicID, code(kerr.InvalidRequest)
		resp.Topics = append(resp.Topics, x)
	}
	return resp
}

// create asks the controller for topics with the broker's defaults.
func (r *Request) create(slot int32, names []string) {
	r.cold(0, slot, &ColdCall{Req: controller.AutoCreate(r.s.Node, r.s.Image, names...), Group: -1})
}

// allowed adds what the client may do, where it asks for that (KIP-430).
func (r *Request) allowed(q *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) kmsg.Response {
	if q.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = anyClusterOperation
	}
	for i := range resp.Topics {
		if q.IncludeTopicAuthorizedOperations {
			resp.Topics[i].AuthorizedOperations = anyTopicOperation
		}
	}
	return resp
}

func (r *Request) metadata(q *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	s, img := r.s, r.s.Image
	resp := kmsg.NewPtrMetadataResponse()
	resp.Brokers = r.brokers()
	id := img.ClusterID()
	resp.ClusterID, resp.ControllerID = &id, s.controllerShown()
	created := map[string]int16{}
	if len(r.resps) > 0 {
		if c, ok := r.resps[0].(*kmsg.CreateTopicsResponse); ok {
			for i := range c.Topics {
				created[c.Topics[i].Topic] = c.Topics[i].ErrorCode
			}
		}
	}
	if all := q.Topics == nil || r.Version == 0 && len(q.Topics) == 0; all {
		for _, t := range img.Topics() {
			resp.Topics = append(resp.Topics, r.metadataTopic(t))
		}
		return resp
	}
	for i := range q.Topics {
		resp.Topics = append(resp.Topics, r.metadataFor(&q.Topics[i], created))
	}
	return resp
}

// metadataFor answers one topic that the request names.
func (r *Request) metadataFor(q *kmsg.MetadataRequestTopic, created map[string]int16) kmsg.MetadataResponseTopic {
	img := r.s.Image
	if q.TopicID != [16]byte{} {
		if t := img.TopicByID(q.TopicID); t != nil {
			return r.metadataTopic(t)
		}
		x := kmsg.NewMetadataResponseTopic()
		x.TopicID, x.ErrorCode = q.TopicID, code(kerr.UnknownTopicID)
		if r.Version < 12 {
			empty := ""
			x.Topic = &empty // not nullable before version 12
		}
		return x
	}
	name := ""
	if q.Topic != nil {
		name = *q.Topic
	}
	if t := img.TopicByName(name); t != nil {
		return r.metadataTopic(t)
	}
	x := kmsg.NewMetadataResponseTopic()
	x.Topic, x.ErrorCode = &name, code(kerr.UnknownTopicOrPartition)
	x.IsInternal = controller.IsInternal(name)
	switch c := kerr.Code(created[name]); {
	case controller.ValidName(name) != "":
		x.ErrorCode = code(kerr.InvalidTopicException)
	case c == kerr.TopicAlreadyExists:
		x.ErrorCode = code(kerr.LeaderNotAvailable)
	case c != kerr.None:
		x.ErrorCode = int16(c)
	}
	return x
}

func (r *Request) metadataTopic(t *metadata.Topic) kmsg.MetadataResponseTopic {
	x := kmsg.NewMetadataResponseTopic()
	name := t.Name
	x.Topic, x.TopicID, x.IsInternal = &name, t.ID, controller.IsInternal(name)
	x.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Partitions))
	for n := range t.Partitions {
		p := &t.Partitions[n]
		y := kmsg.NewMetadataResponseTopicPartition()
		y.Partition, y.Leader, y.LeaderEpoch, y.Replicas, y.ISR = int32(n), p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
		y.OfflineReplicas = r.s.offlineReplicas(p)
		if r.leaderless(p) {
			y.ErrorCode, y.Leader = code(kerr.LeaderNotAvailable), metadata.NoLeader
		}
		x.Partitions = append(x.Partitions, y)
	}
	return x
}

// leaderless says whether a client of this listener cannot reach a leader: there is none, or it has no such listener, which Kafka answers
// with LISTENER_NOT_FOUND from version 6 on and clients take alike.
func (r *Request) leaderless(p *metadata.Partition) bool {
	if p.Leader < 0 {
		return true
	}
	b := r.s.Image.Broker(p.Leader)
	return b == nil || b.Listener(r.Client.Listener) == nil
}

// offlineReplicas are those whose broker is fenced or gone, or whose directory is offline (KIP-112, KIP-858).
func (s *State) offlineReplicas(p *metadata.Partition) []int32 {
	out := []int32{}
	for _, id := range p.Replicas {
		if b := s.Image.Broker(id); b == nil || b.Fenced || !b.HasDir(p.Dir(id)) {
			out = append(out, id)
		}
	}
	return out
}

// controllerShown is who clients are told to send what the controller decides: any broker does, since it sends it on. It is the active
// controller where that is a broker which serves clients, and otherwise this one.
func (s *State) controllerShown() int32 {
	if b := s.Image.Broker(s.ControllerID); b.Active() {
		return s.ControllerID
	}
	if b := s.Image.Broker(s.Node.NodeID); b.Active() {
		return s.Node.NodeID
	}
	return -1
}

// brokers lists the brokers that are not fenced, by the listener that the request came in by.
func (r *Request) brokers() (out []kmsg.MetadataResponseBroker) {
	for _, b := range r.s.Image.Brokers() {
		l := b.Listener(r.Client.Listener)
		if l == nil || b.Fenced {
			continue
		}
		x := kmsg.NewMetadataResponseBroker()
		x.NodeID, x.Host, x.Port, x.Rack = b.ID, l.Host, l.Port, b.Rack
		out = append(out, x)
	}
	return out
}

const (
	offsetsTopic     = controller.OffsetsTopic
	transactionTopic = controller.TransactionTopic
)

// describeTopicPartitions is key 75: topics page by page (KIP-966).
func describeTopicPartitions(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeTopicPartitionsRequest)
	img := r.s.Image
	names := make([]string, 0, len(q.Topics))
	for i := range q.Topics {
		names = append(names, q.Topics[i].Topic)
	}
	all := len(names) == 0
	if all {
		for _, t := range img.Topics() {
			names = append(names, t.Name)
		}
	}
	sort.Strings(names)
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	if c := q.Cursor; c != nil && (c.Partition < 0 || !all && !slices.Contains(names, c.Topic)) {
		for i := range q.Topics {
			x := kmsg.NewDescribeTopicPartitionsResponseTopic()
			x.Topic, x.ErrorCode = &q.Topics[i].Topic, code(kerr.InvalidRequest)
			resp.Topics = append(resp.Topics, x)
		}
		r.answer(resp)
		return
	}
	left := max(1, int(min(q.ResponsePartitionLimit, r.s.Node.RequestPartitionLimit)))
	last := ""
	for i, n := range names {
		first := int32(0)
		if c := q.Cursor; c != nil {
			if n < c.Topic {
				continue
			}
			if n == c.Topic {
				first = max(c.Partition, 0)
			}
		}
		if i > 0 && n == last {
			continue
		}
		last = n
		if left == 0 {
			c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
			c.Topic, c.Partition = n, first
			resp.NextCursor = &c
			break
		}
		x, next := r.describeTopic(n, first, &left)
		resp.Topics = append(resp.Topics, x)
		if next >= 0 {
			c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
			c.Topic, c.Partition = n, next
			resp.NextCursor = &c
			break
		}
	}
	r.answer(resp)
}

// describeTopic gives a topic's partitions from first on, at most left of them, and the next one if there are more, else -1.
func (r *Request) describeTopic(name string, first int32, left *int) (kmsg.DescribeTopicPartitionsResponseTopic, int32) {
	x := kmsg.NewDescribeTopicPartitionsResponseTopic()
	x.Topic, x.IsInternal, x.AuthorizedOperations = &name, controller.IsInternal(name), anyTopicOperation
	t := r.s.Image.TopicByName(name)
	if t == nil {
		x.ErrorCode = code(kerr.UnknownTopicOrPartition)
		if controller.ValidName(name) != "" {
			x.ErrorCode = code(kerr.InvalidTopicException)
		}
		return x, -1
	}
	x.TopicID = t.ID
	for n := first; int(n) < len(t.Partitions); n++ {
		if *left == 0 {
			return x, n
		}
		*left--
		p := &t.Partitions[n]
		y := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		y.Partition, y.LeaderID, y.LeaderEpoch, y.Replicas, y.ISR = n, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
		y.EligibleLeaderReplicas, y.LastKnownELR = append([]int32{}, p.ELR...), append([]int32{}, p.LastKnownELR...)
		y.OfflineReplicas = r.s.offlineReplicas(p)
		if r.leaderless(p) {
			y.ErrorCode, y.LeaderID = code(kerr.LeaderNotAvailable), metadata.NoLeader
		}
		x.Partitions = append(x.Partitions, y)
	}
	return x, -1
}
