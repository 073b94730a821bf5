package consumer

import (
	"encoding/binary"
	"errors"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/codec"
)

// The types of record of this package, by the version that leads each key. Source: Kafka's CoordinatorRecordType.
const (
	KeyMetadata          = 3
	KeyPartitionMetadata = 4 // of Kafka before 4.1; only ever deleted
	KeyMember            = 5
	KeyTargetMetadata    = 6
	KeyTarget            = 7
	KeyCurrent           = 8
	KeyRegex             = 16
)

var (
	errKey   = errors.New("consumer: unreadable key")
	errValue = errors.New("consumer: unreadable value")
)

var be = binary.BigEndian

// Key is a decoded key. Name is the member's id, or the regular expression.
type Key struct {
	Kind  int16
	Group string
	Name  string
}

// IsKey says whether records of this type are a consumer group's.
func IsKey(kind int16) bool { return kind >= KeyMetadata && kind <= KeyCurrent || kind == KeyRegex }

func named(kind int16) bool {
	return kind == KeyMember || kind == KeyTarget || kind == KeyCurrent || kind == KeyRegex
}

// ReadKey decodes a key whose type is one of this package's.
func ReadKey(b []byte) (k Key, err error) {
	r := codec.Reader{B: b}
	k.Kind, k.Group = r.Int16(), r.String(false)
	if named(k.Kind) {
		k.Name = r.String(false)
	}
	if r.Bad {
		return k, errKey
	}
	return k, nil
}

// tombstone deletes what a key stands for.
func tombstone(kind int16, group, name string) coordinator.Record {
	b := appendString16(be.AppendUint16(nil, uint16(kind)), group)
	if named(kind) {
		b = appendString16(b, name)
	}
	return coordinator.Record{Key: b}
}

func record(kind int16, group, name string, value []byte) coordinator.Record {
	r := tombstone(kind, group, name)
	r.Value = value
	return r
}

func appendString16(b []byte, s string) []byte {
	return append(be.AppendUint16(b, uint16(len(s))), s...)
}

func appendCount(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)+1) }

func appendString(b []byte, s string) []byte { return append(appendCount(b, len(s)), s...) }

// appendOptional writes null for "".
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, 0)
	}
	return appendString(b, s)
}

func appendStrings(b []byte, ss []string) []byte {
	b = appendCount(b, len(ss))
	for _, s := range ss {
		b = appendString(b, s)
	}
	return b
}

func appendInt32s(b []byte, ns []int32) []byte {
	b = appendCount(b, len(ns))
	for _, n := range ns {
		b = be.AppendUint32(b, uint32(n))
	}
	return b
}

// newValue is a value of version 0.
func newValue() []byte { return []byte{0, 0} }

// taggedInt64 is the tagged fields of a value that has one, an INT64 with tag 0 which is left out where it is zero.
func taggedInt64(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, 0)
	}
	return be.AppendUint64(append(b, 1, 0, 8), uint64(n))
}

// metadataRecord is ConsumerGroupMetadata: the group epoch, and a hash of the topics for which it stands.
func metadataRecord(group string, epoch int32, hash int64) coordinator.Record {
	return record(KeyMetadata, group, "", taggedInt64(be.AppendUint32(newValue(), uint32(epoch)), hash))
}

// targetMetadataRecord is ConsumerGroupTargetAssignmentMetadata: the target's epoch, and when it was computed.
func targetMetadataRecord(group string, epoch int32, atMS int64) coordinator.Record {
	return record(KeyTargetMetadata, group, "", taggedInt64(be.AppendUint32(newValue(), uint32(epoch)), atMS))
}

// memberRecord is ConsumerGroupMemberMetadata: what a member says of itself.
func memberRecord(group string, m *Member) coordinator.Record {
	b := appendOptional(appendOptional(newValue(), m.InstanceID), m.RackID)
	b = appendStrings(appendString(appendString(b, m.ClientID), m.ClientHost), m.Topics)
	b = be.AppendUint32(appendString(b, m.Regex), uint32(m.RebalanceTimeoutMS))
	b = append(appendOptional(b, m.Assignor), 1, 0)
	if m.Classic == nil {
		return record(KeyMember, group, m.ID, append(b, 1, 0)) // null, which is not this field's default
	}
	c := appendCount(be.AppendUint32([]byte{1}, uint32(m.Classic.SessionTimeoutMS)), len(m.Classic.Protocols))
	for _, p := range m.Classic.Protocols {
		c = append(appendCount(appendString(c, p.Name), len(p.Metadata)), p.Metadata...)
		c = append(c, 0)
	}
	c = append(c, 0)
	return record(KeyMember, group, m.ID, append(binary.AppendUvarint(b, uint64(len(c))), c...))
}

// targetRecord is ConsumerGroupTargetAssignmentMember.
func targetRecord(group, member string, a Assignment) coordinator.Record {
	b := appendCount(newValue(), len(a))
	for i := range a {
		b = append(appendInt32s(append(b, a[i].TopicID[:]...), a[i].Numbers), 0)
	}
	return record(KeyTarget, group, member, append(b, 0))
}

