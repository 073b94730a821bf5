package consumer

import (
	"github.com/seedlog/seedlog/core/group/codec"
)

// newestProtocol is the newest version of the embedded consumer protocol, in which newer ones are written too.
const newestProtocol = 3

// Subscription is what a member of the classic protocol embeds in JoinGroup (ConsumerProtocolSubscription), as far as a coordinator uses it.
type Subscription struct {
	Version int16
	Topics  []string // ascending, each once
	Owned   []TopicPartitions
	RackID  string
}

// TopicPartitions is partitions of a topic by name.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// ReadSubscription decodes a ConsumerProtocolSubscription of any version; newer ones begin as version 3 does.
func ReadSubscription(b []byte) (s Subscription, ok bool) {
	r := codec.Reader{B: b}
	s.Version = r.Int16()
	s.Topics = sortedTopics(r.Strings(false))
	userData(&r)
	if s.Version >= 1 {
		s.Owned = readTopics(&r)
	}
	if s.Version >= 2 {
		r.Int32() // the generation
	}
	if s.Version >= 3 {
		if rack := r.Nullable(false); rack != nil {
			s.RackID = *rack
		}
	}
	return s, !r.Bad && s.Version >= 0
}

// ReadAssignment decodes a ConsumerProtocolAssignment. custom: an assignor has put data of its own into it.
func ReadAssignment(b []byte) (tps []TopicPartitions, custom, ok bool) {
	r := codec.Reader{B: b}
	version := r.Int16()
	tps = readTopics(&r)
	custom = userData(&r) > 0
	return tps, custom, !r.Bad && version >= 0
}

// userData skips nullable bytes, and gives how many there are.
func userData(r *codec.Reader) int {
	n := r.Length(false, true)
	if n < 0 {
		return 0
	}
	r.Skip(n)
	return int(n)
}

func readTopics(r *codec.Reader) (out []TopicPartitions) {
	for n := r.Array(false); n > 0 && !r.Bad; n-- {
		out = append(out, TopicPartitions{r.String(false), r.Int32s(false)})
	}
	return out
}

// AppendAssignment writes a ConsumerProtocolAssignment in the version in which the member subscribed, without data of an assignor.
func AppendAssignment(b []byte, version int16, topics Topics, a Assignment) []byte {
	tps := byName(topics, a)
	b = be.AppendUint16(b, uint16(min(version, newestProtocol)))
	b = be.AppendUint32(b, uint32(len(tps)))
	for i := range tps {
		b = be.AppendUint32(appendString16(b, tps[i].Topic), uint32(len(tps[i].Partitions)))
		for _, p := range tps[i].Partitions {
			b = be.AppendUint32(b, uint32(p))
		}
	}
	return be.AppendUint32(b, 1<<32-1)
}

// ByID gives an assignment, with one epoch, of topics that exist.
func ByID(topics Topics, tps []TopicPartitions, epoch int32) Assignment {
	var m maker
	for i := range tps {
		if id, ok := topics.TopicID(tps[i].Topic); ok {
			for _, p := range tps[i].Partitions {
				m.add(id, p, epoch)
			}
		}
	}
	return m.done()
}

// OwnedOf gives what a classic member says that it owns.
func OwnedOf(topics Topics, tps []TopicPartitions) (out []Owned) {
	for i := range tps {
		if id, ok := topics.TopicID(tps[i].Topic); ok {
			out = append(out, Owned{id, tps[i].Partitions})
		}
	}
	return out
}
