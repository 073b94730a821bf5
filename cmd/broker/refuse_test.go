package main_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refused runs the binary and wants one line on stderr that says what is wrong and what to do, and exit code 1.
func refused(t *testing.T, what string, contains []string, args ...string) {
	t.Helper()
	n := &node{}
	out := launch(t, n, args...)
	code := n.wait()
	text := n.stderr.String()
	if code != 1 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "error: ") || !strings.Contains(text, "; ") {
		t.Errorf("%s: exit code %d, stderr:\n%s", what, code, text)
	}
	for _, c := range contains {
		if !strings.Contains(text, c) {
			t.Errorf("%s: %q is not in: %s", what, c, text)
		}
	}
	if b, _ := io.ReadAll(out); len(b) > 0 {
		t.Errorf("%s: stdout has %q", what, b)
	}
}

func TestARefusalIsOneLineThatSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	n := start(t, filepath.Join(dir, "used"))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	free := "listeners=PLAINTEXT://127.0.0.1:0"
	no := "admin.listener=127.0.0.1:0"
	fresh := filepath.Join(dir, "fresh")
	file := write("file", "x")
	refused(t, "a data directory in use", []string{n.dir, "--data"}, "--data", n.dir, "--set", free, "--set", no)
	refused(t, "a port in use", []string{n.addr, "listeners"}, "--data", fresh, "--set", at(n.addr), "--set", no)
	refused(t, "an admin port in use", []string{busy.Addr().String(), "admin.listener"}, "--data", fresh, "--set", free, "--set", "admin.listener="+busy.Addr().String())
	refused(t, "an unknown setting", []string{"num.partitons", "num.partitions"}, "--data", fresh, "--set", "num.partitons=3")
	refused(t, "an unknown setting in a file", []string{"log.retention.hour", "log.retention.hours", "line 2"}, "--config", write("a.properties", "# x\nlog.retention.hour=3\n"))
	refused(t, "a bad number", []string{"num.partitions"}, "--set", "num.partitions=three")
	refused(t, "a number out of range", []string{"num.partitions"}, "--set", "num.partitions=0")
	refused(t, "a bad flush policy", []string{"flush.policy", "ack"}, "--set", "flush.policy=maybe")
	refused(t, "a bad listener", []string{"listeners"}, "--set", "listeners=nonsense")
	refused(t, "a setting without a value", []string{"num.partitions"}, "--set", "num.partitions")
	refused(t, "an unknown argument", []string{"--port"}, "--port", "9092")
	refused(t, "an argument without its value", []string{"--data"}, "--data")
	refused(t, "no such file", []string{"nowhere"}, "--config", filepath.Join(dir, "nowhere"))
	refused(t, "a data directory that is a file", []string{file, "--data"}, "--data", file, "--set", free, "--set", no)
	refused(t, "a data directory below a file", []string{file, "--data"}, "--data", file+"/x", "--set", free, "--set", no)
	refused(t, "--check-config of a bad setting", []string{"min.insync.replicas"}, "--check-config", "--set", "min.insync.replicas=-4")
	n.raw().alive("after all refusals")
}

func TestCheckConfigOfGoodSettingsTouchesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	n := &node{}
	out := launch(t, n, "--check-config", "--data", dir, "--set", "num.partitions=3")
	if code := n.wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, n.stderr.String())
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
	if b, _ := io.ReadAll(out); len(b) > 0 {
		t.Errorf("stdout has %q", b)
	}
}

func TestTheReadyLineAndTheAdminPortTellTheTruth(t *testing.T) {
	n := start(t, t.TempDir(), "node.id=7")
	for k, want := range map[string]string{"node.id": "7", "data": n.dir} {
		if n.ready[k] != want {
			t.Errorf("%s is %q, want %q", k, n.ready[k], want)
		}
	}
	for _, k := range []string{"cluster.id", "listeners", "admin", "ms"} {
		if n.ready[k] == "" {
			t.Errorf("the ready line has no %s: %v", k, n.ready)
		}
	}
	createTopic(t, n.client(), "counted", 1)
	n.raw().put("counted", batch(3, []byte("v"), nil))
	get := func(path string) (int, string) {
		c := http.Client{Timeout: 10 * time.Second}
		resp, err := c.Get(n.ready["admin"] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := get(path); code != 200 || !strings.Contains(body, `"status":"ready"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	_, m := get("/metrics")
	for _, want := range []string{`kafka_topic_partition_current_offset{partition="0",topic="counted"} 3`, "kafka_server_brokertopicmetrics_messagesin_total", "kafka_network_requestmetrics"} {
		if !strings.Contains(m, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}

func TestADirectoryWhoseProcessWasKilledIsFreeAgain(t *testing.T) {
	n := start(t, t.TempDir())
	id := n.ready["cluster.id"]
	n.kill()
	if again := start(t, n.dir); again.ready["cluster.id"] != id {
		t.Errorf("cluster.id %s became %s", id, again.ready["cluster.id"])
	}
}
