package main_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// python is an interpreter that has confluent-kafka.
func python(t testing.TB) string {
	t.Helper()
	p := os.Getenv("SEEDLOG_PYTHON")
	if p == "" {
		p = "python3"
	}
	if err := exec.Command(p, "-c", "import confluent_kafka").Run(); err != nil {
		t.Skip("confluent-kafka is missing: SEEDLOG_PYTHON=python names an interpreter that has it")
	}
	return p
}

// java is the command that runs a program of testdata/clients with the jars of a folder.
func java(t testing.TB, jars, program string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("java is missing")
	}
	all := []string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars + "/*", "testdata/clients/" + program}
	return exec.CommandContext(bounded(t, 10*time.Minute), "java", append(all, args...)...)
}

// eachVersion runs a test in a cluster of one broker under either protocol of transactions.
func eachVersion(t *testing.T, test func(t *testing.T, n *node)) {
	for _, level := range []int16{2, 0} {
		t.Run(fmt.Sprintf("transaction.version %d", level), func(t *testing.T) {
			n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0", "disk.reserve.bytes=0")
			a := &asker{raw: n.raw()}
			a.update(2, false, update{"transaction.version", level, safeDowngrade})
			if !strings.Contains(a.out[0], `"ErrorCode":0`) {
				t.Fatal(a.out[0])
			}
			test(t, n)
		})
	}
}

func TestLibrdkafkasTransactionsAreWholeOrNotThere(t *testing.T) {
	program := python(t)
	eachVersion(t, func(t *testing.T, n *node) {
		for _, topic := range []string{"rdk-source", "rdk-sink", "rdk-fence"} {
			createTopic(t, n.client(), topic, 3)
		}
		if out := run(t, "", program, "testdata/clients/transactions.py", n.addr, fmt.Sprint(scale(6, 15, 300))); out != "ok\n" {
			t.Errorf("%s", out)
		}
	})
}

func TestKafkasOwnClientsTransactionsAreWholeOrNotThere(t *testing.T) {
	jars := kafkaJars(t)
	eachVersion(t, func(t *testing.T, n *node) {
		for _, topic := range []string{"java-source", "java-sink", "java-fence"} {
			createTopic(t, n.client(), topic, 3)
		}
		cmd := java(t, jars, "Transactions.java", n.addr, fmt.Sprint(scale(6, 15, 300)))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "ok\n") {
			t.Errorf("%v\n%s", err, clip(string(out)))
		}
	})
}

// instance is a process of the word count.
type instance struct {
	cmd    *exec.Cmd
	states lines // a line for each state that it comes to
	errors lines
}

func (c *cluster) wordcount(t testing.TB, jars string, replicas int) *instance {
	t.Helper()
	x := &instance{cmd: java(t, jars, "Streams.java", strings.Join(c.clients, ","), t.TempDir(), fmt.Sprint(replicas))}
	x.cmd.Stdout, x.cmd.Stderr = &x.states, &x.errors
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.kill)
	return x
}

func (x *instance) kill() {
	if x.cmd.ProcessState == nil {
		_ = x.cmd.Process.Kill()
		_ = x.cmd.Wait()
	}
}

// tally reads the output of the word count, as far as it is committed.
type tally struct {
	cl  *kgo.Client
	got map[string][]int64 // by word, in the order of the log: all of a word are in one partition
	n   int
}

func (c *tally) until(t testing.TB, what string, n int, d time.Duration) {
	t.Helper()
	ctx := bounded(t, d)
	for c.n < n {
		fs := c.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s: %d of %d counts within %v", what, c.n, n, d)
		}
		fs.EachRecord(func(r *kgo.Record) {
			c.got[string(r.Key)] = append(c.got[string(r.Key)], int64(binary.BigEndian.Uint64(r.Value)))
			c.n++
		})
	}
}

// TestKafkaStreamsCountsEachWordOnceWhoeverIsKilled is Streams under exactly_once_v2: an instance is killed, and its state is lost with it;
// another one restores the counts from the changelog while the leader of that is killed. Each count of each word is there once, in order.
func TestKafkaStreamsCountsEachWordOnceWhoeverIsKilled(t *testing.T) {
	jars := os.Getenv("KAFKA_STREAMS_JARS")
	if have, _ := filepath.Glob(filepath.Join(jars, "kafka-streams-*.jar")); jars == "" || len(have) == 0 {
		t.Skip("Kafka Streams is missing: KAFKA_STREAMS_JARS names the folder of kafka-streams and what it needs")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "offsets.topic.replication.factor=3", "transaction.state.log.replication.factor=3", "transaction.state.log.min.isr=2",
		"group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4", "transaction.state.log.num.partitions=4")
	createReplicated(t, c.dial(), "words", 3, 3)
	createReplicated(t, c.dial(), "counts", 3, 3)
	each := scale(200, 1000, 20_000)
	sent := map[string]int64{}
	produce := func() {
		t.Helper()
		cl := c.dial()
		var rs []*kgo.Record
		for i := range each {
			w := fmt.Sprintf("w%d", (i*i+i)%17)
			sent[w]++
			rs = append(rs, &kgo.Record{Topic: "words", Partition: 0, Value: []byte(w)})
		}
		if err := cl.ProduceSync(bounded(t, time.Minute), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	out := &tally{cl: c.dial(kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), got: map[string][]int64{}}
	first := c.wordcount(t, jars, 3)
	produce()
	out.until(t, "the first instance", each/2, 3*time.Minute)
	first.kill() // in the middle of a transaction, as a rule
	began := time.Now()
	second := c.wordcount(t, jars, 3)
	produce()
	eventually(t, time.Minute, "the second instance joins", func() bool { return strings.Contains(second.states.String(), "REBALANCING") })
	_, _, parts := c.describe(0, "wordcount-store-changelog")
	c.nodes[parts[0].Leader-1].kill()
	killed := time.Now()
	out.until(t, "the second instance", each+1, 3*time.Minute) // more than the first one can have counted
	restored := time.Now()
	produce()
	out.until(t, "the end", 3*each, 3*time.Minute)
	t.Logf("%d words: the second instance joined %v after the first was killed, and counted %v after the leader was killed; all were counted %v later",
		3*each, killed.Sub(began).Round(time.Millisecond), restored.Sub(killed).Round(time.Millisecond), time.Since(restored).Round(time.Millisecond))
	out.judge(t, sent)
	if t.Failed() {
		t.Logf("the second instance said:\n%s", clip(second.errors.String()))
	}
}

// judge wants the counts 1, 2, … of each word, once and in order.
func (c *tally) judge(t testing.TB, sent map[string]int64) {
	t.Helper()
	for w, n := range sent {
		want := make([]int64, n)
		for i := range want {
			want[i] = int64(i) + 1
		}
		if !slices.Equal(c.got[w], want) {
			t.Errorf("%s was sent %d times, and its counts are %v", w, n, clip(fmt.Sprint(c.got[w])))
		}
	}
	if len(c.got) != len(sent) {
		t.Errorf("%d words were counted, %d sent", len(c.got), len(sent))
	}
}
