package main_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// linesOf is text that can be told apart line by line: "k7\tv7 aaaa…".
func linesOf(count int, separator string) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "k%d%sv%d %s\n", i, separator, i, strings.Repeat(string(rune('a'+i%26)), i*31%120))
	}
	return b.String()
}

func run(t testing.TB, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(bounded(t, 10*time.Minute), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s\n%s", name, args, err, stderr.String(), clip(string(out)))
	}
	return string(out)
}

// differs says where two texts part.
func differs(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			t.Errorf("%s: %d lines, want %d; line %d differs: got %q, want %q", what, len(g), len(w), i, lineAt(g, i), w[i])
			return
		}
	}
	t.Errorf("%s: %d lines, want %d", what, len(g), len(w))
}

func lineAt(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(nothing)"
}

func TestKcatProducesAndConsumesEveryCodec(t *testing.T) {
	if _, err := exec.LookPath("kcat"); err != nil {
		t.Skip("kcat is missing")
	}
	count := scale(1_000, 20_000, 1_000_000)
	n := start(t, t.TempDir())
	want := linesOf(count, "\t")
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := "kcat-" + codec
		createTopic(t, n.client(), topic, 1)
		run(t, want, "kcat", "-P", "-q", "-b", n.addr, "-t", topic, "-z", codec, "-K", "\t", "-X", "enable.idempotence=true", "-X", "acks=all")
		got := run(t, "", "kcat", "-C", "-q", "-e", "-b", n.addr, "-t", topic, "-o", "beginning", "-f", "%k\t%s\n", "-X", "check.crcs=true")
		differs(t, codec, got, want)
	}
	if l := run(t, "", "kcat", "-L", "-b", n.addr); !strings.Contains(l, `topic "kcat-zstd" with 1 partitions`) {
		t.Errorf("kcat -L: %s", l)
	}
	got := run(t, "", "kcat", "-q", "-e", "-b", n.addr, "-G", "kcat-group", "-o", "beginning", "-X", "auto.offset.reset=earliest", "-f", "%k\t%s\n", "kcat-lz4")
	differs(t, "through a group", got, want)
	if got := run(t, "", "kcat", "-Q", "-b", n.addr, "-t", "kcat-none:0:-1"); !strings.Contains(got, fmt.Sprintf("offset %d", count)) {
		t.Errorf("kcat -Q: %s", got)
	}
}

// librdkafka is the program that confluent-kafka runs: every record's delivery report is compared with where it is read.
const librdkafka = `
import sys
from confluent_kafka import Producer, Consumer, TopicPartition
addr, codec, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
topic = 'rdk-' + codec
value = lambda i: b'v%d ' % i + bytes([97 + i % 26]) * (i * 31 % 120)
acked, bad = {}, []
def report(i):
    def f(err, m):
        if err: bad.append(str(err))
        else: acked[i] = (m.partition(), m.offset())
    return f
p = Producer({'bootstrap.servers': addr, 'compression.type': codec, 'enable.idempotence': True, 'linger.ms': 5, 'queue.buffering.max.messages': 1000000})
for i in range(count):
    while True:
        try:
            p.produce(topic, value(i), b'k%d' % i, on_delivery=report(i), headers=[('n', b'%d' % i)] if i % 7 == 0 else None)
            break
        except BufferError: p.poll(0.1)
    p.poll(0)
left = p.flush(120)
assert not bad and left == 0 and len(acked) == count, (left, len(acked), bad[:3])
c = Consumer({'bootstrap.servers': addr, 'group.id': 'rdk-' + codec, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False, 'check.crcs': True})
c.subscribe([topic])
seen = {}
while len(seen) < count:
    ms = c.consume(10000, 30)
    assert ms, 'no records within 30 s after %d' % len(seen)
    for m in ms:
        assert not m.error(), m.error()
        i = int(m.key()[1:])
        assert m.value() == value(i), 'value of %d' % i
        assert (m.headers() or []) == ([('n', b'%d' % i)] if i % 7 == 0 else []), 'headers of %d' % i
        assert i not in seen, '%d twice' % i
        seen[i] = (m.partition(), m.offset())
assert seen == acked
c.commit(asynchronous=False)
parts = [TopicPartition(topic, n) for n in range(len(c.list_topics(topic).topics[topic].partitions))]
assert sum(max(x.offset, 0) for x in c.committed(parts, 30)) == count
c.close()
print('ok', count)
`

func TestLibrdkafkaReadsEveryRecordWhereItWasAcknowledged(t *testing.T) {
	program := python(t)
	count := scale(1_000, 20_000, 1_000_000)
	n := start(t, t.TempDir())
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		createTopic(t, n.client(), "rdk-"+codec, 3)
		if out := run(t, "", program, "-c", librdkafka, n.addr, codec, fmt.Sprint(count)); out != fmt.Sprintf("ok %d\n", count) {
			t.Errorf("%s: %s", codec, out)
		}
	}
}

func TestKafkasConsoleToolsReadWhatTheyWrote(t *testing.T) {
	kafkaPeer(t)
	count := scale(500, 10_000, 1_000_000)
	n := start(t, t.TempDir())
	want := linesOf(count, "\t")
	names := []string{"zstd"}
	if scale(0, 0, 1) == 1 {
		names = []string{"none", "gzip", "snappy", "lz4", "zstd"}
	}
	for _, codec := range names {
		topic := "console-" + codec
		createTopic(t, n.client(), topic, 1)
		kafkaTool(t, want, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", n.addr, "--topic", topic, "--compression-codec", codec,
			"--reader-property", "parse.key=true", "--reader-property", "key.separator=\t")
		got := kafkaTool(t, "", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", n.addr, "--topic", topic, "--from-beginning",
			"--max-messages", fmt.Sprint(count), "--timeout-ms", "60000", "--formatter-property", "print.key=true")
		differs(t, codec, got, want)
	}
}

func TestKafkasPerformanceToolsReachTheirCount(t *testing.T) {
	kafkaPeer(t)
	count := scale(1_000, 20_000, 1_000_000)
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "perf", 3)
	out := kafkaTool(t, "", "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf", "--num-records", fmt.Sprint(count), "--record-size", "200",
		"--throughput", "-1", "--producer-props", "bootstrap.servers="+n.addr, "acks=all", "compression.type=lz4")
	if !strings.Contains(out, fmt.Sprintf("%d records sent", count)) {
		t.Errorf("ProducerPerformance: %s", out)
	}
	out = kafkaTool(t, "", "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", n.addr, "--topic", "perf", "--num-records", fmt.Sprint(count), "--timeout", "60000")
	if !strings.Contains(out, fmt.Sprintf(" %d,", count)) {
		t.Errorf("ConsumerPerformance: %s", out)
	}
}
