package wire

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// hot is one API with a codec of our own, as the tests see it: kmsg and the walk by schema judge the decoder.
type hot struct {
	key      int16
	min, max int16
	decode   func(version int16, body []byte) (any, bool) // our struct, without slices that may differ in nil only
	expected func(req kmsg.Request) any                   // the same from kmsg's
}

var hots = []hot{
	{keyProduce, ProduceMin, ProduceMax, func(v int16, b []byte) (any, bool) {
		q := new(ProduceRequest)
		ok := q.Decode(v, b)
		return q, ok
	}, expectedProduce},
	{keyFetch, FetchMin, FetchMax, func(v int16, b []byte) (any, bool) {
		q := new(FetchRequest)
		ok := q.Decode(v, b)
		return q, ok
	}, expectedFetch},
	{keyMetadata, MetadataMin, MetadataMax, func(v int16, b []byte) (any, bool) {
		q := new(MetadataRequest)
		ok := q.Decode(v, b)
		return q, ok
	}, expectedMetadata},
	{keyApiVersions, ApiVersionsMin, ApiVersionsMax, func(v int16, b []byte) (any, bool) {
		q := new(ApiVersionsRequest)
		ok := q.Decode(v, b)
		return q, ok
	}, expectedApiVersions},
}

// orNil gives a nullable string's bytes.
func orNil(s *string) ([]byte, bool) {
	if s == nil {
		return nil, false
	}
	return []byte(*s), true
}

func expectedProduce(req kmsg.Request) any {
	k := req.(*kmsg.ProduceRequest)
	q := &ProduceRequest{Acks: k.Acks, TimeoutMS: k.TimeoutMillis}
	q.TransactionalID, q.HasTxnID = orNil(k.TransactionID)
	for _, t := range k.Topics {
		for i, p := range t.Partitions {
			q.Parts = append(q.Parts, ProducePart{Topic: []byte(t.Topic), TopicID: t.TopicID, NewTopic: i == 0, TopicParts: int32(len(t.Partitions)), Partition: p.Partition, Records: p.Records})
		}
	}
	return q
}

func expectedFetch(req kmsg.Request) any {
	k := req.(*kmsg.FetchRequest)
	q := &FetchRequest{ReplicaID: k.ReplicaID, ReplicaEpoch: -1, MaxWaitMS: k.MaxWaitMillis, MinBytes: k.MinBytes, MaxBytes: k.MaxBytes, Isolation: k.IsolationLevel,
		SessionID: k.SessionID, SessionEpoch: k.SessionEpoch, Rack: []byte(k.Rack)}
	q.ClusterID, _ = orNil(k.ClusterID)
	if k.Version >= 15 {
		q.ReplicaID, q.ReplicaEpoch = k.ReplicaState.ID, k.ReplicaState.Epoch
	}
	for _, t := range k.Topics {
		for i, p := range t.Partitions {
			f := FetchPart{Topic: []byte(t.Topic), TopicID: t.TopicID, NewTopic: i == 0, TopicParts: int32(len(t.Partitions)), Partition: p.Partition, CurrentLeaderEpoch: p.CurrentLeaderEpoch, FetchOffset: p.FetchOffset,
				LastFetchedEpoch: p.LastFetchedEpoch, LogStartOffset: p.LogStartOffset, MaxBytes: p.PartitionMaxBytes, HighWatermark: FetchHighWatermarkOff}
			if k.Version >= 17 {
				f.DirectoryID = p.ReplicaDirectoryID
			}
			if k.Version >= 18 {
				f.HighWatermark = p.HighWatermark
			}
			q.Parts = append(q.Parts, f)
		}
	}
	for _, t := range k.ForgottenTopics {
		for i, p := range t.Partitions {
			q.Forgotten = append(q.Forgotten, FetchPart{Topic: []byte(t.Topic), TopicID: t.TopicID, NewTopic: i == 0, TopicParts: int32(len(t.Partitions)), Partition: p,
				CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1, HighWatermark: FetchHighWatermarkOff})
		}
	}
	return q
}

