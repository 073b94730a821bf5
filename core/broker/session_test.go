package broker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
)

// sessionTwin is KIP-227 said dumbly: what the client asked last of each partition, and what it was told last.
type sessionTwin struct {
	id, epoch int32
	used      clock.Time
	parts     map[int32]*partTwin
}

type partTwin struct{ offset, hw, start int64 }

const slots = 2

// TestFetchSessionsAnswerWhatADumbTwinAnswers has partitions 0-3 of a topic, and 4, which is unknown.
func TestFetchSessionsAnswerWhatADumbTwinAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byID := rapid.Bool().Draw(t, "byID")
		n := bootNode(drawn{t: t}, newMemDisk(), rapid.IntRange(1, 2).Draw(t, "shards"), fmt.Sprintf("max.incremental.fetch.session.cache.slots=%d", slots), "connections.max.idle.ms=86400000")
		c := n.connect(0)
		n.mustCreate(c, "t", 4)
		id := n.shards[0].s.state.Image.TopicByName("t").ID
		var twins []*sessionTwin
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			part := int32(rapid.IntRange(0, 3).Draw(t, "part"))
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				c.ask(produceTo("t", part, -1, batchOf(rapid.IntRange(1, 3).Draw(t, "n"), 10)))
			case 1:
				q := kmsg.NewPtrDeleteRecordsRequest()
				q.Version = 2
				q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: part, Offset: -1}}}}
				c.ask(q)
			case 2:
				n.wait(clock.Duration(rapid.SampledFrom([]int{1, 60, 130}).Draw(t, "seconds")) * clock.Second)
			case 3:
				q := sessionFetch(byID, id)
				x := &sessionTwin{epoch: 1, parts: map[int32]*partTwin{}}
				drawParts(t, q, x)
				if len(x.parts) == 0 {
					continue
				}
				old := (*sessionTwin)(nil)
				if len(twins) > 0 && rapid.Bool().Draw(t, "in place of") {
					old = twins[0]
					q.SessionID, twins = old.id, twins[1:]
				}
				r := c.ask(q).(*kmsg.FetchResponse)
				n.judge(t, r, x, true)
				if len(twins) == slots && n.now.Mono.Sub(twins[0].used) >= 2*clock.Minute {
					twins = twins[1:]
				}
				if room := len(twins) < slots; room != (r.SessionID != 0) {
					t.Fatalf("%d sessions, and a new one has id %d", len(twins), r.SessionID)
				} else if room {
					x.id, x.used = r.SessionID, n.now.Mono
					twins = append(twins, x)
				}
			case 4, 5:
				if len(twins) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(twins)-1).Draw(t, "session")
				x := twins[i]
				q := sessionFetch(byID, id)
				q.SessionID, q.SessionEpoch = x.id, x.epoch
				want := kerr.None
				switch rapid.IntRange(0, 9).Draw(t, "wrong") {
				case 0:
					q.SessionEpoch, want = x.epoch+1, kerr.InvalidFetchSessionEpoch
				case 1:
					q.SessionID, want = x.id^0x100, kerr.FetchSessionIDNotFound
				case 2:
					q.Version, want = 25-q.Version, kerr.FetchSessionTopicIDError
				}
				if want != kerr.None {
					if r := c.ask(q).(*kmsg.FetchResponse); r.ErrorCode != int16(want) || len(r.Topics) != 0 || r.SessionID != 0 {
						t.Fatalf("want %s, got %+v", want, r)
					}
					continue
				}
				if rapid.Bool().Draw(t, "forget") {
					f := kmsg.NewFetchRequestForgottenTopic()
					f.Topic, f.TopicID, f.Partitions = "t", id, []int32{part}
					q.ForgottenTopics = append(q.ForgottenTopics, f)
					delete(x.parts, part)
				}
				drawParts(t, q, x)
				r := c.ask(q).(*kmsg.FetchResponse)
				n.judge(t, r, x, false)
				twins = append(twins[:i:i], twins[i+1:]...)
				if len(x.parts) == 0 {
					if r.SessionID != 0 {
						t.Fatal("an empty session lives on")
					}
					continue
				}
				if r.SessionID != x.id {
					t.Fatalf("session %d became %d", x.id, r.SessionID)
				}
				x.epoch++
				x.used = n.now.Mono
				twins = append(twins, x)
			}
		}
	})
}

func sessionFetch(byID bool, id [16]byte) *kmsg.FetchRequest {
	q := fetchFrom("t", 0, 0, 0, 0)
	if byID {
		q.Version = 13
	}
	q.SessionEpoch = 0
	q.Topics[0].TopicID, q.Topics[0].Partitions = id, nil
	return q
}

func drawParts(t *rapid.T, q *kmsg.FetchRequest, x *sessionTwin) {
	for p := range int32(5) {
		if !rapid.Bool().Draw(t, "named") {
			continue
		}
		y := kmsg.NewFetchRequestTopicPartition()
		y.Partition, y.FetchOffset, y.PartitionMaxBytes = p, int64(rapid.IntRange(0, 6).Draw(t, "offset")), 1<<20
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, y)
		if x.parts[p] == nil {
			x.parts[p] = &partTwin{hw: -1, start: -1}
		}
		x.parts[p].offset = y.FetchOffset
	}
	if len(q.Topics[0].Partitions) == 0 {
		q.Topics = nil
	}
}

// partsOf gives an answer's partitions by number: each is there once.
func partsOf(t *rapid.T, r *kmsg.FetchResponse) map[int32]*kmsg.FetchResponseTopicPartition {
	t.Helper()
	got := map[int32]*kmsg.FetchResponseTopicPartition{}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			p := &r.Topics[i].Partitions[j]
			if got[p.Partition] != nil {
				t.Fatalf("partition %d is there twice", p.Partition)
			}
			got[p.Partition] = p
		}
	}
	return got
}

// judge compares an answer with what the twin says, and tells the twin.
func (n *node) judge(t *rapid.T, r *kmsg.FetchResponse, x *sessionTwin, full bool) {
	if r.ErrorCode != 0 {
		t.Fatalf("code %s", kerr.Code(r.ErrorCode))
	}
	got := partsOf(t, r)
	for p := range int32(5) {
		w, g := x.parts[p], got[p]
		if w == nil {
			if g != nil {
				t.Fatalf("partition %d was not asked for", p)
			}
			continue
		}
		code, data, hw, start := kerr.UnknownTopicOrPartition, false, int64(-1), int64(-1)
		if p < 4 {
			l := n.shards[n.ownerOf("t", p)].s.state.Partition(n.shards[0].s.state.Image.TopicByName("t").ID, p)
			code, hw, start = kerr.None, l.HighWatermark(), l.Log.Start()
			data = w.offset < hw
			if w.offset < start || w.offset > hw {
				code, data = kerr.OffsetOutOfRange, false
			}
		}
		named := full || code != kerr.None || data || hw != w.hw || start != w.start
		if named != (g != nil) {
			t.Fatalf("partition %d: want it named %v, got %v (%s, told %+v, is %d, %d)", p, named, g != nil, code, *w, hw, start)
		}
		if g != nil && (g.ErrorCode != int16(code) || (len(g.RecordBatches) > 0) != data) {
			t.Fatalf("partition %d: want %s and records %v, got %+v", p, code, data, g)
		}
		w.hw, w.start = hw, start
		if code != kerr.None {
			w.hw = -1
		}
	}
}
