package client

import (
	"encoding/binary"
	"math/bits"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// What clients ask and are told is counted for coverage: APIs and versions, what is in batches, how groups meet, every error code. Nothing
// depends on the counts.

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd", "5", "6", "7"}

// asked counts a request.
func (s *Shared) asked(req kmsg.Request) {
	if s.Seen == nil {
		return
	}
	s.Seen.Add("ask " + kmsg.NameForKey(req.Key()) + " v" + strconv.Itoa(int(req.GetVersion())))
	switch q := req.(type) {
	case *kmsg.ProduceRequest:
		s.Seen.Add("produce acks " + strconv.Itoa(int(q.Acks)))
		for i := range q.Topics {
			for k := range q.Topics[i].Partitions {
				s.askedBatch(q.Topics[i].Partitions[k].Records)
			}
		}
	case *kmsg.FetchRequest:
		s.askedFetch(q)
	case *kmsg.JoinGroupRequest:
		for i := range q.Protocols {
			s.Seen.Add("group classic, assignor " + q.Protocols[i].Name)
		}
		s.askedStatic("classic", q.InstanceID)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		if q.ServerAssignor != nil {
			s.Seen.Add("group consumer, assignor " + *q.ServerAssignor)
		}
		if q.SubscribedTopicRegex != nil {
			s.Seen.Add("group consumer, by pattern")
		}
		if q.MemberEpoch <= 0 {
			s.Seen.Add("group consumer, epoch " + strconv.Itoa(int(q.MemberEpoch)))
		}
		s.askedStatic("consumer", q.InstanceID)
	case *kmsg.EndTxnRequest:
		s.Seen.Add("transaction, commit " + strconv.FormatBool(q.Commit) + ", bumping " + strconv.FormatBool(q.Version > 4))
	case *kmsg.ListOffsetsRequest:
		for i := range q.Topics {
			for k := range q.Topics[i].Partitions {
				s.Seen.Add("list offsets " + timestampKind(q.Topics[i].Partitions[k].Timestamp) + ", isolation " + strconv.Itoa(int(q.IsolationLevel)))
			}
		}
	}
}

func (s *Shared) askedStatic(protocol string, instance *string) {
	if instance != nil {
		s.Seen.Add("group " + protocol + ", static member")
	}
}

// timestampKind is what a timestamp of ListOffsets asks for.
func timestampKind(t int64) string {
	if t >= 0 {
		return "by time"
	}
	return strconv.FormatInt(t, 10)
}

func (s *Shared) askedFetch(q *kmsg.FetchRequest) {
	s.Seen.Add("fetch isolation " + strconv.Itoa(int(q.IsolationLevel)))
	switch {
	case q.SessionEpoch < 0:
		s.Seen.Add("fetch without a session")
	case q.SessionEpoch == 0:
		s.Seen.Add("fetch begins a session")
	default:
		s.Seen.Add("fetch in a session")
	}
	if q.Rack != "" {
		s.Seen.Add("fetch with a rack")
	}
	if len(q.ForgottenTopics) > 0 {
		s.Seen.Add("fetch forgets topics")
	}
}

// askedBatch counts what the head of a batch says, if there is one.
func (s *Shared) askedBatch(b []byte) {
	if len(b) < batchHeader || b[batchMagic] != 2 {
		s.Seen.Add("batch without a head of magic 2")
		return
	}
	attr, be := binary.BigEndian.Uint16(b[batchAttributes:]), binary.BigEndian
	s.Seen.Add("batch codec " + codecNames[attr&attrCodec])
	s.Seen.Add("batch records " + power(int(be.Uint32(b[batchCount:]))))
	s.Seen.Add("batch bytes " + power(len(b)))
	switch {
	case attr&attrTransactional != 0:
		s.Seen.Add("batch of a transaction")
	case int64(be.Uint64(b[batchPID:])) >= 0:
		s.Seen.Add("batch of an idempotent producer")
	default:
		s.Seen.Add("batch of a producer without an id")
	}
	if seq, n := int32(be.Uint32(b[batchSequence:])), int32(be.Uint32(b[batchCount:])); seq >= 0 && seq+n < 0 {
		s.Seen.Add("batch whose sequence wraps")
	}
}

// power gives the greatest power of two that is not above n.
func power(n int) string {
	if n <= 0 {
		return "0"
	}
	return "2^" + strconv.Itoa(bits.Len(uint(n))-1)
}

// told counts the error codes of an answer, and that it has none.
func (s *Shared) told(resp kmsg.Response) {
	if s.Seen == nil {
		return
	}
	api, found := kmsg.NameForKey(resp.Key()), false
	s.codes(reflect.ValueOf(resp).Elem(), func(code int16) {
		if code != 0 {
			found = true
			s.Seen.Add("told " + api + " " + kerr.Code(code).String())
		}
	})
	if !found {
		s.Seen.Add("told " + api + " NONE")
	}
}

// codes calls f with each field that is named as error codes are, at any depth.
func (s *Shared) codes(v reflect.Value, f func(code int16)) {
	for _, w := range s.fieldsOf(v.Type()) {
		x := v.Field(w.index)
		switch w.kind {
		case reflect.Int16:
			f(int16(x.Int()))
		case reflect.Struct:
			s.codes(x, f)
		case reflect.Slice:
			for i := range x.Len() {
				s.codes(x.Index(i), f)
			}
		}
	}
}

// codeField is a field of an answer that is an error code, or in which there may be some.
type codeField struct {
	index int
	kind  reflect.Kind
}

// fieldsOf gives those of a type, and remembers them.
func (s *Shared) fieldsOf(t reflect.Type) []codeField {
	if fs, ok := s.codeFields[t]; ok {
		return fs
	}
	var fs []codeField
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Type.Kind() == reflect.Int16 && strings.HasSuffix(f.Name, "ErrorCode"):
			fs = append(fs, codeField{i, reflect.Int16})
		case f.Type.Kind() == reflect.Struct && f.Name != "UnknownTags" && len(s.fieldsOf(f.Type)) > 0:
			fs = append(fs, codeField{i, reflect.Struct})
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && len(s.fieldsOf(f.Type.Elem())) > 0:
			fs = append(fs, codeField{i, reflect.Slice})
		}
	}
	if s.codeFields == nil {
		s.codeFields = map[reflect.Type][]codeField{}
	}
	s.codeFields[t] = fs
	return fs
}
