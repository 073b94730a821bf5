package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// warm serves a few requests, so that what grows afterwards is not the first use of something.
func warm(t testing.TB, n *node) {
	t.Helper()
	createTopic(t, n.client(), "warm", 1)
	r := n.raw()
	for range 50 {
		r.put("warm", batch(10, make([]byte, 1000), nil))
	}
}

func TestAnnouncedBytesCostNothingBeforeTheyArrive(t *testing.T) {
	n := start(t, t.TempDir())
	warm(t, n)
	before := n.residentKiB()
	var conns []*raw
	for range 8 {
		r := n.raw()
		r.write(binary.BigEndian.AppendUint32(nil, 90<<20))
		r.write(header(0, 9, 1, true))
		r.write(make([]byte, 10_000))
		conns = append(conns, r)
	}
	n.raw().alive("beside eight announcements of 90 MiB")
	if grew := n.residentKiB() - before; grew > 16<<10 {
		t.Errorf("eight announcements of 90 MiB grew the broker by %d KiB", grew)
	}
	for _, r := range conns {
		r.write(make([]byte, 1<<20))
	}
	n.raw().alive("while a MiB of each arrives")
	if grew := n.residentKiB() - before; grew > 48<<10 {
		t.Errorf("eight MiB that arrived grew the broker by %d KiB", grew)
	}
	for _, r := range conns {
		r.conn.Close()
	}
	n.raw().alive("after the announcers left")
}

func TestALargeFrameThatArrivesIsServedAndItsMemoryComesBack(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "large", 1, "max.message.bytes=80000000")
	r := n.raw()
	value := make([]byte, 40<<20)
	for i := range value {
		value[i] = byte(i * 7 >> 3)
	}
	if p := r.put("large", batch(1, value, nil)); p.ErrorCode != 0 {
		t.Fatalf("a batch of 40 MiB: code %d", p.ErrorCode)
	}
	q := fetchRequest(11, "large", 0, 1000, 1, 1000, 1000)
	p := r.ask(q).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || !bytes.HasSuffix(p.RecordBatches[:len(p.RecordBatches)-1], value[1<<20:]) {
		t.Errorf("the batch of 40 MiB comes back as %d bytes, code %d", len(p.RecordBatches), p.ErrorCode)
	}
	r.alive("after 40 MiB")
}

// bomb is a batch of one record whose value is size zeros, gzipped.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, 6)
	head := []byte{0, 0, 0, 1} // attributes, timestamp delta, offset delta, a null key
	tail := []byte{0}          // no headers
	body := append(append(head, binary.AppendVarint(nil, int64(size))...), tail...)
	w.Write(binary.AppendVarint(nil, int64(len(body)+size)))
	w.Write(body[:len(body)-1])
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		w.Write(zeros)
	}
	w.Write(tail)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return batchOf(1, z.Bytes(), func(b *kmsg.RecordBatch) { b.Attributes = 1 })
}

func TestAGzipBombIsAnsweredAndDoesNotGrowTheBroker(t *testing.T) {
	n := start(t, t.TempDir())
	warm(t, n)
	b := bomb(t, 400<<20)
	if len(b) > 500_000 {
		t.Fatalf("the bomb has %d bytes", len(b))
	}
	before := n.residentKiB()
	r := n.raw()
	p := r.put("warm", b)
	t.Logf("the bomb of %d bytes is answered with code %d", len(b), p.ErrorCode)
	if grew := n.residentKiB() - before; grew > 64<<10 {
		t.Errorf("a bomb of 400 MiB grew the broker by %d KiB", grew)
	}
	r.alive("after the bomb")
	if p := r.put("warm", batch(1, []byte("v"), nil)); p.ErrorCode != 0 {
		t.Errorf("a produce after the bomb: code %d", p.ErrorCode)
	}
}

func TestSlowAndHalfOpenConnectionsDoNotHoldOthersUp(t *testing.T) {
	n := start(t, t.TempDir())
	warm(t, n)
	before := n.residentKiB()
	value := make([]byte, 500_000)
	good := n.raw()
	for range 40 {
		good.put("warm", batch(1, value, nil))
	}
	for i := range 50 {
		// Half a header, half a body, and a reader that asks for 20 MB and never reads.
		n.raw().write([]byte{0, 0})
		n.raw().write(append(binary.BigEndian.AppendUint32(nil, 500_000), header(0, 9, 1, true)...))
		r := n.raw()
		_ = r.conn.(*net.TCPConn).SetReadBuffer(4096) // a hint
		for range 20 {
			r.send(fetchRequest(11, "warm", 0, 0, 1, 50<<20, 50<<20))
		}
		if i%10 == 0 {
			good.alive("beside slow connections")
		}
	}
	if p := good.put("warm", batch(1, value, nil)); p.ErrorCode != 0 {
		t.Errorf("Produce beside slow connections: code %d", p.ErrorCode)
	}
	if grew := n.residentKiB() - before; grew > 96<<10 {
		t.Errorf("150 slow connections grew the broker by %d KiB", grew)
	}
}

func TestAConnectionThatStopsSendingStillGetsItsAnswers(t *testing.T) {
	n := start(t, t.TempDir())
	warm(t, n)
	r := n.raw()
	q := produceRequest(9, -1, "warm", 0, batch(1, []byte("last"), nil))
	corr := r.send(q)
	if err := r.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// Kafka closes at once what has half closed; an answer that came before is welcome, a broken one is not.
	if got, _, err := r.next(); err == nil && got != corr {
		t.Errorf("correlation id %d, want %d", got, corr)
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(patience * 20 * time.Second))
	if _, err := io.Copy(io.Discard, r.conn); os.IsTimeout(err) {
		t.Error("the broker keeps a connection whose other end is closed")
	}
}

func TestTwoThousandIdleConnectionsCostAtMostFourKiBEach(t *testing.T) {
	count := scale(500, 2_000, 2_000)
	n := start(t, t.TempDir())
	warm(t, n)
	before := n.residentKiB()
	var conns []*raw
	for range count {
		conns = append(conns, n.raw())
	}
	for _, r := range conns {
		q := kmsg.NewPtrApiVersionsRequest()
		r.send(q)
	}
	q := kmsg.NewPtrApiVersionsRequest()
	for _, r := range conns {
		r.answer(q, 1)
	}
	if grew := (n.residentKiB() - before) * 1024 / count; grew > 4096 {
		t.Errorf("%d bytes a connection, want at most 4096", grew)
	} else {
		t.Logf("%d bytes a connection", grew)
	}
	conns[0].alive(fmt.Sprintf("%d connections", count))
	if err := n.client(kgo.SeedBrokers(n.addr)).Ping(bounded(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}
