package group

import (
	"bytes"
	"fmt"

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
}

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
	t := &twin{map[string]int64{}, map[string]int64{}, map[string]int32{}, map[string]int64{}, nil, ""}
	for _, b := range batches {
		r := records.NewReader(b, nil)
		for {
			rec, ok, err := r.Next()
			must(err)
			if !ok {
				break
			}
			t.record(b.BaseOffset()+int64(rec.OffsetDelta), rec.Key, rec.Value)
		}
	}
	return t
}

func (t *twin) record(at int64, key, value []byte) {
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
		return
	}
	var v kmsg.OffsetCommitValue
	must(v.ReadFrom(value))
	t.offsets[id], t.at[id] = v.Offset, at
}

func (t *twin) group(at int64, key, value []byte) {
	var k kmsg.GroupMetadataKey
	must(k.ReadFrom(key))
	t.last[k.Group] = at
	if value == nil {
		delete(t.generations, k.Group)
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

// committedBelow says whether some record below the high watermark commits this offset.
func (w *world) committedBelow(group, topic string, partition int32, offset int64) bool {
	for _, b := range w.log.batches {
		if b.BaseOffset() >= w.log.hw {
			return false
		}
		t := fold([]records.View{b})
		if o, ok := t.offsets[fmt.Sprint(group, " ", topic, " ", partition)]; ok && o == offset {
			return true
		}
	}
	return false
}
