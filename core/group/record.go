package group

import (
	"errors"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/codec"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The types of record that this package writes and reads, by the version that leads each key. Source: Kafka's
// CoordinatorRecordType; 3 to 8 and above belong to the newer group protocols.
const (
	keyOffsetV0 = 0
	keyOffset   = 1
	keyGroup    = 2
)

// Versions of values. 3 is the last one without tagged fields, which is what Kafka writes; an offset's topic id needs 4.
const (
	valueVersion        = 3
	valueVersionTagged  = 4
	valueVersionExpires = 1
	maxValueVersion     = 4
)

var (
	errKey   = errors.New("group: unreadable key")
	errValue = errors.New("group: unreadable value")
)

// offsetRecord is the record of a committed offset; nil deletes it.
func offsetRecord(group, topic string, partition int32, o *offsets.Offset) coordinator.Record {
	k := kmsg.OffsetCommitKey{Version: keyOffset, Group: group, Topic: topic, Partition: partition}
	r := coordinator.Record{Key: k.AppendTo(nil)}
	if o == nil {
		return r
	}
	v := kmsg.OffsetCommitValue{
		Version: valueVersion, Offset: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata,
		CommitTimestamp: o.CommitMS, ExpireTimestamp: o.ExpireMS, TopicID: o.TopicID,
	}
	if o.TopicID != ([16]byte{}) {
		v.Version = valueVersionTagged
	}
	if o.ExpireMS >= 0 {
		v.Version = valueVersionExpires
	}
	r.Value = v.AppendTo(nil)
	return r
}

// groupRecord is the record of a group's generation; nil deletes the group.
func groupRecord(group string, v *kmsg.GroupMetadataValue) coordinator.Record {
	k := kmsg.GroupMetadataKey{Version: keyGroup, Group: group}
	r := coordinator.Record{Key: k.AppendTo(nil)}
	if v != nil {
		v.Version = valueVersion
		r.Value = v.AppendTo(nil)
	}
	return r
}

// key is a decoded key.
type key struct {
	kind      int16
	group     string
	topic     string
	partition int32
}

// readKey decodes a key. known is false for types that this package does not keep.
func readKey(b []byte) (k key, known bool, err error) {
	r := codec.Reader{B: b}
	k.kind = r.Int16()
	if r.Bad {
		return k, false, errKey
	}
	switch k.kind {
	case keyOffsetV0, keyOffset:
		k.group, k.topic, k.partition = r.String(false), r.String(false), r.Int32()
	case keyGroup:
		k.group = r.String(false)
	default:
		return k, false, nil
	}
	if r.Bad {
		return k, true, errKey
	}
	return k, true, nil
}

// readOffset decodes an OffsetCommitValue of version 0 to 4.
func readOffset(b []byte) (o offsets.Offset, err error) {
	r := codec.Reader{B: b}
	version := r.Version(maxValueVersion)
	flexible := version >= 4
	o.Offset = r.Int64()
	o.LeaderEpoch, o.ExpireMS = -1, -1
	if version >= 3 {
		o.LeaderEpoch = r.Int32()
	}
	o.Metadata = r.String(flexible)
	o.CommitMS = r.Int64()
	if version == 1 {
		o.ExpireMS = max(r.Int64(), -1)
	}
	if flexible {
		r.Tags(func(tag uint32, b []byte) {
			if tag == 0 && len(b) == len(o.TopicID) {
				copy(o.TopicID[:], b)
			}
		})
	}
	if r.Bad {
		return o, errValue
	}
	return o, nil
}

// readGroup decodes a GroupMetadataValue of version 0 to 4. Bytes are copied.
func readGroup(b []byte) (*kmsg.GroupMetadataValue, error) {
	r := codec.Reader{B: b}
	version := r.Version(maxValueVersion)
	flexible := version >= 4
	v := &kmsg.GroupMetadataValue{Version: version, CurrentStateTimestamp: -1}
	v.ProtocolType = r.String(flexible)
	v.Generation = r.Int32()
	v.Protocol = r.Nullable(flexible)
	v.Leader = r.Nullable(flexible)
	if version >= 2 {
		v.CurrentStateTimestamp = r.Int64()
	}
	for n := r.Array(flexible); n > 0 && !r.Bad; n-- {
		v.Members = append(v.Members, readMember(&r, version))
	}
	if flexible {
		r.Tags(nil)
	}
	if r.Bad {
		return nil, errValue
	}
	return v, nil
}

func readMember(r *codec.Reader, version int16) (m kmsg.GroupMetadataValueMember) {
	flexible := version >= 4
	m.MemberID = r.String(flexible)
	if version >= 3 {
		m.InstanceID = r.Nullable(flexible)
	}
	m.ClientID = r.String(flexible)
	m.ClientHost = r.String(flexible)
	m.RebalanceTimeoutMillis = -1
	if version >= 1 {
		m.RebalanceTimeoutMillis = r.Int32()
	}
	m.SessionTimeoutMillis = r.Int32()
	m.Subscription = r.Bytes(flexible)
	m.Assignment = r.Bytes(flexible)
	if flexible {
		r.Tags(nil)
	}
	return m
}
