package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
)

// draw makes values for a response of ours and for kmsg's alike.
type draw struct{ *rapid.T }

func (d draw) i64() int64 { return rapid.Int64().Draw(d.T, "i64") }
func (d draw) i32() int32 { return rapid.Int32().Draw(d.T, "i32") }
func (d draw) i16() int16 { return rapid.Int16().Draw(d.T, "i16") }
func (d draw) id() int32  { return rapid.Int32Range(0, 1<<20).Draw(d.T, "id") }
func (d draw) yes() bool  { return rapid.Bool().Draw(d.T, "yes") }
func (d draw) n(max int) int {
	return rapid.IntRange(0, max).Draw(d.T, "n")
}

// str gives a short string, and now and then one whose compact length takes two bytes.
func (d draw) str() string {
	return strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 3, 126, 127, 300}).Draw(d.T, "str"))
}
func (d draw) uuid() (id [16]byte) {
	for i := range id {
		id[i] = rapid.Byte().Draw(d.T, "byte")
	}
	return id
}
func (d draw) i32s() []int32 { return rapid.SliceOfN(rapid.Int32(), 0, 3).Draw(d.T, "i32s") }

// opt is how kmsg has a string of which the empty one is null.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// sameFrame compares our frame with header and body as kmsg writes them.
func sameFrame(t failer, got []byte, corr int32, resp kmsg.Response) {
	t.Helper()
	body := AppendInt32(nil, corr)
	if resp.IsFlexible() && resp.Key() != keyApiVersions {
		body = append(body, 0)
	}
	body = resp.AppendTo(body)
	want := append(AppendInt32(nil, int32(len(body))), body...)
	if !bytes.Equal(got, want) {
		t.Fatalf("v%d:\ngot  %x\nwant %x", resp.GetVersion(), got, want)
	}
}

func (d draw) nodes() (ours []NodeEndpoint, theirs []kmsg.FetchResponseBroker) {
	for range d.n(3) {
		n := NodeEndpoint{d.id(), d.str(), d.i32(), d.str()}
		ours = append(ours, n)
		theirs = append(theirs, kmsg.FetchResponseBroker{NodeID: n.ID, Host: n.Host, Port: n.Port, Rack: opt(n.Rack)})
	}
	return ours, theirs
}

func TestProduceResponsesAreTheBytesThatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		version := int16(rapid.IntRange(ProduceMin, ProduceMax).Draw(t, "version"))
		ours, theirs := ProduceResponse{ThrottleMS: d.i32()}, kmsg.NewProduceResponse()
		theirs.SetVersion(version)
		theirs.ThrottleMillis = ours.ThrottleMS
		for range d.n(3) {
			kt := kmsg.NewProduceResponseTopic()
			kt.Topic, kt.TopicID = d.str(), d.uuid()
			for i := range 1 + d.n(2) {
				p := d.produceResult(version)
				p.Topic, p.TopicID, p.NewTopic = []byte(kt.Topic), kt.TopicID, i == 0
				ours.Parts = append(ours.Parts, p)
				kt.Partitions = append(kt.Partitions, kmsgProduceResult(p))
			}
			theirs.Topics = append(theirs.Topics, kt)
		}
		if version >= 10 {
			var nodes []kmsg.FetchResponseBroker
			ours.Nodes, nodes = d.nodes()
			for _, n := range nodes {
				theirs.Brokers = append(theirs.Brokers, kmsg.ProduceResponseBroker(n))
			}
		}
		corr := d.i32()
		sameFrame(t, AppendProduceResponse([]byte("before"), version, corr, &ours)[6:], corr, &theirs)
	})
}

func (d draw) produceResult(version int16) ProduceResult {
	p := ProduceResult{Partition: d.i32(), Code: kerr.Code(d.i16()), BaseOffset: d.i64(), LogAppendTime: d.i64(), LogStartOffset: d.i64(), Message: d.str()}
	for range d.n(2) {
		p.ErrorRecords = append(p.ErrorRecords, RecordError{d.i32(), d.str()})
	}
	if version >= 10 && d.yes() {
		p.CurrentLeader = CurrentLeader{true, d.id(), d.id()}
	}
	return p
}

func kmsgProduceResult(p ProduceResult) kmsg.ProduceResponseTopicPartition {
	k := kmsg.NewProduceResponseTopicPartition()
	k.Partition, k.ErrorCode, k.BaseOffset, k.LogAppendTime, k.LogStartOffset, k.ErrorMessage = p.Partition, int16(p.Code), p.BaseOffset, p.LogAppendTime, p.LogStartOffset, opt(p.Message)
	for _, e := range p.ErrorRecords {
		k.ErrorRecords = append(k.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: e.Index, ErrorMessage: opt(e.Message)})
	}
	if p.CurrentLeader.Known {
		k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = p.CurrentLeader.ID, p.CurrentLeader.Epoch
	}
	return k
}

