package wire

// keyMetadata is the API key of Metadata.
const keyMetadata = 3

// Versions of Metadata that this codec reads and writes.
const (
	MetadataMin, MetadataMax  = 0, 13
	metadataNullIsAll         = 1 // below, an empty list asks for all topics
	metadataClusterID         = 2
	metadataThrottle          = 3
	metadataAutoCreate        = 4
	metadataOffline           = 5
	metadataLeaderEpoch       = 7
	metadataOperations        = 8
	metadataFlexible          = 9
	metadataTopicIDs          = 10
	metadataClusterOperations = 10 // the last version that has them
	metadataNullName          = 12
	metadataCode              = 13
)

// MetadataRequest is a Metadata request. Slices alias the frame. Decode reuses the struct.
type MetadataRequest struct {
	AllTopics         bool // Topics is empty then
	Topics            []MetadataTopic
	AllowAutoCreate   bool // v4+; true before
	IncludeClusterOps bool // v8 to v10
	IncludeTopicOps   bool // v8+
}

// MetadataTopic is a topic that is asked for, by name or (v10+) by id.
type MetadataTopic struct {
	Name    []byte
	HasName bool // false only from v10 on
	ID      [16]byte
}

// Decode reads the body of a request of that version, in MetadataMin to MetadataMax. It reports false for a malformed body, and for one with more
// than 262,144 topics.
func (q *MetadataRequest) Decode(version int16, body []byte) bool {
	flex := version >= metadataFlexible
	r := Reader{B: body}
	*q = MetadataRequest{Topics: reuse(q.Topics), AllowAutoCreate: true}
	n := r.NullableArray(flex)
	q.AllTopics = n < 0
	if version < metadataNullIsAll {
		q.AllTopics = n == 0
	}
	if n < 0 && version < metadataNullIsAll || n > maxParts {
		r.Fail()
	}
	for ; n > 0 && r.OK(); n-- {
		q.Topics = append(q.Topics, metadataTopic(&r, version, flex))
	}
	if version >= metadataAutoCreate {
		q.AllowAutoCreate = r.Bool()
	}
	if version >= metadataOperations && version <= metadataClusterOperations {
		q.IncludeClusterOps = r.Bool()
	}
	if version >= metadataOperations {
		q.IncludeTopicOps = r.Bool()
	}
	r.SkipTags(flex)
	return r.OK()
}

func metadataTopic(r *Reader, version int16, flex bool) (t MetadataTopic) {
	if version < metadataTopicIDs {
		t.Name, t.HasName = r.String(flex), true
	} else {
		t.ID = r.UUID()
		t.Name, t.HasName = r.NullableString(flex)
	}
	r.SkipTags(flex)
	return t
}
