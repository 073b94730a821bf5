package main_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw is a connection that sends what no client would.
type raw struct {
	t    testing.TB
	conn net.Conn
	corr int32
}

func (n *node) raw() *raw {
	n.t.Helper()
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return &raw{t: n.t, conn: c}
}

// write sends bytes as they are.
func (r *raw) write(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// header is a request header of version 1, or 2 where flexible.
func header(key, version int16, corr int32, flexible bool) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(corr))
	b = append(b, 0, 3, 'e', '2', 'e')
	if flexible {
		b = append(b, 0)
	}
	return b
}

// frame puts the length in front.
func frame(parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// bytesOf is a request as it goes over the wire.
func (r *raw) bytesOf(req kmsg.Request) []byte {
	r.corr++
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("e2e")).AppendRequest(nil, req, r.corr)
}

// send sends a request and gives its correlation id.
func (r *raw) send(req kmsg.Request) int32 {
	r.t.Helper()
	r.write(r.bytesOf(req))
	return r.corr
}

// next reads one response frame: its correlation id and what follows.
func (r *raw) next() (int32, []byte, error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(patience * 20 * time.Second))
	var head [8]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		return 0, nil, err
	}
	b := make([]byte, int32(binary.BigEndian.Uint32(head[:]))-4)
	_, err := io.ReadFull(r.conn, b)
	return int32(binary.BigEndian.Uint32(head[4:])), b, err
}

// ask sends a request and decodes its answer.
func (r *raw) ask(req kmsg.Request) kmsg.Response {
	r.t.Helper()
	return r.answer(req, r.send(req))
}

// answer reads the next response as one to req.
func (r *raw) answer(req kmsg.Request, corr int32) kmsg.Response {
	r.t.Helper()
	got, b, err := r.next()
	if err != nil {
		r.t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
	}
	if got != corr {
		r.t.Fatalf("%s: correlation id %d, want %d", kmsg.NameForKey(req.Key()), got, corr)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() && req.Key() != 18 {
		b = b[1:] // no tags in the header
	}
	if err := resp.ReadFrom(b); err != nil {
		r.t.Fatalf("%s: the answer does not decode: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp
}

// closed reads until the broker closes; bytes before that are an error.
func (r *raw) closed(what string) {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(patience * 20 * time.Second))
	var b [64]byte
	n, err := r.conn.Read(b[:])
	var ne net.Error
	switch {
	case n > 0:
		r.t.Errorf("%s: want the connection closed, got an answer: %x", what, b[:n])
	case errors.As(err, &ne) && ne.Timeout():
		r.t.Errorf("%s: want the connection closed, it stays open", what)
	}
}

// alive asks for versions: the connection works.
func (r *raw) alive(what string) {
	r.t.Helper()
	q := kmsg.NewPtrApiVersionsRequest()
	q.Version = 0
	if resp := r.ask(q).(*kmsg.ApiVersionsResponse); resp.ErrorCode != 0 || len(resp.ApiKeys) < 20 {
		r.t.Errorf("%s: ApiVersions afterwards: code %d, %d keys", what, resp.ErrorCode, len(resp.ApiKeys))
	}
}

// batch makes a record batch of n records with the given value, uncompressed; change may spoil it before the CRC is made.
func batch(n int, value []byte, change func(*kmsg.RecordBatch)) []byte {
	var records []byte
	for i := range n {
		records = appendRecord(records, i, []byte("k"), value)
	}
	return batchOf(n, records, change)
}

func appendRecord(dst []byte, delta int, key, value []byte) []byte {
	r := kmsg.NewRecord()
	r.OffsetDelta, r.Key, r.Value = int32(delta), key, value
	body := r.AppendTo(nil)[1:] // a length of zero takes one byte
	return append(binary.AppendVarint(dst, int64(len(body))), body...)
}

func batchOf(n int, records []byte, change func(*kmsg.RecordBatch)) []byte {
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(n - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: records,
	}
	if change != nil {
		change(&b)
	}
	b.Length = int32(49 + len(b.Records))
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// produceRequest is a Produce of one batch.
func produceRequest(version, acks int16, topic string, partition int32, records []byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = version, acks, 5_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	return q
}

// put produces a batch with acks=all and gives the answer of its partition.
func (r *raw) put(topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	r.t.Helper()
	return r.ask(produceRequest(9, -1, topic, 0, records)).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

// fetchRequest is a Fetch of partition 0 by name.
func fetchRequest(version int16, topic string, offset int64, waitMS, minBytes, maxBytes, partMax int32) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = version, waitMS, minBytes, maxBytes, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, partMax
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	return q
}