// fetchTopicResult is a topic of a response with its record bytes at hand.
type fetchTopicResult struct {
	name    string
	id      [16]byte
	parts   []FetchPartResult
	records [][]byte
}

// fetchFrame writes a response as a broker does, with the records in the place of the extents.
func fetchFrame(dst []byte, version int16, corr int32, head FetchHead, topics []fetchTopicResult, nodes []NodeEndpoint) []byte {
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, keyFetch, version, corr)
	dst = AppendFetchHead(dst, version, head, len(topics))
	for i := range topics {
		t := &topics[i]
		dst = AppendFetchTopic(dst, version, t.name, t.id, len(t.parts))
		for j := range t.parts {
			dst = AppendFetchPartition(dst, version, &t.parts[j])
			dst = append(dst, t.records[j]...)
			dst = AppendFetchPartitionEnd(dst, version, &t.parts[j])
		}
		dst = AppendFetchTopicEnd(dst, version)
	}
	return FinishFrame(AppendFetchEnd(dst, version, nodes), start, 0)
}

func TestFetchResponsesAreTheBytesThatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		version := int16(rapid.IntRange(FetchMin, FetchMax).Draw(t, "version"))
		theirs := kmsg.NewFetchResponse()
		theirs.SetVersion(version)
		head := FetchHead{d.i32(), kerr.Code(d.i16()), d.i32()}
		theirs.ThrottleMillis, theirs.ErrorCode, theirs.SessionID = head.ThrottleMS, int16(head.Code), head.SessionID
		var topics []fetchTopicResult
		for range d.n(3) {
			ft, kt := fetchTopicResult{name: d.str(), id: d.uuid()}, kmsg.NewFetchResponseTopic()
			kt.Topic, kt.TopicID = ft.name, ft.id
			for range d.n(3) {
				p, records := d.fetchResult(version)
				ft.parts, ft.records = append(ft.parts, p), append(ft.records, records)
				kt.Partitions = append(kt.Partitions, kmsgFetchResult(p, records))
			}
			topics, theirs.Topics = append(topics, ft), append(theirs.Topics, kt)
		}
		nodes, brokers := d.nodes()
		if version >= 16 {
			theirs.Brokers = brokers
		}
		corr := d.i32()
		sameFrame(t, fetchFrame([]byte("before"), version, corr, head, topics, nodes)[6:], corr, &theirs)
	})
}

func (d draw) fetchResult(version int16) (FetchPartResult, []byte) {
	records := []byte(d.str())
	p := FetchPartResult{Partition: d.i32(), Code: kerr.Code(d.i16()), HighWatermark: d.i64(), LastStableOffset: d.i64(), LogStartOffset: d.i64(), PreferredReadReplica: d.i32(), RecordsLen: int32(len(records))}
	if d.yes() {
		p.Aborted = []AbortedTxn{}
		for range d.n(2) {
			p.Aborted = append(p.Aborted, AbortedTxn{d.i64(), d.i64()})
		}
	}
	if version >= 12 && d.yes() {
		p.Diverging, p.DivergingEpoch, p.DivergingEndOffset = true, d.id(), d.i64()
	}
	if version >= 12 && d.yes() {
		p.CurrentLeader = CurrentLeader{true, d.id(), d.id()}
	}
	if version >= 12 && d.yes() {
		p.Sparse = max(0, d.i64())
	}
	return p, records
}

