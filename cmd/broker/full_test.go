package main_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const storageError = 56 // KAFKA_STORAGE_ERROR

// smallDisk mounts a file system of some MiB, or skips.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v): run as root to see a full disk", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "data")
}

// fill produces batches until one is refused, and gives how many were taken and the code of the refusal.
func fill(t *testing.T, r *raw, topic string, from int) (int, int16) {
	t.Helper()
	value := make([]byte, 100_000)
	for i := from; i < from+2_000; i++ {
		binary.BigEndian.PutUint64(value, uint64(i))
		p := r.put(topic, batch(1, value, nil))
		if p.ErrorCode != 0 {
			return i, p.ErrorCode
		}
		if p.BaseOffset != int64(i) {
			t.Fatalf("record %d is at offset %d", i, p.BaseOffset)
		}
	}
	t.Fatal("the disk does not fill")
	return 0, 0
}

// intact reads a filled topic: as many records as were taken, each what was sent.
func intact(t *testing.T, n *node, topic string, first, count int) {
	t.Helper()
	cl := n.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	ctx := bounded(t, time.Minute)
	next := first
	for next < count {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", next, count, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset != int64(next) || len(r.Value) != 100_000 || binary.BigEndian.Uint64(r.Value) != uint64(next) {
				t.Fatalf("offset %d holds record %d, want %d", r.Offset, binary.BigEndian.Uint64(r.Value), next)
			}
			next++
		})
	}
	if end := n.raw().endOffset(topic); end != int64(count) {
		t.Errorf("%s ends at %d, want %d", topic, end, count)
	}
}

func TestAFullDiskRefusesProducersAndServesThemAgainOnceThereIsSpace(t *testing.T) {
	for _, c := range []struct{ name, reserve string }{{"with a reserve", "4194304"}, {"without", "0"}} {
		t.Run(c.name, func(t *testing.T) {
			dir := smallDisk(t, "32m")
			settings := []string{"disk.reserve.bytes=" + c.reserve, "offsets.topic.num.partitions=1"}
			n := start(t, dir, settings...)
			cl := n.client()
			createTopic(t, cl, "ballast", 1, "segment.bytes=1048576")
			createTopic(t, cl, "full", 1, "segment.bytes=4194304")
			r := n.raw()
			value := make([]byte, 100_000)
			for range 60 {
				if p := r.put("ballast", batch(1, value, nil)); p.ErrorCode != 0 {
					t.Fatalf("ballast: code %d", p.ErrorCode)
				}
			}
			if c := commit(t, cl, "g", "full", 0, 1, "before"); c != 0 {
				t.Fatalf("OffsetCommit: code %d", c)
			}
			count, code := fill(t, r, "full", 0)
			if code != storageError {
				t.Errorf("a full disk: code %d, want %d", code, storageError)
			}
			t.Logf("%d records of 100 kB were taken", count)
			eventually(t, 10*time.Second, "a log line names the directory and the bytes missing", func() bool {
				for _, l := range strings.Split(n.stderr.String(), "\n") {
					if strings.Contains(l, dir) && regexp.MustCompile(`\d+ bytes|bytes: \d+|\d+ fewer`).MatchString(l) {
						return true
					}
				}
				return false
			})
			intact(t, n, "full", 0, count)
			if c.reserve != "0" {
				if c := commit(t, cl, "g", "full", 0, 2, "while full"); c != 0 {
					t.Errorf("OffsetCommit on a full disk: code %d, the reserve is for it", c)
				}
			}
			n.kill() // and it starts on a full disk too
			n = start(t, dir, settings...)
			r = n.raw()
			intact(t, n, "full", 0, count)
			deleteRecords(t, r, "ballast", -1, 0)
			eventually(t, 20*time.Second, "produce works again", func() bool { return r.put("full", batch(1, counted(count), nil)).ErrorCode == 0 })
			intact(t, n, "full", 0, count+1)
			count, code = fill(t, r, "full", count+1)
			if code != storageError {
				t.Errorf("full again: code %d", code)
			}
			if c.reserve != "0" {
				q := kmsg.NewPtrDeleteTopicsRequest()
				x := kmsg.NewDeleteTopicsRequestTopic()
				name := "ballast"
				x.Topic = &name
				q.Version, q.Topics = 6, append(q.Topics, x)
				if got := r.ask(q).(*kmsg.DeleteTopicsResponse).Topics[0]; got.ErrorCode != 0 {
					t.Errorf("DeleteTopics on a full disk: code %d", got.ErrorCode)
				}
				deleteRecords(t, r, "full", int64(count-10), 0) // its segments before that go
				eventually(t, 20*time.Second, "produce works again after deleting records", func() bool { return r.put("full", batch(1, counted(count), nil)).ErrorCode == 0 })
				intact(t, n, "full", count-10, count+1)
			}
			if c := n.term(); c != 0 {
				t.Errorf("exit code %d", c)
			}
			if b, err := os.ReadDir(filepath.Join(dir, "full-0")); err != nil || len(b) == 0 {
				t.Errorf("%v, %d files", err, len(b))
			}
		})
	}
}

// counted is the value of record i.
func counted(i int) []byte {
	v := make([]byte, 100_000)
	binary.BigEndian.PutUint64(v, uint64(i))
	return v
}

func TestAnIdempotentProducerGetsThroughAFullDiskWithoutALossOrADuplicate(t *testing.T) {
	dir := smallDisk(t, "24m")
	n := start(t, dir, "disk.reserve.bytes=0", "log.retention.check.interval.ms=200")
	createTopic(t, n.client(), "ballast", 1, "segment.bytes=1048576")
	createTopic(t, n.client(), "idem", 2, "segment.bytes=1048576")
	r := n.raw()
	for range 80 {
		r.put("ballast", batch(1, make([]byte, 100_000), nil))
	}
	s := newStream(t, n.addr, "idem", 1, codecs[0].codec)
	eventually(t, time.Minute, "the disk is full", func() bool {
		return strings.Contains(strings.ToLower(n.stderr.String()), "space") || r.put("ballast", batch(1, make([]byte, 50_000), nil)).ErrorCode != 0
	})
	before := s.acked()
	s.halt()
	deleteRecords(t, r, "ballast", -1, 0)
	s.done.Wait() // it may have been held up by its own full buffer
	if err := s.cl.Flush(bounded(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged before, %d after; %d refused", before, s.acked(), len(s.l.bad))
	if len(s.l.bad) > 0 {
		t.Errorf("the first refusal: %v", s.l.bad[0])
	}
	all := readAll(t, n.client(kgo.ConsumeTopics("idem"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), s.acked())
	same(t, 1, s.l, all[1])
}
