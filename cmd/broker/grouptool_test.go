package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// columns wants a line of a tool's table that has these words in this order.
func columns(t testing.TB, what, table string, words ...string) {
	t.Helper()
	for _, l := range strings.Split(table, "\n") {
		f := strings.Fields(l)
		i := 0
		for _, w := range f {
			if i < len(words) && w == words[i] {
				i++
			}
		}
		if i == len(words) {
			return
		}
	}
	t.Errorf("%s: no line with %v in\n%s", what, words, table)
}

func TestKafkasGroupToolShowsMovesAndDeletesOffsetsOfTransactions(t *testing.T) {
	kafkaPeer(t)
	n := start(t, t.TempDir(), "node.id=1", "disk.reserve.bytes=0", "group.initial.rebalance.delay.ms=0")
	cl := n.client()
	createTopic(t, cl, "t", 1)
	for range 10 {
		if err := cl.ProduceSync(bounded(t, 30*time.Second), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	a := &asker{raw: n.raw()}
	a.find()
	p := a.begin("copier")
	a.again("add", func() string { return a.addOffsets(3, p, "g") })
	a.again("commit", func() string { return a.commitOffsets(3, p, "g", committer{-1, ""}, "", "t-0") }) // 7
	a.say("end", a.end(4, p, true))
	a.again("committed", func() string { return a.committed("g", "t-0", true) })
	if got := a.out[len(a.out)-1]; got != "committed: NONE 7" {
		t.Fatal(a.out)
	}
	tool := func(args ...string) string {
		return kafkaTool(t, "", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", append([]string{"--bootstrap-server", n.addr}, args...)...)
	}
	columns(t, "describe", tool("--describe", "--group", "g"), "g", "t", "0", "7", "10", "3")
	columns(t, "list", tool("--list", "--state"), "g", "Empty")
	columns(t, "reset", tool("--reset-offsets", "--group", "g", "--topic", "t", "--to-earliest", "--execute"), "g", "t", "0", "0")
	columns(t, "describe after that", tool("--describe", "--group", "g"), "g", "t", "0", "0", "10", "10")
	if out := tool("--delete-offsets", "--group", "g", "--topic", "t"); !strings.Contains(out, "Successful") {
		t.Errorf("delete-offsets: %s", out)
	}
	if got := a.committed("g", "t-0", true); got != "NONE -1" {
		t.Errorf("after delete-offsets: %s", got)
	}
	if out := tool("--delete", "--group", "g"); !strings.Contains(out, "was successful") && !strings.Contains(out, "does not exist") {
		t.Errorf("delete: %s", out)
	}
}
