package main_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// codecs are the compressions of the protocol.
var codecs = []struct {
	name  string
	codec kgo.CompressionCodec
}{
	{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()},
	{"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()},
}

func TestEveryRecordOfEveryCodecComesBackAtItsOffsetBeforeAndAfterARestart(t *testing.T) {
	count := uint64(scale(2_000, 40_000, 1_000_000))
	dir, addr := t.TempDir(), freePort(t)
	n := start(t, dir, at(addr))
	ledgers := map[string]*ledger{}
	for _, c := range codecs {
		cl := n.client(kgo.ProducerBatchCompression(c.codec), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(50_000))
		createTopic(t, cl, "codec-"+c.name, 3)
		l := newLedger()
		if err := produceAll(bounded(t, 5*time.Minute), cl, "codec-"+c.name, 1, 0, count, l); err != nil || len(l.bad) > 0 {
			t.Fatalf("%s: %v %v", c.name, err, l.bad)
		}
		ledgers[c.name] = l
		cl.Close()
	}
	readBack := func(when string) {
		for _, c := range codecs {
			cl := n.client(kgo.ConsumeTopics("codec-"+c.name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			t.Log(when, c.name)
			same(t, 1, ledgers[c.name], readAll(t, cl, int(count))[1])
			cl.Close()
		}
	}
	readBack("at once")
	if c := n.term(); c != 0 {
		t.Fatalf("exit code %d after SIGTERM", c)
	}
	n = start(t, dir, at(addr))
	readBack("after SIGTERM and a new start")
	n.kill()
	n = start(t, dir, at(addr))
	readBack("after kill -9 and a new start")
}
