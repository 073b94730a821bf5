package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

func errorsOf(t testing.TB, r kmsg.Response) (code int16) {
	t.Helper()
	switch r := r.(type) {
	case *kmsg.CreateTopicsResponse:
		return r.Topics[0].ErrorCode
	case *kmsg.DeleteTopicsResponse:
		return r.Topics[0].ErrorCode
	}
	t.Fatalf("%T", r)
	return 0
}

// dirs are the data directory's directories of a topic and of what is left of it.
func (d *memDisk) dirsOf(topic string) (out []string) {
	for _, n := range d.names(testDir) {
		if strings.HasPrefix(n, topic+"-") {
			out = append(out, n)
		}
	}
	return out
}

func fetched(t testing.TB, r kmsg.Response) *kmsg.FetchResponseTopicPartition {
	t.Helper()
	return &r.(*kmsg.FetchResponse).Topics[0].Partitions[0]
}

func TestATopicMadeAnewUnderItsOldNameHoldsNothingOfTheOldOne(t *testing.T) {
	for _, shards := range []int{1, 2, 4} {
		n := bootNode(t, newMemDisk(), shards)
		c, d := n.connect(0), n.connect(shards-1)
		for round := range 8 {
			if code := errorsOf(t, c.ask(createTopic("t", 3))); code != 0 {
				t.Fatalf("round %d: create: %d", round, code)
			}
			for p := range int32(3) {
				if code, base := produced(t, c.ask(produceTo("t", p, -1, batchOf(round+1, 10)))); code != 0 || base != 0 {
					t.Fatalf("%d shards, round %d: code %d, base %d: %v", shards, round, code, base, n.log)
				}
			}
			// A reader that does not take its bytes keeps the old files open.
			n.holdSent = true
			d.send(fetchFrom("t", 0, 0, 0, 1))
			n.run()
			if round%2 == 0 { // deleted and made again before the first has taken effect anywhere
				c.send(deleteTopic("t"))
				corr := d.send(createTopic("t", 3))
				n.run()
				n.wait(clock.Second)
				if r := d.answer(corr); r == nil || errorsOf(t, r) != 0 {
					t.Fatalf("%d shards, round %d: create again: %v", shards, round, r)
				}
				if code, base := produced(t, c.ask(produceTo("t", 0, -1, batchOf(1, 10)))); code != 0 || base != 0 {
					t.Fatalf("%d shards, round %d: after creating again: code %d, base %d: %v", shards, round, code, base, n.log)
				}
			}
			if code := errorsOf(t, c.ask(deleteTopic("t"))); code != 0 {
				t.Fatalf("delete: %d", code)
			}
			n.holdSent = false
			n.wait(clock.Second)
			if got := n.disk.dirsOf("t"); len(got) != 0 {
				t.Fatalf("%d shards, round %d: left %v: %v", shards, round, got, n.log)
			}
		}
		if !n.stop() {
			t.Fatal("the node does not stop")
		}
	}
}

func TestWhatTheCheckpointsSayOfADeletedTopicIsNotTakenForTheNewOne(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	for range 50 {
		c.ask(produceTo("t", 0, -1, batchOf(10, 10)))
	}
	n.wait(3 * clock.Second) // the checkpoints have it
	held := true
	n.holdDisk = func(r *disk.Request) bool {
		return held && (strings.Contains(r.Path, pointsName) || strings.Contains(r.Path, startsName))
	}
	c.ask(deleteTopic("t"))
	n.mustCreate(c, "t", 1)
	c.ask(produceTo("t", 0, -1, batchOf(3, 10)))
	n.kill()
	n = bootNode(t, n.disk, 2)
	c = n.connect(0)
	x := fetched(t, c.ask(fetchFrom("t", 0, 0, 0, 1)))
	if x.ErrorCode != 0 || x.HighWatermark != 3 || x.LogStartOffset != 0 {
		t.Fatalf("want 3 records from offset 0, got %+v", x)
	}
}

