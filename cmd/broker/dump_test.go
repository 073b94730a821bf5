package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaPeer gives the script that runs classes of Apache Kafka, with its jars already there, or skips.
func kafkaPeer(t testing.TB) string {
	t.Helper()
	script := ""
	for _, dir := range []string{os.Getenv("PEER"), "../../../shared/peer"} {
		if p := filepath.Join(dir, "kafka-peer"); dir != "" && exists(p) {
			script = p
			break
		}
	}
	if script == "" {
		t.Skip("kafka-peer is missing: PEER=DIR names the folder that holds it")
	}
	if have, _ := filepath.Glob(filepath.Join(os.Getenv("KAFKA_PEER_DIR"), "lib-*", ".complete")); len(have) == 0 {
		t.Skip("the jars of Apache Kafka are missing: KAFKA_PEER_DIR names the folder in which `kafka-peer fetch` put them")
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("java is missing")
	}
	return script
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// kafkaTool runs one class and gives its standard output.
func kafkaTool(t testing.TB, stdin string, class string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(bounded(t, 3*time.Minute), kafkaPeer(t), append([]string{"run", class}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s\n%s", class, args, err, stderr.String(), out)
	}
	return string(out)
}

func TestKafkasDumpToolReadsTheFilesOfALog(t *testing.T) {
	kafkaPeer(t)
	n := start(t, t.TempDir(), "offsets.topic.num.partitions=1", "disk.reserve.bytes=0")
	cl := n.client(kgo.DefaultProduceTopic("dump"), kgo.ProducerBatchMaxBytes(20_000), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	createTopic(t, cl, "dump", 1, "segment.bytes=1048576")
	l := newLedger()
	const count = 60_000
	if err := produceAll(bounded(t, time.Minute), cl, "dump", 1, 0, count, l); err != nil || len(l.bad) > 0 {
		t.Fatal(err, l.bad)
	}
	if c := commit(t, cl, "the-group", "dump", 0, 4711, "said so"); c != 0 {
		t.Fatal(c)
	}
	member(t, n, "the-members", "dump")
	if c := n.term(); c != 0 {
		t.Fatalf("exit code %d", c)
	}
	files := func(topic, suffix string) string {
		found, _ := filepath.Glob(filepath.Join(n.dir, topic, "*"+suffix))
		if len(found) == 0 {
			t.Fatalf("%s has no %s", topic, suffix)
		}
		return strings.Join(found, ",")
	}
	const tool = "org.apache.kafka.tools.DumpLogSegments"
	out := kafkaTool(t, "", tool, "--print-data-log", "--skip-record-metadata", "--files", files("dump-0", ".log"))
	if got := strings.Count(out, "payload:"); got != count {
		t.Errorf("the dump has %d records, want %d", got, count)
	}
	if strings.Contains(out, "isvalid: false") || !strings.Contains(out, "isvalid: true") || !strings.Contains(out, "compresscodec: lz4") {
		t.Errorf("the batches of the dump: %s", clip(out))
	}
	if segments := strings.Count(out, "Log starting offset:"); segments < 2 {
		t.Errorf("%d segments, want several", segments)
	}
	for _, suffix := range []string{".index", ".timeindex"} {
		out := kafkaTool(t, "", tool, "--files", files("dump-0", suffix))
		if bad := regexp.MustCompile(`(?i)mismatch|corrupt|out of order|not found|error|exception`).FindString(out); bad != "" {
			t.Errorf("%s: %q in %s", suffix, bad, clip(out))
		}
		if strings.Count(out, "offset: ") < 20 {
			t.Errorf("%s has few entries: %s", suffix, clip(out))
		}
		out = kafkaTool(t, "", tool, "--index-sanity-check", "--files", files("dump-0", suffix))
		if strings.Count(out, "passed sanity check") < 2 {
			t.Errorf("%s: %s", suffix, clip(out))
		}
	}
	out = kafkaTool(t, "", tool, "--files", files("dump-0", ".snapshot"))
	if !regexp.MustCompile(`producerId: \d+ producerEpoch: 0`).MatchString(out) || !strings.Contains(out, fmt.Sprintf("lastSequence")) && !strings.Contains(out, "firstSequence") {
		t.Errorf("the producer snapshot: %s", clip(out))
	}
	out = kafkaTool(t, "", tool, "--offsets-decoder", "--files", files("__consumer_offsets-0", ".log"))
	for _, want := range []string{`the-group`, `4711`, `said so`, `the-members`, `"protocolType":"consumer"`} {
		if !strings.Contains(out, want) {
			t.Errorf("__consumer_offsets: %q is not in %s", want, clip(out))
		}
	}
}

func clip(s string) string {
	if len(s) > 3000 {
		return s[:1500] + "\n…\n" + s[len(s)-1500:]
	}
	return s
}

// member joins a group, so that its metadata is written, and leaves.
func member(t testing.TB, n *node, group, topic string) {
	t.Helper()
	cl := n.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if fs := cl.PollRecords(bounded(t, 30*time.Second), 10); fs.Err() != nil {
		t.Fatal(fs.Err())
	}
	if err := cl.CommitUncommittedOffsets(bounded(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	q := kmsg.NewPtrDescribeGroupsRequest()
	q.Groups = []string{group}
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil || resp.Groups[0].State != "Stable" || len(resp.Groups[0].Members) != 1 {
		t.Errorf("DescribeGroups: %v %+v", err, resp)
	}
	cl.Close()
}
