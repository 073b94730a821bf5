package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// twin is the dumb fold of a log: what each key's last record says. It shares no code with the coordinator but the walk over a
// batch; records are decoded by kmsg.
type twin struct {
	offsets     map[string]int64 // "group topic partition"
	at          map[string]int64 // where that record stands
	generations map[string]int32
	last        map[string]int64 // a group's last record
	values      []stored
	regressed   string // a generation that went back

	pending map[int64]map[string]pended // by producer: what its open transaction would commit
	ever    map[string]bool             // "group topic partition offset": it was committed once
	staged  map[string]bool             // "producer group topic partition offset": the same of pending ones
	marked  map[string]bool             // "producer commit": a marker
	deleted map[string]bool             // "group topic partition", or "group": a tombstone
}

// pended is an offset of a transaction, and where its record stands.
type pended struct{ offset, at int64 }

type stored struct {
	group string
	value *kmsg.GroupMetadataValue
}

func (t *twin) each(f func(group string, v *kmsg.GroupMetadataValue)) {
	for _, s := range t.values {
		f(s.group, s.value)
	}
}

func fold(batches []records.View) *twin {
	t := &twin{offsets: map[string]int64{}, at: map[string]int64{}, generations: map[string]int32{}, last: map[string]int64{}, pending: map[int64]map[string]pended{},
		ever: map[string]bool{}, staged: map[string]bool{}, marked: map[string]bool{}, deleted: map[string]bool{}}
	for _, b := range batches {
		t.batch(b)
	}
	return t
}

func (t *twin) batch(b records.View) {
	if m, ok := b.Marker(); b.IsControl() && ok {
		t.marker(b.ProducerID(), m.Commit)
		return
	}
	r := records.NewReader(b, nil)
	for {
		rec, ok, err := r.Next()
		must(err)
		if !ok {
			return
		}
		t.record(b.ProducerID(), b.BaseOffset()+int64(rec.OffsetDelta), rec.Key, rec.Value)
	}
}

// reads says whether the last record of a group has members that subscribe to a topic.
func (t *twin) reads(group, topic string) bool {
	yes := false
	t.each(func(g string, v *kmsg.GroupMetadataValue) {
		if g != group {
			return
		}
		yes = false
		for i := range v.Members {
			var m kmsg.ConsumerMemberMetadata
			yes = yes || m.ReadFrom(v.Members[i].Subscription) == nil && slices.Contains(m.Topics, topic)
		}
	})
	return yes
}

// marker ends a producer's transaction. What was committed outside of it since stays.
func (t *twin) marker(producer int64, commit bool) {
	t.marked[fmt.Sprint(producer, " ", commit)] = true
	if commit {
		for id, p := range t.pending[producer] {
			if was, ok := t.offsets[id]; !ok || t.at[id] < p.at || was < 0 {
				t.put(id, p)
			}
		}
	}
	delete(t.pending, producer)
}

func (t *twin) put(id string, p pended) {
	t.offsets[id], t.at[id] = p.offset, p.at
	t.ever[fmt.Sprint(id, " ", p.offset)] = true
}

// unstable says whether an open transaction would commit an offset.
func (t *twin) unstable(id string) bool {
	for _, ps := range t.pending {
		if _, ok := ps[id]; ok {
			return true
		}
	}
	return false
}

func (t *twin) record(producer, at int64, key, value []byte) {
	switch {
	case key[1] == keyGroup:
		t.group(at, key, value)
		return
	case key[1] != keyOffset:
		return // of a consumer group
	}
	var k kmsg.OffsetCommitKey
	must(k.ReadFrom(key))
	id := fmt.Sprint(k.Group, " ", k.Topic, " ", k.Partition)
	t.last[k.Group] = at
	if value == nil {
		delete(t.offsets, id)
		t.deleted[id] = true
		for _, ps := range t.pending {
			delete(ps, id)
		}
		return
	}
	var v kmsg.OffsetCommitValue
	must(v.ReadFrom(value))
	if producer < 0 {
		t.put(id, pended{v.Offset, at})
		return
	}
	if t.pending[producer] == nil {
		t.pending[producer] = map[string]pended{}
	}
	t.pending[producer][id] = pended{v.Offset, at}
	t.staged[fmt.Sprint(producer, " ", id, " ", v.Offset)] = true
}

