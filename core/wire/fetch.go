package wire

import "math"

// keyFetch is the API key of Fetch.
const keyFetch = 1

// Versions of Fetch that this codec reads and writes.
const (
	FetchMin, FetchMax    = 4, 18
	fetchLogStart         = 5
	fetchSessions         = 7  // KIP-227
	fetchLeaderEpoch      = 9  // KIP-320
	fetchRack             = 11 // KIP-392
	fetchFlexible         = 12
	fetchTopicIDs         = 13 // KIP-516
	fetchReplicaState     = 15 // KIP-903
	fetchNodeEndpoints    = 16 // KIP-951
	fetchDirectoryID      = 17 // KIP-853
	fetchHighWatermark    = 18 // KIP-1166
	FetchHighWatermarkOff = math.MaxInt64
)

// FetchRequest is a Fetch request, its topics flattened. All slices alias the frame. Decode reuses the struct.
type FetchRequest struct {
	ClusterID    []byte // v12+; nil if not sent
	ReplicaID    int32  // -1: a consumer
	ReplicaEpoch int64  // v15+; -1: none
	MaxWaitMS    int32
	MinBytes     int32
	MaxBytes     int32
	Isolation    int8        // 0 read_uncommitted, 1 read_committed
	SessionID    int32       // v7+
	SessionEpoch int32       // v7+; -1: no session
	Parts        []FetchPart // in the order of the request, which is the order to serve them in (KIP-74)
	Forgotten    []FetchPart // v7+; only Topic, TopicID, NewTopic, TopicParts and Partition are set
	Rack         []byte      // v11+
}

// FetchPart is one partition to read. A topic is named up to v12 and has its id from v13 on.
type FetchPart struct {
	Topic              []byte
	TopicID            [16]byte
	NewTopic           bool  // the first of its topic
	TopicParts         int32 // how many the request has of this topic in one go, at least 1
	Partition          int32
	CurrentLeaderEpoch int32 // v9+; -1: not checked
	FetchOffset        int64
	LastFetchedEpoch   int32 // v12+; -1: none
	LogStartOffset     int64 // v5+; of a follower, else -1
	MaxBytes           int32
	DirectoryID        [16]byte // v17+, of a raft follower
	HighWatermark      int64    // v18+, of a raft follower; FetchHighWatermarkOff if not sent
	Refused            bool     // ours, v12+: a follower could not take what it was sent from FetchOffset on
}

// tagPrivate is the first of the tagged fields that are ours alone. Others skip them.
const tagPrivate = 10_000

// Decode reads the body of a request of that version, in FetchMin to FetchMax. It reports false for a malformed body, and for one with more than
// 262,144 partitions or forgotten ones.
func (q *FetchRequest) Decode(version int16, body []byte) bool {
	flex := version >= fetchFlexible
	r := Reader{B: body}
	*q = FetchRequest{Parts: reuse(q.Parts), Forgotten: reuse(q.Forgotten), ReplicaID: -1, ReplicaEpoch: -1, SessionEpoch: -1}
	if version < fetchReplicaState {
		q.ReplicaID = r.Int32()
	}
	q.MaxWaitMS, q.MinBytes, q.MaxBytes, q.Isolation = r.Int32(), r.Int32(), r.Int32(), r.Int8()
	if version >= fetchSessions {
		q.SessionID, q.SessionEpoch = r.Int32(), r.Int32()
	}
	for topics := r.Array(flex); topics > 0 && r.OK(); topics-- {
		q.Parts = fetchTopic(q.Parts, &r, version, flex, false)
	}
	if version >= fetchSessions {
		for topics := r.Array(flex); topics > 0 && r.OK(); topics-- {
			q.Forgotten = fetchTopic(q.Forgotten, &r, version, flex, true)
		}
	}
	if version >= fetchRack {
		q.Rack = r.String(flex)
	}
	if flex {
		q.tags(&r, version)
	}
	return r.OK()
}

// fetchTopic reads a topic and its partitions, of which a forgotten one has the number only.
func fetchTopic(parts []FetchPart, r *Reader, version int16, flex, forgotten bool) []FetchPart {
	p := FetchPart{NewTopic: true, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1, HighWatermark: FetchHighWatermarkOff}
	p.Topic, p.TopicID = topicKey(r, flex, version >= fetchTopicIDs)
	n := r.Array(flex)
	p.TopicParts = int32(n)
	if len(parts)+n > maxParts {
		r.Fail()
	}
	for ; n > 0 && r.OK(); n-- {
		p.Partition = r.Int32()
		if !forgotten {
			p.read(r, version, flex)
		}
		parts = append(parts, p)
		p.NewTopic = false
	}
	r.SkipTags(flex)
	return parts
}

func (p *FetchPart) read(r *Reader, version int16, flex bool) {
	if version >= fetchLeaderEpoch {
		p.CurrentLeaderEpoch = r.Int32()
	}
	p.FetchOffset = r.Int64()
	if version >= fetchFlexible {
		p.LastFetchedEpoch = r.Int32()
	}
	if version >= fetchLogStart {
		p.LogStartOffset = r.Int64()
	}
	p.MaxBytes = r.Int32()
	if !flex {
		return
	}
	p.DirectoryID, p.HighWatermark, p.Refused = [16]byte{}, FetchHighWatermarkOff, false
	for n := r.Tags(); n > 0 && r.OK(); n-- {
		tag, field := r.Tag()
		switch {
		case tag == 0 && version >= fetchDirectoryID:
			p.DirectoryID = field.UUID()
		case tag == 1 && version >= fetchHighWatermark:
			p.HighWatermark = field.Int64()
		case tag == tagPrivate:
			p.Refused = len(field.B) == 0
		}
		if !field.OK() {
			r.Fail()
		}
	}
}

func (q *FetchRequest) tags(r *Reader, version int16) {
	for n := r.Tags(); n > 0 && r.OK(); n-- {
		tag, field := r.Tag()
		switch {
		case tag == 0:
			q.ClusterID, _ = field.NullableString(true)
		case tag == 1 && version >= fetchReplicaState:
			q.ReplicaID, q.ReplicaEpoch = field.Int32(), field.Int64()
			field.SkipTags(true)
		}
		if !field.OK() {
			r.Fail()
		}
	}
}
