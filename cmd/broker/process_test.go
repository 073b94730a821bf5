// Package main_test runs the broker as users run it: the binary, on real files and sockets, under real clients. SEEDLOG_E2E=full turns the
// counts up to those of a release (a million records a codec, more kills), -short turns them down; SEEDLOG_SHARDS=n sets shards.
package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/jepsen/netns"
	"github.com/seedlog/seedlog/jepsen/process"
)

// program is the broker under test, built once.
var program string

// launches is the thread that starts brokers: they die with it.
var launches *process.Thread

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "seedlog-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	program = filepath.Join(dir, "broker")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(2)
	}
	if launches, err = process.NewThread(nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// scale picks a count by how much time the run may take.
func scale(short, normal, full int) int {
	switch {
	case os.Getenv("SEEDLOG_E2E") == "full":
		return full
	case testing.Short():
		return short
	}
	return normal
}

// node is one broker process.
type node struct {
	t      testing.TB
	dir    string
	cmd    *exec.Cmd
	pid    int
	ready  map[string]string // the ready line
	line   chan string       // the first line of stdout
	addr   string            // of the client listener
	stderr lines
	done   <-chan struct{} // closed when the process has ended
	p      *process.Process
	space  *netns.Space // nil: the test's own network namespace
}

// lines collects a stream and keeps the end of it.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// environment is ours without what would configure a broker.
func environment() (out []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KAFKA_") && !strings.HasPrefix(e, "CLUSTER_ID=") {
			out = append(out, e)
		}
	}
	return out
}

// launch starts the binary with arguments and gives its standard output.
func launch(t testing.TB, n *node, args ...string) io.Reader {
	t.Helper()
	n.t = t
	n.cmd = exec.Command(program, args...)
	n.cmd.Env = environment()
	n.cmd.Stderr = &n.stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd.Stdout = w
	on := launches
	if n.space != nil {
		on = n.space.Thread
	}
	if n.p, err = process.Start(on, n.cmd); err != nil {
		t.Fatal(err)
	}
	w.Close()
	n.pid, n.done = n.p.PID, n.p.Done()
	t.Cleanup(func() {
		n.kill()
		r.Close()
		if t.Failed() {
			log := n.stderr.String()
			t.Logf("the broker's log (its end):\n%s", log[max(0, len(log)-4000):])
		}
	})
	return r
}

// fast are settings that keep tests short, and records, whose timestamps follow from their number, from retention.
var fast = []string{"admin.listener=127.0.0.1:0", "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4", "log.retention.ms=-1"}

// start runs a broker on dir and waits for its ready line. Settings are key=value; listeners is on port 0 unless they say otherwise.
func start(t testing.TB, dir string, settings ...string) *node {
	t.Helper()
	return begin(t, dir, settings...).wentReady()
}

// begin is start without the wait.
func begin(t testing.TB, dir string, settings ...string) *node {
	t.Helper()
	return beginIn(t, nil, dir, settings...)
}

// beginIn is begin in a network namespace.
func beginIn(t testing.TB, in *netns.Space, dir string, settings ...string) *node {
	t.Helper()
	n := &node{dir: dir, space: in}
	args := []string{"--data", dir}
	all := append([]string{"listeners=PLAINTEXT://127.0.0.1:0"}, fast...)
	if s := os.Getenv("SEEDLOG_SHARDS"); s != "" {
		all = append(all, "shards="+s)
	}
	for _, s := range append(all, settings...) {
		args = append(args, "--set", s)
	}
	out := launch(t, n, args...)
	line := make(chan string, 1)
	n.line = line
	go func() {
		var b []byte
		var one [1]byte
		for {
			if k, err := out.Read(one[:]); err != nil || k == 1 && one[0] == '\n' {
				break
			}
			b = append(b, one[0])
		}
		line <- string(b)
		_, _ = io.Copy(io.Discard, out) // nothing more is expected
	}()
	return n
}