func (t *twin) group(at int64, key, value []byte) {
	var k kmsg.GroupMetadataKey
	must(k.ReadFrom(key))
	t.last[k.Group] = at
	if value == nil {
		delete(t.generations, k.Group)
		t.deleted[k.Group] = true
		return
	}
	var v kmsg.GroupMetadataValue
	must(v.ReadFrom(value))
	if v.Generation < t.generations[k.Group] {
		t.regressed = fmt.Sprintf("group %s went back from generation %d to %d at @%d", k.Group, t.generations[k.Group], v.Generation, at)
	}
	t.generations[k.Group] = v.Generation
	t.values = append(t.values, stored{k.Group, &v})
}

// checkCovered notes an answer that tells of a record which is not below the high watermark. Answers that are checked while other
// records of the same group came meanwhile are not held to those: only what they say counts.
func (w *world) checkCovered(req kmsg.Request, resp kmsg.Response) {
	bad := func(format string, a ...any) {
		w.early = append(w.early, fmt.Sprintf(format, a...)+fmt.Sprintf(" while the high watermark is %d", w.log.hw))
	}
	switch r := resp.(type) {
	case *kmsg.OffsetCommitResponse:
		q := req.(*kmsg.OffsetCommitRequest)
		for i, topic := range r.Topics {
			for j, p := range topic.Partitions {
				if p.ErrorCode == 0 && !w.committedBelow(q.Group, topic.Topic, p.Partition, q.Topics[i].Partitions[j].Offset) {
					bad("commit of %s %s-%d=%d was acknowledged", q.Group, topic.Topic, p.Partition, q.Topics[i].Partitions[j].Offset)
				}
			}
		}
	case *kmsg.OffsetFetchResponse:
		for _, g := range r.Groups {
			for _, topic := range g.Topics {
				for _, p := range topic.Partitions {
					if p.ErrorCode == 0 && p.Offset >= 0 && !w.committedBelow(g.Group, topic.Topic, p.Partition, p.Offset) {
						bad("%s %s-%d=%d was read", g.Group, topic.Topic, p.Partition, p.Offset)
					}
				}
			}
		}
	case *kmsg.TxnOffsetCommitResponse:
		q := req.(*kmsg.TxnOffsetCommitRequest)
		for i, topic := range r.Topics {
			for j, p := range topic.Partitions {
				o := q.Topics[i].Partitions[j].Offset
				if p.ErrorCode == 0 && !w.below().staged[fmt.Sprint(q.ProducerID, " ", q.Group, " ", topic.Topic, " ", p.Partition, " ", o)] {
					bad("producer %d: %s %s-%d=%d was acknowledged", q.ProducerID, q.Group, topic.Topic, p.Partition, o)
				}
			}
		}
	case *kmsg.EndTxnResponse:
		q := req.(*kmsg.EndTxnRequest)
		if r.ErrorCode == 0 && !w.below().marked[fmt.Sprint(q.ProducerID, " ", q.Commit)] {
			bad("the end of the transaction of producer %d was told", q.ProducerID)
		}
	case *kmsg.SyncGroupResponse:
		q := req.(*kmsg.SyncGroupRequest)
		if r.ErrorCode == int16(kerr.None) && !w.assignedBelow(q, r.MemberAssignment) {
			bad("%s got %q in generation %d of %s", w.short(q.MemberID), r.MemberAssignment, q.Generation, q.Group)
		}
	}
}

// assignedBelow says whether some record below the high watermark assigns this.
func (w *world) assignedBelow(q *kmsg.SyncGroupRequest, assignment []byte) bool {
	found := false
	for _, b := range w.log.batches {
		if b.BaseOffset() >= w.log.hw {
			break
		}
		fold([]records.View{b}).each(func(group string, v *kmsg.GroupMetadataValue) {
			for i := range v.Members {
				found = found || group == q.Group && v.Generation == q.Generation && v.Members[i].MemberID == q.MemberID && bytes.Equal(v.Members[i].Assignment, assignment)
			}
		})
	}
	return found
}

// committedBelow says whether some record, or marker, below the high watermark commits this offset.
func (w *world) committedBelow(group, topic string, partition int32, offset int64) bool {
	return w.below().ever[fmt.Sprint(group, " ", topic, " ", partition, " ", offset)]
}

// below is the fold of what stands below the high watermark.
func (w *world) below() *twin {
	n := 0
	for n < len(w.log.batches) && w.log.batches[n].BaseOffset() < w.log.hw {
		n++
	}
	return fold(w.log.batches[:n])
}
