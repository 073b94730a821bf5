package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchFrame writes a response as a broker does, with the records in place of the extents.
func fetchFrame(dst []byte, version int16, corr int32, head FetchHead, topics []fetchTopicResult, nodes []NodeEndpoint) []byte {
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, keyFetch, version, corr)
	dst = AppendFetchHead(dst, version, head, len(topics))
	for i := range topics {
		t := &topics[i]
		dst = AppendFetchTopic(dst, version, t.name, t.id, len(t.parts))
		for j := range t.parts {
			t.parts[j].RecordsLen = int32(len(t.records[j]))
			dst = AppendFetchPartition(dst, version, &t.parts[j])
			dst = append(dst, t.records[j]...)
			dst = AppendFetchPartitionEnd(dst, version, &t.parts[j])
		}
		dst = AppendFetchTopicEnd(dst, version)
	}
	return FinishFrame(AppendFetchEnd(dst, version, nodes), start, 0)
}

type fetchTopicResult struct {
	name    string
	id      [16]byte
	parts   []FetchPartResult
	records [][]byte
}

func TestAFetchResponseOfEachVersionIsReadByKmsg(t *testing.T) {
	for v := int16(FetchMin); v <= FetchMax; v++ {
		frame := fetchFrame(nil, v, 7, FetchHead{SessionID: 3}, []fetchTopicResult{{
			name: "t", id: [16]byte{1}, records: [][]byte{[]byte("abc"), nil},
			parts: []FetchPartResult{{Partition: 1, HighWatermark: 9, Aborted: []AbortedTxn{{1, 2}}}, {Partition: 2, Diverging: true, DivergingEpoch: 4, DivergingEndOffset: 5, CurrentLeader: CurrentLeader{true, 1, 2}}},
		}}, []NodeEndpoint{{1, "h", 9092, ""}})
		_, body, ok := ParseResponseHeader(frame[4:], keyFetch, v)
		if !ok {
			t.Fatalf("v%d: header", v)
		}
		resp := kmsg.NewFetchResponse()
		resp.SetVersion(v)
		if err := resp.ReadFrom(body); err != nil {
			t.Fatalf("v%d: %v", v, err)
		}
		if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
			t.Fatalf("v%d: got %x, kmsg writes %x", v, body, again)
		}
	}
}
