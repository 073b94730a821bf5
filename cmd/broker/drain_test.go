package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestSIGTERMAnswersWhatIsInFlightAndLosesNothing(t *testing.T) {
	for _, policy := range []string{"ack", "os"} {
		t.Run(policy, func(t *testing.T) {
			dir, addr := t.TempDir(), freePort(t)
			settings := []string{at(addr), "flush.policy=" + policy}
			n := start(t, dir, settings...)
			createTopic(t, n.client(), "drain", 3)
			var streams []*stream
			for i := range 3 {
				streams = append(streams, newStream(t, addr, "drain", uint32(i), codecs[0].codec))
			}
			for round := range scale(2, 3, 10) {
				before := 0
				for _, s := range streams {
					before += s.acked()
				}
				eventually(t, time.Minute, "the streams go on", func() bool {
					now := 0
					for _, s := range streams {
						now += s.acked()
					}
					return now > before+1000
				})
				if c := n.term(); c != 0 {
					t.Fatalf("round %d: exit code %d", round, c)
				}
				if _, err := os.Stat(filepath.Join(dir, ".kafka_cleanshutdown")); err != nil {
					t.Errorf("round %d: no clean-shutdown marker: %v", round, err)
				}
				n = start(t, dir, settings...)
			}
			settle(t, streams, n.client(kgo.ConsumeTopics("drain"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
		})
	}
}

func TestALongPollIsAnsweredWhenTheBrokerStops(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "empty", 1)
	r := n.raw()
	f := fetchRequest(11, "empty", 0, 60_000, 1, 1<<20, 1<<20)
	corr := r.send(f)
	p := n.raw()
	q := produceRequest(9, -1, "nowhere", 0, batch(1, nil, nil))
	p.answer(q, p.send(q)) // the broker has read what came before on its one shard, or is about to
	r2 := n.raw()
	r2.alive("before the stop")
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if got := r.answer(f, corr).(*kmsg.FetchResponse); len(got.Topics) != 1 || got.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("Fetch: %+v", got)
	}
	begin := time.Now()
	if c := n.wait(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	t.Logf("ended %v after the answer", time.Since(begin).Round(time.Millisecond))
}

func TestSIGTERMTwiceAndSIGINTEndTheBrokerToo(t *testing.T) {
	n := start(t, t.TempDir())
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if c := n.wait(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	n = start(t, n.dir)
	_ = n.cmd.Process.Signal(syscall.SIGINT)
	if c := n.wait(); c != 0 {
		t.Errorf("SIGINT: exit code %d", c)
	}
}

// bytesRead is what a process has asked of read calls so far, page cache or not.
func (n *node) bytesRead() (total int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", n.pid))
	if err != nil {
		n.t.Skipf("the kernel does not tell what a process reads: %v", err)
	}
	if _, err := fmt.Sscanf(string(b), "rchar: %d", &total); err != nil {
		n.t.Fatal(err)
	}
	return total
}

func TestAStartAfterACleanStopReadsNoLogsAndOneAfterAKillOnlyTheirTail(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "bulk", 1, "segment.bytes=4194304")
	r := n.raw()
	value := make([]byte, 500_000)
	for i := range 60 {
		value[i] = 1
		r.put("bulk", batch(1, value, nil))
	}
	size := 60 * len(value)
	if c := n.term(); c != 0 {
		t.Fatalf("exit code %d", c)
	}
	n = start(t, n.dir)
	if got := n.bytesRead(); got > size/10 {
		t.Errorf("after a clean stop %d bytes are read, the logs have %d", got, size)
	}
	if end := n.raw().endOffset("bulk"); end != 60 {
		t.Errorf("end %d, want 60", end)
	}
	// The recovery point is written each second: a broker that idled for two has nothing to scan but the active segment's tail.
	points := filepath.Join(n.dir, "recovery-point-offset-checkpoint")
	eventually(t, 20*time.Second, "the recovery point is written", func() bool {
		b, _ := os.ReadFile(points)
		return strings.Contains(string(b), "bulk 0 60")
	})
	n.kill()
	n = start(t, n.dir)
	if got := n.bytesRead(); got > size/3 {
		t.Errorf("after kill -9 %d bytes are read, the logs have %d and all of it was synced", got, size)
	}
	if end := n.raw().endOffset("bulk"); end != 60 {
		t.Errorf("end %d after kill -9, want 60", end)
	}
}
