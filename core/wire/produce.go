package wire

// keyProduce is the API key of Produce.
const keyProduce = 0

// Versions of Produce that this codec reads and writes. v0 to v2 carry old message formats; the caller closes on them.
const (
	ProduceMin, ProduceMax = 3, 13
	produceFlexible        = 9
	produceTopicIDs        = 13
	produceLogStart        = 5
	produceRecordErrors    = 8
	produceCurrentLeader   = 10 // KIP-951
	maxParts               = 1 << 18
	partsKept              = 1 << 12
)

// ProduceRequest is a Produce request, its topics flattened: a topic's partitions stand one after another in Parts. All slices alias the
// frame. Decode reuses the struct.
type ProduceRequest struct {
	TransactionalID []byte
	HasTxnID        bool
	Acks            int16
	TimeoutMS       int32
	Parts           []ProducePart
}

// ProducePart is the data for one partition. A topic is named up to v12 and has its id from v13 on.
type ProducePart struct {
	Topic      []byte
	TopicID    [16]byte
	NewTopic   bool  // the first of its topic
	TopicParts int32 // how many the request has of this topic, at least 1; the same in each of them
	Partition  int32
	Records    []byte // batches; nil for null
}

// Decode reads the body of a request of that version, in ProduceMin to ProduceMax. It reports false for a malformed body, and for one with more
// than 262,144 partitions, which bounds what a request can make the broker allocate. Topics without partitions leave no trace: Kafka does not answer them either.
func (q *ProduceRequest) Decode(version int16, body []byte) bool {
	flex := version >= produceFlexible
	r := Reader{B: body}
	q.Parts = reuse(q.Parts)
	q.TransactionalID, q.HasTxnID = r.NullableString(flex)
	q.Acks = r.Int16()
	q.TimeoutMS = r.Int32()
	for topics := r.Array(flex); topics > 0 && r.OK(); topics-- {
		q.topic(&r, version, flex)
	}
	r.SkipTags(flex)
	return r.OK()
}

func (q *ProduceRequest) topic(r *Reader, version int16, flex bool) {
	p := ProducePart{NewTopic: true}
	p.Topic, p.TopicID = topicKey(r, flex, version >= produceTopicIDs)
	n := r.Array(flex)
	p.TopicParts = int32(n)
	if len(q.Parts)+n > maxParts {
		r.Fail()
	}
	for ; n > 0 && r.OK(); n-- {
		p.Partition = r.Int32()
		p.Records = r.NullableBytes(flex)
		r.SkipTags(flex)
		q.Parts = append(q.Parts, p)
		p.NewTopic = false
	}
	r.SkipTags(flex)
}

// topicKey reads what names a topic: its id in newer versions, else its name.
func topicKey(r *Reader, flex, byID bool) (name []byte, id [16]byte) {
	if byID {
		return nil, r.UUID()
	}
	return r.String(flex), id
}

// reuse empties a decoder's slice, and drops it if one large request made it grow far beyond what requests usually need.
func reuse[T any](s []T) []T {
	if cap(s) > partsKept && len(s) < cap(s)/4 {
		return nil
	}
	return s[:0]
}
