package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

func TestEveryAnswerThatKmsgWritesIsWellFormedAndReadBack(t *testing.T) {
	for key := int16(0); key <= maxKey; key++ {
		if !Known(key) {
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			resp := kmsg.ResponseForKey(key)
			version := int16(rapid.IntRange(0, int(resp.MaxVersion())).Draw(t, "version"))
			resp.SetVersion(version)
			fill(t, reflect.ValueOf(resp).Elem(), 0)
			body := resp.AppendTo(nil)
			want := kmsg.ResponseForKey(key)
			want.SetVersion(version)
			if err := want.ReadFrom(bytes.Clone(body)); err != nil {
				t.Fatal(err)
			}
			got, ok := ColdAnswer(key, version, bytes.Clone(body))
			if !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("%T v%d: %v\ngot  %+v\nwant %+v\n%x", resp, version, ok, got, want, body)
			}
			if n := rapid.IntRange(0, len(body)).Draw(t, "prefix"); n < len(body) {
				if _, ok := ColdAnswer(key, version, bytes.Clone(body[:n])); ok {
					t.Fatalf("%T v%d: %d of %d bytes pass: %x", resp, version, n, len(body), body)
				}
			}
		})
	}
}

// kmsg alone counts to a number of tagged fields that is announced, up to 2^32 of them, and makes room for elements that are not there.
func TestAnAnswerThatAnnouncesMuchCostsNextToNothing(t *testing.T) {
	for key := int16(0); key <= maxKey; key++ {
		if !Known(key) {
			continue
		}
		version := kmsg.ResponseForKey(key).MaxVersion()
		n := 0
		sum := allocated(func() {
			for _, announced := range []string{"\x7f\xff\xff\xff", "\xff\xff\xff\xff\x07", "\xff\xff\xff\xff\x0f", "\x80\x80\x80\x80\x08"} {
				for at := 0; at < 40; at++ { // whichever field it hits
					body := make([]byte, 100)
					copy(body[at:], announced)
					ColdAnswer(key, version, body)
					n++
				}
			}
		})
		if sum > uint64(n)*8<<10 {
			t.Errorf("key %d v%d: %d bytes allocated for an answer", key, version, sum/uint64(n))
		}
	}
}

func TestAnAnswerMayTellOfMorePartitionsThanARequestMayName(t *testing.T) {
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	topic := kmsg.NewListPartitionReassignmentsResponseTopic()
	topic.Partitions = make([]kmsg.ListPartitionReassignmentsResponseTopicPartition, maxAnswered-1)
	resp.Topics = append(resp.Topics, topic)
	if _, ok := ColdAnswer(46, 0, resp.AppendTo(nil)); !ok {
		t.Error("as many elements as the limit are refused")
	}
	resp.Topics[0].Partitions = append(resp.Topics[0].Partitions, resp.Topics[0].Partitions[0])
	if _, ok := ColdAnswer(46, 0, resp.AppendTo(nil)); ok {
		t.Error("more elements than the limit are taken")
	}
}

func TestAnswersOfUnknownKeysAndVersionsAreRefused(t *testing.T) {
	for _, c := range [][2]int16{{-1, 0}, {95, 0}, {3, -1}, {3, 99}} {
		if _, ok := ColdAnswer(c[0], c[1], make([]byte, 64)); ok {
			t.Errorf("key %d v%d is taken", c[0], c[1])
		}
	}
}

func FuzzColdAnswer(f *testing.F) {
	f.Add(int16(58), int16(0), []byte("\x01\x00\x00\xff\xff\xff\xff\x0f"))
	f.Add(int16(19), int16(7), []byte{0, 0, 0, 0, 0, 0})
	f.Add(int16(27), int16(1), []byte{2, 0, 0, 0, 0, 0, 0, 0, 9, 2, 2, 't', 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		var resp kmsg.Response
		var ok bool
		if n := allocated(func() { resp, ok = ColdAnswer(key, version, body) }); n > 64<<10+uint64(len(body))*1024 {
			t.Fatalf("%d bytes allocated for %d", n, len(body))
		}
		if !ok {
			return
		}
		again, ok := ColdAnswer(key, version, resp.AppendTo(nil))
		if !ok || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", resp) && !bytes.Equal(again.AppendTo(nil), resp.AppendTo(nil)) {
			t.Fatalf("key %d v%d: %+v, and again %+v", key, version, resp, again)
		}
	})
}