func expectedMetadata(req kmsg.Request) any {
	k := req.(*kmsg.MetadataRequest)
	q := &MetadataRequest{AllTopics: k.Topics == nil || k.Version == 0 && len(k.Topics) == 0, AllowAutoCreate: k.AllowAutoTopicCreation || k.Version < 4,
		IncludeClusterOps: k.IncludeClusterAuthorizedOperations, IncludeTopicOps: k.IncludeTopicAuthorizedOperations}
	for _, t := range k.Topics {
		m := MetadataTopic{ID: t.TopicID}
		m.Name, m.HasName = orNil(t.Topic)
		q.Topics = append(q.Topics, m)
	}
	return q
}

func expectedApiVersions(req kmsg.Request) any {
	k := req.(*kmsg.ApiVersionsRequest)
	return &ApiVersionsRequest{[]byte(k.ClientSoftwareName), []byte(k.ClientSoftwareVersion)}
}

// withoutEmpty makes each empty slice nil, but for Records, where null and empty differ.
func withoutEmpty(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		withoutEmpty(v.Elem(), "")
	case reflect.Struct:
		for i := range v.NumField() {
			withoutEmpty(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		if v.Len() == 0 && name != "Records" && v.CanSet() {
			v.SetZero()
		}
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				withoutEmpty(v.Index(i), "")
			}
		}
	}
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// judge compares our decoder with the walk by schema (the same bodies are accepted) and with kmsg (the same values come out).
func (h *hot) judge(t failer, version int16, body []byte) {
	t.Helper()
	got, ok := h.decode(version, bytes.Clone(body))
	normal := bytes.Clone(body)
	if want := wellFormed(h.key, version, normal); ok != want {
		if h.key == keyFetch && ok && version < FetchMax {
			return // kmsg's schema has tagged fields in versions where they are unknown, and to be skipped whatever they hold
		}
		t.Fatalf("key %d v%d: decoded %v, the schema says %v: %x", h.key, version, ok, want, body)
	}
	if !ok {
		return
	}
	req := kmsg.RequestForKey(h.key)
	req.SetVersion(version)
	if err := req.ReadFrom(normal); err != nil {
		t.Fatalf("key %d v%d: decoded, but kmsg says %v: %x", h.key, version, err, body)
	}
	want := h.expected(req)
	withoutEmpty(reflect.ValueOf(got), "")
	withoutEmpty(reflect.ValueOf(want), "")
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("key %d v%d:\ngot  %+v\nwant %+v\nof %x", h.key, version, got, want, body)
	}
}

func TestHotRequestsOfEachVersionDecodeToWhatKmsgWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(hots).Draw(t, "api")
		req := kmsg.RequestForKey(h.key)
		req.SetVersion(int16(rapid.IntRange(int(h.min), int(h.max)).Draw(t, "version")))
		fill(t, reflect.ValueOf(req).Elem(), 0)
		body := req.AppendTo(nil)
		if _, ok := h.decode(req.GetVersion(), bytes.Clone(body)); !ok {
			t.Fatalf("key %d v%d: refused %x", h.key, req.GetVersion(), body)
		}
		h.judge(t, req.GetVersion(), body)
		at := rapid.IntRange(0, len(body)).Draw(t, "cut")
		h.judge(t, req.GetVersion(), body[:at])
		if at < len(body) {
			body[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			h.judge(t, req.GetVersion(), body)
		}
	})
}

func (h *hot) fuzz(f *testing.F) {
	for v := h.min; v <= h.max; v++ {
		req := kmsg.RequestForKey(h.key)
		req.SetVersion(v)
		f.Add(v, req.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < h.min || version > h.max {
			return
		}
		h.judge(t, version, body)
	})
}

func FuzzProduce(f *testing.F)     { hots[0].fuzz(f) }
func FuzzFetch(f *testing.F)       { hots[1].fuzz(f) }
func FuzzMetadata(f *testing.F)    { hots[2].fuzz(f) }
func FuzzApiVersions(f *testing.F) { hots[3].fuzz(f) }
