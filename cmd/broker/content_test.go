package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// number is the n-th record of a source: every byte of key, value and header follows from (source, n), so that a reader can check all of it.
//
//	key   source u32, n u64          value  crc u32 over the rest, source u32, n u64, fill (0 to 199 bytes that repeat, and so compress)
func number(source uint32, n uint64) *kgo.Record {
	key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, source), n)
	v := make([]byte, 16, 216)
	copy(v[4:], key)
	for i := range n * 7919 % 200 {
		v = append(v, byte('a'+(n+i/9)%26))
	}
	binary.BigEndian.PutUint32(v, crc32.ChecksumIEEE(v[4:]))
	r := &kgo.Record{Key: key, Value: v, Timestamp: time.UnixMilli(1_700_000_000_000 + int64(n))}
	if n%5 == 0 {
		r.Headers = []kgo.RecordHeader{{Key: "n", Value: key[4:]}, {Key: "null"}}
	}
	return r
}

// check says what is wrong with a record, and which it is.
func check(r *kgo.Record) (source uint32, n uint64, err error) {
	if len(r.Key) != 12 {
		return 0, 0, fmt.Errorf("partition %d offset %d: key of %d bytes", r.Partition, r.Offset, len(r.Key))
	}
	source, n = binary.BigEndian.Uint32(r.Key), binary.BigEndian.Uint64(r.Key[4:])
	want := number(source, n)
	switch {
	case string(want.Value) != string(r.Value):
		err = fmt.Errorf("partition %d offset %d: value differs", r.Partition, r.Offset)
	case len(want.Headers) != len(r.Headers):
		err = fmt.Errorf("partition %d offset %d: %d headers, want %d", r.Partition, r.Offset, len(r.Headers), len(want.Headers))
	case len(r.Headers) > 0 && (r.Headers[0].Key != "n" || string(r.Headers[0].Value) != string(r.Key[4:]) || r.Headers[1].Value != nil):
		err = fmt.Errorf("partition %d offset %d: headers differ", r.Partition, r.Offset)
	case r.Timestamp.UnixMilli() != want.Timestamp.UnixMilli():
		err = fmt.Errorf("partition %d offset %d: timestamp %v, want %v", r.Partition, r.Offset, r.Timestamp, want.Timestamp)
	}
	return source, n, err
}

// place is where a record was acknowledged or read.
type place struct {
	partition int32
	offset    int64
}

// ledger notes where each record of one source was acknowledged.
type ledger struct {
	mu    sync.Mutex
	acked map[uint64]place
	ends  map[int32]int64 // the highest acknowledged offset by partition
	bad   []error
}

func newLedger() *ledger { return &ledger{acked: map[uint64]place{}, ends: map[int32]int64{}} }

func (l *ledger) ack(n uint64, r *kgo.Record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.bad = append(l.bad, err)
		return
	}
	l.acked[n] = place{r.Partition, r.Offset}
	l.ends[r.Partition] = max(l.ends[r.Partition], r.Offset)
}

// produceAll sends records first..first+count-1 of a source to a topic and waits for every answer.
func produceAll(ctx context.Context, cl *kgo.Client, topic string, source uint32, first, count uint64, l *ledger) error {
	for n := first; n < first+count; n++ {
		r := number(source, n)
		r.Topic = topic
		cl.Produce(ctx, r, func(r *kgo.Record, err error) { l.ack(n, r, err) })
	}
	return cl.Flush(ctx)
}

// seen is what was read of one source.
type seen struct {
	at    map[uint64]place
	twice int
}

// readAll reads a topic's partitions from the start until total records, with every record checked, dense offsets, and order per source and
// partition. It gives what each source's records were read at.
func readAll(t testing.TB, cl *kgo.Client, total int) map[uint32]*seen {
	t.Helper()
	ctx := bounded(t, 3*time.Minute)
	all, next, last := map[uint32]*seen{}, map[int32]int64{}, map[[2]int64]uint64{}
	for got := 0; got < total; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", got, total, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			got++
			source, n, err := check(r)
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset != next[r.Partition] {
				t.Fatalf("partition %d: offset %d follows %d", r.Partition, r.Offset, next[r.Partition]-1)
			}
			next[r.Partition]++
			k := [2]int64{int64(source), int64(r.Partition)}
			if prev, ok := last[k]; ok && prev >= n {
				t.Fatalf("partition %d offset %d: record %d of source %d after %d", r.Partition, r.Offset, n, source, prev)
			}
			last[k] = n
			s := all[source]
			if s == nil {
				s = &seen{at: map[uint64]place{}}
				all[source] = s
			}
			if _, ok := s.at[n]; ok {
				s.twice++
			}
			s.at[n] = place{r.Partition, r.Offset}
		})
	}
	return all
}

// same compares what was acknowledged with what was read.
func same(t testing.TB, source uint32, l *ledger, s *seen) {
	t.Helper()
	if s == nil {
		t.Fatalf("source %d: nothing was read", source)
	}
	missing, moved := 0, 0
	for n, p := range l.acked {
		switch q, ok := s.at[n]; {
		case !ok:
			if missing++; missing == 1 {
				t.Errorf("source %d record %d: acknowledged at %v, not there", source, n, p)
			}
		case p != q:
			if moved++; moved == 1 {
				t.Errorf("source %d record %d: acknowledged at %v, read at %v", source, n, p, q)
			}
		}
	}
	if missing+moved+s.twice > 0 {
		t.Errorf("source %d: of %d acknowledged records %d are missing, %d moved; %d are there twice", source, len(l.acked), missing, moved, s.twice)
	}
}
