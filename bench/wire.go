package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Positions in a record batch of format 2.
const (
	atBatchLength = 8
	atCRC         = 17
	atAttributes  = 21
	atLastDelta   = 23

	atProducerID    = 43
	atProducerEpoch = 51
	atSequence      = 53
	atCount         = 57

	headerSize = 61
	prefixSize = 12 // what batchLength does not count
)

// encodeBatch makes an uncompressed batch of n records without keys, whose values have size random bytes.
func encodeBatch(n, size int) []byte {
	b, _ := encodeKeyed(n, -1, size)
	return b
}

// encodeKeyed is encodeBatch with keys of so many zero bytes, -1 none, and gives where they stand.
func encodeKeyed(n, key, size int) (b []byte, keys []int) {
	b = make([]byte, headerSize, headerSize+n*(size+max(key, 0)+20))
	b[16] = 2 // magic
	now := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(n-1))
	binary.BigEndian.PutUint64(b[27:], now)
	binary.BigEndian.PutUint64(b[35:], now)
	for i := atProducerID; i < atCount; i++ { // no producer id, epoch and sequence
		b[i] = 0xff
	}
	binary.BigEndian.PutUint32(b[atCount:], uint32(n))
	value := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{})
	var r []byte
	for i := range n {
		rng.Read(value)
		r = append(r[:0], 0, 0)              // attributes, timestamp delta
		r = binary.AppendVarint(r, int64(i)) // offset delta
		r = binary.AppendVarint(r, int64(key))
		at := len(r)
		r = append(r, make([]byte, max(key, 0))...)
		r = binary.AppendVarint(r, int64(size))
		r = append(append(r, value...), 0) // no headers
		b = binary.AppendVarint(b, int64(len(r)))
		keys = append(keys, len(b)+at)
		b = append(b, r...)
	}
	binary.BigEndian.PutUint32(b[atBatchLength:], uint32(len(b)-prefixSize))
	seal(b)
	return b, keys
}

// seal sets a batch's checksum.
func seal(b []byte) {
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// walk steps over the whole batches in b, and gives the offset after them (or next, if there are none) and their number of bytes.
func walk(b []byte, next int64) (int64, int) {
	n := 0
	for len(b)-n >= headerSize {
		size := prefixSize + int(binary.BigEndian.Uint32(b[n+atBatchLength:]))
		if n+size > len(b) {
			break
		}
		next = int64(binary.BigEndian.Uint64(b[n:])) + int64(binary.BigEndian.Uint32(b[n+atLastDelta:])) + 1
		n += size
	}
	return next, n
}

// conn is a client's connection.
type conn struct {
	net.Conn
	r   *bufio.Reader
	buf []byte // the last response
}

// dial connects to the system. The connection fails when ctx is done, in a minute at the latest.
func dial(ctx context.Context, s *system, buffer int) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	at, ok := ctx.Deadline()
	if !ok || time.Until(at) > maxRun {
		at = time.Now().Add(maxRun)
	}
	if err := c.SetDeadline(at); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // it may be closed by then
	return &conn{Conn: c, r: bufio.NewReaderSize(c, buffer)}, nil
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench"))

// frame encodes a request. Responses come in order, so all requests may have the same correlation id.
func frame(r kmsg.Request) []byte { return formatter.AppendRequest(nil, r, 1) }

// read gives the next response's body after the correlation id; it is valid until the next read.
func (c *conn) read() ([]byte, error) {
	head, err := c.r.Peek(4)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head))
	if n < 4 || n > 256<<20 {
		return nil, fmt.Errorf("a response of %d bytes", n)
	}
	if _, err := c.r.Discard(4); err != nil {
		return nil, err
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	b := c.buf[:n]
	_, err = io.ReadFull(c.r, b)
	return b[4:], err
}

// call sends a request and reads its response.
func (c *conn) call(r kmsg.Request) (kmsg.Response, error) {
	if _, err := c.Write(frame(r)); err != nil {
		return nil, err
	}
	b, err := c.read()
	if err != nil {
		return nil, err
	}
	if r.IsFlexible() && r.Key() != int16(kmsg.ApiVersions) {
		b = b[1:] // no tags
	}
	resp := r.ResponseKind()
	return resp, resp.ReadFrom(b)
}

// ask is call on a connection of its own.
func ask(ctx context.Context, s *system, r kmsg.Request) (kmsg.Response, error) {
	c, err := dial(ctx, s, 4<<10)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.call(r)
}

// newTopic creates a topic with settings (NAME=VALUE) and gives its name.
func (s *system) newTopic(ctx context.Context, partitions int32, settings ...string) (string, error) {
	s.topics++
	name := "bench-" + strconv.Itoa(s.topics)
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = 5, 30_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, int16(len(s.each()))
	if len(s.nodes) > 0 {
		settings = append(settings, "min.insync.replicas=2")
	}
	for _, x := range settings {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		var value string
		c.Name, value, _ = strings.Cut(x, "=")
		c.Value = &value
		t.Configs = append(t.Configs, c)
	}
	r.Topics = append(r.Topics, t)
	resp, err := ask(ctx, s, r)
	if err != nil {
		return "", err
	}
	return name, kerr.ErrorForCode(resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}

// set changes a setting of a topic, or of all brokers.
func (s *system) set(ctx context.Context, of kmsg.ConfigResourceType, resource, name, value string) error {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	x, c := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	x.ResourceType, x.ResourceName, c.Name, c.Value = of, resource, name, &value
	x.Configs = append(x.Configs, c)
	r.Resources = append(r.Resources, x)
	resp, err := ask(ctx, s, r)
	if err != nil {
		return err
	}
	got := &resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return fmt.Errorf("%s=%s: %w", name, value, err)
	}
	return nil
}

func (s *system) dropTopic(ctx context.Context, name string) error {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.TimeoutMillis, r.TopicNames = 5, 30_000, []string{name}
	resp, err := ask(ctx, s, r)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
}