func kmsgFetchResult(p FetchPartResult, records []byte) kmsg.FetchResponseTopicPartition {
	k := kmsg.NewFetchResponseTopicPartition()
	k.Partition, k.ErrorCode, k.HighWatermark, k.LastStableOffset, k.LogStartOffset, k.PreferredReadReplica = p.Partition, int16(p.Code), p.HighWatermark, p.LastStableOffset, p.LogStartOffset, p.PreferredReadReplica
	k.RecordBatches = records
	if p.Aborted != nil {
		k.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
	for _, a := range p.Aborted {
		k.AbortedTransactions = append(k.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if p.Diverging {
		k.DivergingEpoch.Epoch, k.DivergingEpoch.EndOffset = p.DivergingEpoch, p.DivergingEndOffset
	}
	if p.CurrentLeader.Known {
		k.CurrentLeader.LeaderID, k.CurrentLeader.LeaderEpoch = p.CurrentLeader.ID, p.CurrentLeader.Epoch
	}
	if p.Sparse > 0 {
		k.UnknownTags.Set(tagPrivate, binary.BigEndian.AppendUint64(nil, uint64(p.Sparse)))
	}
	return k
}

func TestMetadataResponsesAreTheBytesThatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		version := int16(rapid.IntRange(MetadataMin, MetadataMax).Draw(t, "version"))
		ours := MetadataResponse{ThrottleMS: d.i32(), ClusterID: d.str(), ControllerID: d.i32(), ClusterOperations: d.i32(), Code: kerr.Code(d.i16())}
		theirs := kmsg.NewMetadataResponse()
		theirs.SetVersion(version)
		theirs.ThrottleMillis, theirs.ClusterID, theirs.ControllerID, theirs.AuthorizedOperations, theirs.ErrorCode = ours.ThrottleMS, opt(ours.ClusterID), ours.ControllerID, ours.ClusterOperations, int16(ours.Code)
		nodes, brokers := d.nodes()
		ours.Brokers = nodes
		for _, b := range brokers {
			theirs.Brokers = append(theirs.Brokers, kmsg.MetadataResponseBroker(b))
		}
		for range d.n(2) {
			mt := MetadataTopicResult{Code: kerr.Code(d.i16()), Name: d.str(), ID: d.uuid(), Internal: d.yes(), Operations: d.i32()}
			kt := kmsg.NewMetadataResponseTopic()
			kt.ErrorCode, kt.Topic, kt.TopicID, kt.IsInternal, kt.AuthorizedOperations = int16(mt.Code), &mt.Name, mt.ID, mt.Internal, mt.Operations
			if d.yes() {
				mt.NoName, mt.Name, kt.Topic = true, "", nil
			}
			for range d.n(2) {
				p := MetadataPartition{kerr.Code(d.i16()), d.i32(), d.i32(), d.i32(), d.i32s(), d.i32s(), d.i32s()}
				mt.Partitions = append(mt.Partitions, p)
				kt.Partitions = append(kt.Partitions, kmsg.MetadataResponseTopicPartition{ErrorCode: int16(p.Code), Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR, OfflineReplicas: p.Offline})
			}
			ours.Topics, theirs.Topics = append(ours.Topics, mt), append(theirs.Topics, kt)
		}
		corr := d.i32()
		sameFrame(t, AppendMetadataResponse([]byte("before"), version, corr, &ours)[6:], corr, &theirs)
	})
}

func TestApiVersionsResponsesAreTheBytesThatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		version := int16(rapid.IntRange(ApiVersionsMin, ApiVersionsMax).Draw(t, "version"))
		ours := ApiVersionsResponse{Code: kerr.Code(d.i16()), ThrottleMS: d.i32(), FinalizedEpoch: rapid.Int64Range(-1, 5).Draw(t, "epoch")}
		theirs := kmsg.NewApiVersionsResponse()
		theirs.SetVersion(version)
		theirs.ErrorCode, theirs.ThrottleMillis, theirs.FinalizedFeaturesEpoch = int16(ours.Code), ours.ThrottleMS, ours.FinalizedEpoch
		for range d.n(3) {
			k := ApiKey{d.i16(), d.i16(), d.i16()}
			ours.Keys = append(ours.Keys, k)
			theirs.ApiKeys = append(theirs.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: k.Key, MinVersion: k.Min, MaxVersion: k.Max})
		}
		for range d.n(3) {
			f := Feature{d.str(), int16(d.n(1)), d.i16()}
			ours.Supported = append(ours.Supported, f)
			if version >= 4 || f.Min != 0 {
				theirs.SupportedFeatures = append(theirs.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{Name: f.Name, MinVersion: f.Min, MaxVersion: f.Max})
			}
		}
		for range d.n(2) {
			f := Feature{d.str(), d.i16(), d.i16()}
			ours.Finalized = append(ours.Finalized, f)
			theirs.FinalizedFeatures = append(theirs.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{Name: f.Name, MinVersionLevel: f.Min, MaxVersionLevel: f.Max})
		}
		corr := d.i32()
		sameFrame(t, AppendApiVersionsResponse([]byte("before"), version, corr, &ours)[6:], corr, &theirs)
	})
}

func TestColdResponsesAreFramed(t *testing.T) {
	resp := kmsg.NewPtrHeartbeatResponse()
	for version, want := range map[int16]string{
		0: "00000006 00000007 001b",
		1: "0000000a 00000007 00000000 001b",
		4: "0000000c 00000007 00 00000000 001b 00",
	} {
		resp.SetVersion(version)
		resp.ErrorCode = int16(kerr.RebalanceInProgress)
		if got := hex.EncodeToString(AppendColdResponse(nil, 7, resp)); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("v%d: got %s, want %s", version, got, want)
		}
	}
}
