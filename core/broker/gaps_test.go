package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

func TestAProducerIsToldWhichRecordOfItsBatchIsToBlame(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1, "cleanup.policy=compact")
	b := records.NewBuilder(records.Options{})
	for i := range 4 {
		key := []byte("k")
		if i == 2 {
			key = nil
		}
		b.Add(key, []byte("v"), 1_700_000_000_000)
	}
	q := produceTo("t", 0, -1, b.Build())
	p := c.ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if p.ErrorCode != int16(kerr.InvalidRecord) || len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 2 || p.ErrorRecords[0].ErrorMessage == nil {
		t.Fatalf("want record 2 to be refused, got %+v", p)
	}
	p = c.ask(produceTo("t", 0, -1, batchOf(4, 1))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || len(p.ErrorRecords) != 0 {
		t.Fatalf("want a good batch to be taken, got %+v", p)
	}
}

func TestLogsAreClosedSideBySide(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", maxClosing+10)
	for p := range int32(maxClosing + 10) {
		c.ask(produceTo("t", p, -1, batchOf(1, 10)))
	}
	// Epochs are saved only by a log that closes: so many are at it together.
	n.holdDisk = func(r *disk.Request) bool { return strings.Contains(r.Path, "leader-epoch-checkpoint") }
	n.shards[0].step(step.Event{Kind: step.Stop})
	n.wait(clock.Second)
	at := map[string]bool{}
	for i := range n.shards[0].disk {
		if p := n.shards[0].disk[i].Path; strings.Contains(p, "leader-epoch-checkpoint") {
			at[p] = true
		}
	}
	if len(at) != maxClosing {
		t.Fatalf("want %d logs being closed, got %d", maxClosing, len(at))
	}
	n.holdDisk = nil
	n.wait(clock.Second)
	if !n.stopped() || !n.hasFile(cleanName) {
		t.Fatalf("stopped %v, marker %v: %v", n.stopped(), n.hasFile(cleanName), n.log)
	}
}

func TestALogDirectoryTellsItsSizeAndItsRoomOnEachShard(t *testing.T) {
	d := newMemDisk()
	d.free = 1 << 30
	n := bootNode(t, d, 2)
	for shard := range 2 {
		q := kmsg.NewPtrDescribeLogDirsRequest()
		q.Version = 4
		x := n.connect(shard).ask(q).(*kmsg.DescribeLogDirsResponse).Dirs[0]
		if x.UsableBytes != d.free || x.TotalBytes != d.free+1000 {
			t.Fatalf("shard %d: want %d of %d bytes, got %d of %d", shard, d.free, d.free+1000, x.UsableBytes, x.TotalBytes)
		}
	}
}

func TestConnectionsAboveTheLimitAreCountedAndToldOfNowAndThen(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1, "max.connections=2")
	for range 2 {
		if n.connect(0).closed {
			t.Fatal("a connection below the limit is refused")
		}
	}
	lines := func() (k int) {
		for _, l := range n.log {
			if strings.Contains(l, "max.connections") {
				k++
			}
		}
		return k
	}
	for range 5 {
		if !n.connect(0).closed {
			t.Fatal("a connection above the limit is open")
		}
	}
	if s := n.shards[0].s; s.refused != 5 || lines() != 1 {
		t.Fatalf("want 5 refused and one line, got %d and %v", s.refused, n.log)
	}
	n.wait(refusalGap)
	n.connect(0)
	if lines() != 2 {
		t.Fatalf("want another line later, got %v", n.log)
	}
}

func TestSettingsOfAnotherBrokerAreRefusedByTheOneThatIsAsked(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	for shard := range 2 {
		c := n.connect(shard)
		topic := []string{"a", "b"}[shard]
		n.mustCreate(c, topic, 1)
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		q.Version = 1
		value := "1000"
		for _, x := range []kmsg.IncrementalAlterConfigsRequestResource{
			{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "9", Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "log.retention.ms", Value: &value}}},
			{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}},
		} {
			q.Resources = append(q.Resources, x)
		}
		got := c.ask(q).(*kmsg.IncrementalAlterConfigsResponse).Resources
		if len(got) != 2 || kerr.Code(got[0].ErrorCode) != kerr.InvalidRequest || got[1].ErrorCode != 0 {
			t.Fatalf("shard %d: want the first refused and the second done, got %+v", shard, got)
		}
		q.Resources = q.Resources[:1]
		if got := c.ask(q).(*kmsg.IncrementalAlterConfigsResponse).Resources; len(got) != 1 || kerr.Code(got[0].ErrorCode) != kerr.InvalidRequest {
			t.Fatalf("shard %d: want it refused, got %+v", shard, got)
		}
	}
}

func TestAFullDirectoryIsToldOfOnceForAllPartitionsThatMeetIt(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2, "disk.reserve.bytes=0")
	c := n.connect(0)
	const parts = 20
	n.mustCreate(c, "t", parts)
	n.disk.fail = func(r *disk.Request) disk.Err {
		if r.Kind == disk.Write && strings.HasSuffix(n.pathOf(r), ".log") {
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	lines := func() (out []string) {
		for _, l := range n.log {
			if strings.Contains(l, " is full: ") {
				out = append(out, l)
			}
		}
		return out
	}
	for second := range int32(25) { // in each, the first that is produced to on either shard meets the disk, and the others are refused for it
		for p := range int32(parts) {
			p = (p + 3*second) % parts
			if got := c.ask(produceTo("t", p, -1, batchOf(1, 100))).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; kerr.Code(got) != kerr.KafkaStorageError {
				t.Fatalf("partition %d of a full disk: code %d", p, got)
			}
		}
		n.wait(clock.Second)
	}
	got := lines()
	if len(got) != 3 || !strings.Contains(got[0], "data is full: data/t-0 needs ") || !strings.Contains(got[1], " partitions need ") || strings.Contains(got[1], " 2 partitions") || !strings.HasSuffix(got[1], " bytes more; free space there or lower retention.bytes") {
		t.Fatalf("25 seconds of a full disk: %d lines: %q", len(got), got)
	}
	n.wait(60 * clock.Second)
	if len(lines()) > 4 {
		t.Fatalf("lines about a disk that nobody writes to: %q", lines())
	}
}