// currentRecord is ConsumerGroupCurrentMemberAssignment.
func currentRecord(group string, m *Member) coordinator.Record {
	b := be.AppendUint32(be.AppendUint32(newValue(), uint32(m.Epoch)), uint32(m.PreviousEpoch))
	b = appendOwned(appendOwned(append(b, byte(m.State)), m.Assigned), m.Revoking)
	return record(KeyCurrent, group, m.ID, append(b, 0))
}

func appendOwned(b []byte, a Assignment) []byte {
	b = appendCount(b, len(a))
	for i := range a {
		b = appendInt32s(append(b, a[i].TopicID[:]...), a[i].Numbers)
		epochs := appendInt32s(nil, a[i].Epochs)
		b = append(binary.AppendUvarint(append(b, 1, 0), uint64(len(epochs))), epochs...)
	}
	return b
}

// regexRecord is ConsumerGroupRegularExpression.
func regexRecord(group, regex string, r *Resolved) coordinator.Record {
	b := appendStrings(newValue(), r.Topics)
	b = be.AppendUint64(be.AppendUint64(b, uint64(r.Version)), uint64(r.AtMS))
	return record(KeyRegex, group, regex, append(b, 0))
}

// open begins the reading of a value of version 0.
func open(b []byte) *codec.Reader {
	r := &codec.Reader{B: b}
	r.Version(0)
	return r
}

func ended(r *codec.Reader) error {
	if r.Bad {
		return errValue
	}
	return nil
}

// readEpoch decodes ConsumerGroupMetadata and ConsumerGroupTargetAssignmentMetadata, which are alike.
func readEpoch(b []byte) (epoch int32, tagged int64, err error) {
	r := open(b)
	epoch = r.Int32()
	r.Tags(func(tag uint32, b []byte) {
		if tag == 0 && len(b) == 8 {
			tagged = int64(be.Uint64(b))
		}
	})
	return epoch, tagged, ended(r)
}

// readMember sets what ConsumerGroupMemberMetadata says.
func readMember(b []byte, m *Member) error {
	r := open(b)
	m.InstanceID, m.RackID = optional(r), optional(r)
	m.ClientID, m.ClientHost = r.String(true), r.String(true)
	m.Topics = sortedTopics(r.Strings(true))
	m.Regex, m.RebalanceTimeoutMS, m.Assignor = optional(r), r.Int32(), optional(r)
	m.Classic = nil
	bad := false
	r.Tags(func(tag uint32, b []byte) {
		if tag == 0 {
			m.Classic, bad = readClassic(b)
		}
	})
	if bad {
		return errValue
	}
	return ended(r)
}

func optional(r *codec.Reader) string {
	if s := r.Nullable(true); s != nil {
		return *s
	}
	return ""
}

// readClassic decodes the classic member's metadata, which has at least one protocol.
func readClassic(b []byte) (c *Classic, bad bool) {
	r := &codec.Reader{B: b}
	if r.Uvarint() == 0 {
		return nil, r.Bad
	}
	c = &Classic{SessionTimeoutMS: r.Int32()}
	for n := r.Array(true); n > 0 && !r.Bad; n-- {
		p := classic.Protocol{Name: r.String(true), Metadata: r.Bytes(true)}
		r.Tags(nil)
		c.Protocols = append(c.Protocols, p)
	}
	r.Tags(nil)
	return c, r.Bad || len(c.Protocols) == 0
}

// readTarget decodes ConsumerGroupTargetAssignmentMember.
func readTarget(b []byte) (Assignment, error) {
	r := open(b)
	var m maker
	for n := r.Array(true); n > 0 && !r.Bad; n-- {
		id := r.UUID()
		for _, p := range r.Int32s(true) {
			m.add(id, p, 0)
		}
		r.Tags(nil)
	}
	r.Tags(nil)
	return m.targets(), ended(r)
}

// readCurrent sets what ConsumerGroupCurrentMemberAssignment says.
func readCurrent(b []byte, m *Member) error {
	r := open(b)
	m.Epoch, m.PreviousEpoch, m.State = r.Int32(), r.Int32(), State(r.Int8())
	if m.State < Stable || m.State > UnreleasedPartitions {
		m.State = Unknown
	}
	m.Assigned = readOwned(r, m.Epoch)
	m.Revoking = readOwned(r, m.Epoch)
	r.Tags(nil)
	return ended(r)
}

// readOwned decodes partitions with their epochs. Where an older broker wrote none, they count from the member's.
func readOwned(r *codec.Reader, epoch int32) Assignment {
	var m maker
	for n := r.Array(true); n > 0 && !r.Bad; n-- {
		id, numbers := r.UUID(), r.Int32s(true)
		var epochs []int32
		r.Tags(func(tag uint32, b []byte) {
			if tag == 0 {
				epochs = (&codec.Reader{B: b}).Int32s(true)
			}
		})
		for i, p := range numbers {
			e := max(epoch, 0)
			if len(epochs) == len(numbers) {
				e = epochs[i]
			}
			m.add(id, p, e)
		}
	}
	return m.done()
}

// readRegex decodes ConsumerGroupRegularExpression.
func readRegex(b []byte) (*Resolved, error) {
	r := open(b)
	out := &Resolved{Topics: sortedTopics(r.Strings(true)), Version: r.Int64(), AtMS: r.Int64()}
	r.Tags(nil)
	return out, ended(r)
}
