package wire

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/kerr"
)

// The client's half of Fetch: what a follower sends, and how it reads the answer. The records of an answer are not copied: they alias
// the frame, and the follower's log writes them from there.

// FetchResponse is a Fetch response, its topics flattened. All slices of bytes alias the frame. Decode reuses the struct.
type FetchResponse struct {
	ThrottleMS int32
	Code       kerr.Code     // v7+; of the session
	SessionID  int32         // v7+; 0: no session
	Parts      []FetchedPart // in the order of the response
	Nodes      []FetchedNode // v16+; where the leaders are that CurrentLeader names
	aborted    []AbortedTxn  // that Parts share
}

// FetchedPart is one partition's answer.
type FetchedPart struct {
	FetchPartResult            // DivergingEpoch and DivergingEndOffset are -1 unless Diverging; CurrentLeader is -1, -1 unless Known
	Topic           []byte     // up to v12
	TopicID         [16]byte   // v13+
	NewTopic        bool       // the first of its topic
	Records         []byte     // nil: null
	Snapshot        SnapshotID // v12+
}

// SnapshotID names the snapshot that a raft follower is to fetch; both are -1 if none is told.
type SnapshotID struct {
	EndOffset int64
	Epoch     int32
}

// FetchedNode is a NodeEndpoint whose text aliases the frame. Rack is nil if it is null.
type FetchedNode struct {
	ID   int32
	Host []byte
	Port int32
	Rack []byte
}

// Decode reads the body of a response of that version, in FetchMin to FetchMax. It reports false for a malformed body, and for one with
// more than 262,144 partitions.
func (p *FetchResponse) Decode(version int16, body []byte) bool {
	flex := version >= fetchFlexible
	r := Reader{B: body}
	*p = FetchResponse{Parts: reuse(p.Parts), Nodes: reuse(p.Nodes), aborted: reuse(p.aborted)}
	p.ThrottleMS = r.Int32()
	if version >= fetchSessions {
		p.Code, p.SessionID = kerr.Code(r.Int16()), r.Int32()
	}
	for topics := r.Array(flex); topics > 0 && r.OK(); topics-- {
		p.topic(&r, version, flex)
	}
	if !flex {
		return r.OK()
	}
	for n := r.Tags(); n > 0 && r.OK(); n-- {
		tag, field := r.Tag()
		if tag == 0 && version >= fetchNodeEndpoints {
			p.nodes(&field)
		}
		if !field.OK() {
			r.Fail()
		}
	}
	return r.OK()
}

func (p *FetchResponse) topic(r *Reader, version int16, flex bool) {
	name, id := topicKey(r, flex, version >= fetchTopicIDs)
	n := r.Array(flex)
	if len(p.Parts)+n > maxParts {
		r.Fail()
	}
	for first := true; n > 0 && r.OK(); n-- {
		p.Parts = append(p.Parts, FetchedPart{Topic: name, TopicID: id, NewTopic: first})
		p.part(&p.Parts[len(p.Parts)-1], r, version, flex)
		first = false
	}
	r.SkipTags(flex)
}

func (p *FetchResponse) part(f *FetchedPart, r *Reader, version int16, flex bool) {
	f.Partition, f.Code, f.HighWatermark, f.LastStableOffset = r.Int32(), kerr.Code(r.Int16()), r.Int64(), r.Int64()
	f.LogStartOffset, f.PreferredReadReplica = -1, -1
	if version >= fetchLogStart {
		f.LogStartOffset = r.Int64()
	}
	f.Aborted = p.abortedTxns(r, flex)
	if version >= fetchRack {
		f.PreferredReadReplica = r.Int32()
	}
	f.Records = r.NullableBytes(flex)
	f.RecordsLen = int32(len(f.Records))
	f.DivergingEpoch, f.DivergingEndOffset = -1, -1
	f.CurrentLeader.ID, f.CurrentLeader.Epoch, f.Snapshot = -1, -1, SnapshotID{-1, -1}
	if flex {
		f.tags(r)
	}
}

// abortedTxns reads a list that may be null. A list that an earlier partition was given stays as it is where the shared memory moves.
func (p *FetchResponse) abortedTxns(r *Reader, flex bool) []AbortedTxn {
	n := r.NullableArray(flex)
	if n < 0 || !r.OK() {
		return nil
	}
	if p.aborted == nil {
		p.aborted = make([]AbortedTxn, 0, 8)
	}
	from := len(p.aborted)
	for ; n > 0 && r.OK(); n-- {
		p.aborted = append(p.aborted, AbortedTxn{r.Int64(), r.Int64()})
		r.SkipTags(flex)
	}
	return p.aborted[from:len(p.aborted):len(p.aborted)]
}