// wentReady waits for the ready line.
func (n *node) wentReady() *node {
	n.t.Helper()
	select {
	case l := <-n.line:
		n.parse(l)
	case <-time.After(patience * time.Minute):
		n.t.Fatalf("no ready line in time; log:\n%s", n.stderr.String())
	}
	return n
}

func (n *node) parse(l string) {
	n.t.Helper()
	fields := strings.Fields(l)
	if len(fields) == 0 || fields[0] != "ready" {
		n.t.Fatalf("want a ready line, got %q; log:\n%s", l, n.stderr.String())
	}
	n.ready = map[string]string{}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		n.ready[k] = v
	}
	n.addr = strings.TrimPrefix(n.ready["listeners"], "PLAINTEXT://")
}

// kill is kill -9.
func (n *node) kill() { n.p.Kill() }

// term is SIGTERM; it waits for the end and gives the exit code.
func (n *node) term() int {
	n.t.Helper()
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	return n.wait()
}

func (n *node) wait() int {
	n.t.Helper()
	select {
	case <-n.done:
	case <-time.After(patience * 30 * time.Second):
		n.t.Fatalf("the broker did not end in time; log:\n%s", n.stderr.String())
	}
	return n.p.Code()
}

// residentKiB is the process's resident set.
func (n *node) residentKiB() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.pid))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			k, _ := strconv.Atoi(f[1])
			return k
		}
	}
	n.t.Fatal("no VmRSS")
	return 0
}

// freePort gives an address that no other broker of the tests is given meanwhile.
func freePort(t testing.TB) string {
	t.Helper()
	addr, err := process.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// at is the setting for a fixed address.
func at(addr string) string { return "listeners=PLAINTEXT://" + addr }

// client makes a franz-go client of this node.
func (n *node) client(opts ...kgo.Opt) *kgo.Client {
	n.t.Helper()
	return dial(n.t, n.addr, opts...)
}

// dial makes a client. It never gives a topic up as unknown, since a broker may not have heard yet of what another has just created. At the
// test's end it has some seconds to leave its group, of which nobody may be left to take note.
func dial(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.WithContext(ctx), kgo.SeedBrokers(addr), kgo.MetadataMinAge(50 * time.Millisecond), kgo.UnknownTopicRetries(-1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(10*time.Second, cancel)
		cl.Close()
		late.Stop()
		cancel()
	})
	return cl
}

// patience stretches every wait for what must happen, for machines that do much else: only a test that fails takes as long.
const patience = 2

// bounded is a context that ends the test rather than the test run.
func bounded(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience*d)
	t.Cleanup(cancel)
	return ctx
}

// createTopic makes a topic with settings given as key=value.
func createTopic(t testing.TB, cl *kgo.Client, name string, partitions int32, settings ...string) [16]byte {
	t.Helper()
	return createReplicated(t, cl, name, partitions, 1, settings...)
}

// createReplicated makes a topic with that many replicas.
func createReplicated(t testing.TB, cl kmsg.Requestor, name string, partitions int32, replicas int16, settings ...string) [16]byte {
	t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = name, partitions, replicas
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, &v
		x.Configs = append(x.Configs, c)
	}
	q.Topics = append(q.Topics, x)
	q.TimeoutMillis = 20_000
	resp, err := q.RequestWith(bounded(t, 30*time.Second), cl)
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Topics[0]; r.ErrorCode != 0 {
		t.Fatalf("CreateTopics %s: code %d, %v", name, r.ErrorCode, deref(r.ErrorMessage))
	}
	return resp.Topics[0].TopicID
}

func deref(s *string) string {
	if s == nil {
		return "(null)"
	}
	return *s
}

// eventually looks again and again until ok holds.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience * within)
	for !ok() {
		select {
		case <-end:
			t.Fatalf("not within %v: %s", patience*within, what)
		case <-tick.C:
		}
	}
}

// closedClient says whether an error is only that we closed the client.
func closedClient(err error) bool {
	return errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled)
}