func TestWhatACrashLeavesOfADeletedTopicGoesAtTheNextStart(t *testing.T) {
	for _, again := range []bool{false, true} {
		for k := range 60 {
			n := bootNode(t, newMemDisk(), 2)
			c := n.connect(0)
			n.mustCreate(c, "t", 4)
			n.mustCreate(c, "other", 2)
			for p := range int32(4) {
				c.ask(produceTo("t", p, -1, batchOf(10, 10)))
			}
			c.ask(produceTo("other", 1, -1, batchOf(7, 10)))
			c.send(deleteTopic("t"))
			if again {
				n.connect(1).send(createTopic("t", 4))
			}
			for range k {
				if !n.once() {
					n.pass(n.now.Mono + 1e6)
				}
			}
			n.kill()
			n = bootNode(t, n.disk, 2)
			n.wait(clock.Second)
			topic := n.shards[0].s.state.Image.TopicByName("t")
			if got := n.disk.dirsOf("t"); topic == nil && len(got) != 0 || topic != nil && len(got) != 4 {
				t.Fatalf("again %v, killed after %d: topic %v, directories %v: %v", again, k, topic != nil, got, n.log)
			}
			c = n.connect(0)
			if x := fetched(t, c.ask(fetchFrom("other", 1, 0, 0, 1))); x.HighWatermark != 7 {
				t.Fatalf("the other topic: %+v", x)
			}
			if topic != nil {
				want := int64(10)
				if x := fetched(t, c.ask(fetchFrom("t", 2, 0, 0, 1))); x.ErrorCode != 0 || x.HighWatermark != want && x.HighWatermark != 0 {
					t.Fatalf("%+v", x)
				}
			}
			n.kill()
		}
	}
}

func TestDirectoriesThatAreNotKnownAreLeftAlone(t *testing.T) {
	d := newMemDisk()
	n := bootNode(t, d, 1)
	n.mustCreate(n.connect(0), "t", 1)
	n.stop()
	d.kill()
	for _, p := range []string{"mine-0", "lost+found", "mine-1/sub"} {
		d.do(&disk.Request{Kind: disk.Mkdir, Path: testDir + "/" + p})
	}
	d.files[testDir+"/mine-0/"+strings.Repeat("0", 20)+".log"] = &memFile{data: []byte("precious")}
	d.do(&disk.Request{Kind: disk.Mkdir, Path: testDir + "/gone-3.0123456789abcdef-delete"})
	d.files[testDir+"/gone-3.0123456789abcdef-delete/x.log"] = &memFile{}
	n = bootNode(t, d, 1)
	n.wait(clock.Second)
	if f := d.files[testDir+"/mine-0/"+strings.Repeat("0", 20)+".log"]; f == nil || string(f.data) != "precious" {
		t.Fatal("an unknown directory was touched")
	}
	if !strings.Contains(strings.Join(n.log, "\n"), "mine-0") {
		t.Fatalf("no warning names it: %v", n.log)
	}
	if len(d.dirsOf("gone")) != 0 {
		t.Fatal("a removal that was interrupted was not ended")
	}
}

func TestATopicWithTheLongestNameCanBeDeleted(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	name := strings.Repeat("n", 249)
	n.mustCreate(c, name, 1)
	c.ask(deleteTopic(name))
	n.wait(clock.Second)
	if strings.Contains(strings.Join(n.disk.names(testDir), " "), name[:50]) {
		t.Fatalf("left %v: %v", n.disk.names(testDir), n.log)
	}
}

func TestATopicIsMadeOnceThereIsSpaceAndTheBrokerLivesOn(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "a", 2)
	n.disk.fail = func(r *disk.Request) disk.Err {
		if (r.Kind == disk.Mkdir || r.Kind == disk.Open && r.Flags&disk.Create != 0) && strings.Contains(r.Path, "/b-") {
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	c.send(createTopic("b", 2))
	n.wait(3 * clock.Second)
	if n.fatal != "" {
		t.Fatalf("a full disk ended the broker: %s", n.fatal)
	}
	if code, _ := produced(t, c.ask(produceTo("a", 0, -1, batchOf(1, 10)))); code != 0 {
		t.Fatalf("code %d", code)
	}
	n.disk.fail = nil
	n.wait(3 * clock.Second)
	for p := range int32(2) {
		if code, _ := produced(t, c.ask(produceTo("b", p, -1, batchOf(1, 10)))); code != 0 {
			t.Fatalf("code %d", code)
		}
	}
	n.disk.fail = func(r *disk.Request) disk.Err {
		if r.Kind == disk.Mkdir {
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	c.send(createTopic("d", 2))
	n.wait(clock.Second)
	c.send(deleteTopic("d")) // before it could be made
	n.wait(clock.Second)
	n.disk.fail = nil
	n.wait(3 * clock.Second)
	if left := n.disk.dirsOf("d"); len(left) > 0 || n.fatal != "" {
		t.Fatalf("left %v %s", left, n.fatal)
	}
	n.mustCreate(c, "d", 2)
	if !n.stop() {
		t.Fatal("the node does not stop")
	}
}