func (f *FetchedPart) tags(r *Reader) {
	for n := r.Tags(); n > 0 && r.OK(); n-- {
		tag, field := r.Tag()
		switch tag {
		case 0:
			f.DivergingEpoch, f.DivergingEndOffset = field.Int32(), field.Int64()
			field.SkipTags(true)
		case 1:
			f.CurrentLeader.ID, f.CurrentLeader.Epoch = field.Int32(), field.Int32()
			field.SkipTags(true)
		case 2:
			f.Snapshot = SnapshotID{field.Int64(), field.Int32()}
			field.SkipTags(true)
		case tagPrivate:
			if len(field.B) == 8 {
				f.Sparse = field.Int64()
			}
		}
		if !field.OK() {
			r.Fail()
		}
	}
	f.Diverging = f.DivergingEpoch >= 0
	f.CurrentLeader.Known = f.CurrentLeader.Epoch >= 0
}

func (p *FetchResponse) nodes(r *Reader) {
	p.Nodes = p.Nodes[:0]
	for n := r.Array(true); n > 0 && r.OK(); n-- {
		f := FetchedNode{ID: r.Int32(), Host: r.String(true), Port: r.Int32()}
		f.Rack, _ = r.NullableString(true)
		r.SkipTags(true)
		p.Nodes = append(p.Nodes, f)
	}
}

// AppendTo writes the body of a request of that version, FetchMin to FetchMax. TopicParts is not looked at: a topic's partitions stand
// in one run that begins with NewTopic.
func (q *FetchRequest) AppendTo(dst []byte, version int16) []byte {
	flex := version >= fetchFlexible
	if version < fetchReplicaState {
		dst = AppendInt32(dst, q.ReplicaID)
	}
	dst = AppendInt32(AppendInt32(AppendInt32(dst, q.MaxWaitMS), q.MinBytes), q.MaxBytes)
	dst = AppendInt8(dst, q.Isolation)
	if version >= fetchSessions {
		dst = AppendInt32(AppendInt32(dst, q.SessionID), q.SessionEpoch)
	}
	dst = appendFetchTopics(dst, q.Parts, version, flex, false)
	if version >= fetchSessions {
		dst = appendFetchTopics(dst, q.Forgotten, version, flex, true)
	}
	if version >= fetchRack {
		dst = AppendString(dst, flex, q.Rack)
	}
	if flex {
		dst = q.appendTags(dst, version)
	}
	return dst
}

func appendFetchTopics(dst []byte, parts []FetchPart, version int16, flex, forgotten bool) []byte {
	topics := 0
	for i := range parts {
		if i == 0 || parts[i].NewTopic {
			topics++
		}
	}
	dst = AppendArray(dst, flex, topics)
	for i := 0; i < len(parts); {
		end := i + 1
		for end < len(parts) && !parts[end].NewTopic {
			end++
		}
		dst = appendTopicKey(dst, flex, version >= fetchTopicIDs, parts[i].Topic, &parts[i].TopicID)
		dst = AppendArray(dst, flex, end-i)
		for ; i < end; i++ {
			dst = AppendInt32(dst, parts[i].Partition)
			if !forgotten {
				dst = parts[i].append(dst, version, flex)
			}
		}
		dst = AppendNoTags(dst, flex)
	}
	return dst
}

func (p *FetchPart) append(dst []byte, version int16, flex bool) []byte {
	if version >= fetchLeaderEpoch {
		dst = AppendInt32(dst, p.CurrentLeaderEpoch)
	}
	dst = AppendInt64(dst, p.FetchOffset)
	if version >= fetchFlexible {
		dst = AppendInt32(dst, p.LastFetchedEpoch)
	}
	if version >= fetchLogStart {
		dst = AppendInt64(dst, p.LogStartOffset)
	}
	dst = AppendInt32(dst, p.MaxBytes)
	if !flex {
		return dst
	}
	directory := version >= fetchDirectoryID && p.DirectoryID != [16]byte{}
	hw := version >= fetchHighWatermark && p.HighWatermark != FetchHighWatermarkOff
	n := byte(0)
	for _, sent := range [...]bool{directory, hw, p.Refused} {
		if sent {
			n++
		}
	}
	dst = append(dst, n)
	if directory {
		dst = AppendUUID(append(dst, 0, 16), p.DirectoryID)
	}
	if hw {
		dst = AppendInt64(append(dst, 1, 8), p.HighWatermark)
	}
	if p.Refused {
		dst = append(binary.AppendUvarint(dst, tagPrivate), 0)
	}
	return dst
}

func (q *FetchRequest) appendTags(dst []byte, version int16) []byte {
	replica := version >= fetchReplicaState && (q.ReplicaID != -1 || q.ReplicaEpoch != -1)
	n := byte(0)
	if q.ClusterID != nil {
		n++
	}
	if replica {
		n++
	}
	dst = append(dst, n)
	if q.ClusterID != nil {
		var at int
		dst, at = startTag(dst, 0)
		dst = finishTag(AppendString(dst, true, q.ClusterID), at)
	}
	if replica {
		dst = append(dst, 1, 4+8+1)
		dst = AppendInt64(AppendInt32(dst, q.ReplicaID), q.ReplicaEpoch)
		dst = append(dst, 0)
	}
	return dst
}
