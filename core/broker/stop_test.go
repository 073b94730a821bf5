package broker

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

func (n *node) hasFile(path string) bool { return n.disk.files[testDir+"/"+path] != nil }

func TestANodeThatStopsAnswersWhatOtherShardsStillOweIt(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	n.holdMail = func(from, to int) bool { return from == 0 && to == 1 }
	corr := c.send(produceTo("t", n.partOn("t", 1), -1, batchOf(1, 10)))
	n.run()
	n.shards[1].step(step.Event{Kind: step.Stop}) // it has nothing in flight itself
	n.run()
	n.shards[0].step(step.Event{Kind: step.Stop})
	n.run()
	n.holdMail = nil
	n.wait(10 * clock.Second)
	if c.answer(corr) == nil {
		t.Fatal("a produce to the other shard was not answered")
	}
	if code, _ := produced(t, c.answer(corr)); code != 0 {
		t.Fatalf("want it appended, got code %d", code)
	}
	if !n.stopped() || !n.hasFile(cleanName) {
		t.Fatalf("stopped %v, marker %v: %v", n.stopped(), n.hasFile(cleanName), n.log)
	}
}

func TestMailThatComesAfterTheLogsWereClosedIsRefused(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	held := true
	n.holdMail = func(from, to int) bool { return held && from == 0 && to == 1 }
	p := n.partOn("t", 1)
	c.send(produceTo("t", p, -1, batchOf(1, 10)))
	d := n.connect(0)
	d.send(fetchFrom("t", p, 0, 60_000, 1))
	n.run()
	stopped := n.stop() // the drain time passes
	if stopped {
		t.Fatal("stopped while mail is held: the test is wrong")
	}
	held = false
	n.wait(clock.Second)
	if !n.stopped() {
		t.Fatalf("the node does not stop: %v", n.log)
	}
}

func TestANodeStopsWhateverItsCheckpointsAreDoing(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	c.ask(produceTo("t", 0, -1, batchOf(1, 10)))
	n.holdDisk = func(r *disk.Request) bool { return strings.Contains(r.Path, pointsName) }
	n.wait(3 * clock.Second)
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.wait(clock.Second)
	n.holdDisk = nil
	n.wait(clock.Second)
	if !n.stopped() {
		t.Fatal("the node does not stop")
	}
}

func TestANodeStopsWhenSomeShardsDoNotServeYet(t *testing.T) {
	n := newNode(t, newMemDisk(), 3)
	n.start()
	n.holdMail = func(_, to int) bool { return to == 2 }
	for range 2000 {
		if n.shards[0].s.phase == serving {
			break
		}
		if !n.once() {
			// Shard 2 gets mail up to, not with, the one that lets it serve.
			if m := n.mail[0][2]; len(m) > 0 && m[0].Kind != mailServe {
				n.deliver(0, 2)
				continue
			}
			break
		}
	}
	if n.shards[0].s.phase != serving || n.shards[2].s.phase != booting {
		t.Fatalf("phases %d, %d: the test is wrong", n.shards[0].s.phase, n.shards[2].s.phase)
	}
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.holdMail = nil
	n.wait(10 * clock.Second)
	if !n.stopped() {
		t.Fatal("the node does not stop")
	}
}

func TestANodeStopsWhileATopicIsBeingDeleted(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	for _, name := range []string{"a", "b", "c"} {
		n.mustCreate(c, name, 4)
		for p := range int32(4) {
			c.ask(produceTo(name, p, -1, batchOf(1, 10)))
		}
	}
	n.holdDisk = func(r *disk.Request) bool { return r.Kind == disk.Sync || r.Kind == disk.SyncDir }
	c.send(deleteTopic("a"))
	n.run()
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	for i := 0; i < 10000 && !n.stopped(); i++ {
		n.holdDisk = func(r *disk.Request) bool { return i%3 != 0 && r.Kind != disk.Write }
		if !n.once() {
			n.pass(n.now.Mono + 10e6)
		}
	}
	n.holdDisk = nil
	n.wait(10 * clock.Second)
	if !n.stopped() {
		t.Fatalf("the node does not stop: %v", n.log)
	}
}

func TestAStopDoesNotWaitForMembersThatJoinAGroup(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2, "group.initial.rebalance.delay.ms=60000")
	c := n.connect(0)
	c.ask(findGroup("g"))
	corr := c.send(joinGroup("g"))
	n.run()
	if c.answer(corr) == nil { // first JoinGroup of KIP-394 asks for the member id
		t.Fatal("no member id")
	}
	q := joinGroup("g")
	q.MemberID = memberID(c.answer(corr))
	corr = c.send(q)
	n.run()
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.wait(2 * clock.Second)
	if c.answer(corr) == nil || !n.stopped() {
		t.Fatalf("answered %v, stopped %v", c.answer(corr) != nil, n.stopped())
	}
}

func TestStopWhileBootingEndsAtOnce(t *testing.T) {
	for k := 0; k < 200; k += 7 {
		n := newNode(t, newMemDisk(), 2)
		n.start()
		for range k {
			n.once()
		}
		for _, x := range n.shards {
			x.step(step.Event{Kind: step.Stop})
		}
		n.wait(10 * clock.Second)
		if !n.stopped() {
			t.Fatalf("after %d things the node does not stop", k)
		}
	}
}

func TestAConnectionThatComesWhileANodeStopsIsClosed(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	n.holdDisk = func(r *disk.Request) bool { return r.Kind == disk.Sync }
	c.send(produceTo("t", 0, 1, batchOf(1, 10)))
	n.run()
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.wait(6 * clock.Second) // its disk stalls
	if d := n.connect(0); !d.closed {
		t.Fatal("a connection is open that nobody will answer")
	}
	n.holdDisk = nil
	n.wait(clock.Second)
	if !n.stopped() {
		t.Fatal("the node does not stop")
	}
}

func TestAStoppingNodeAnswersNothingBehindARequestThatItLeaves(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	n.holdMail = func(from, to int) bool { return from == 0 && to == 1 }
	c.send(produceTo("t", n.partOn("t", 1), -1, batchOf(1, 10)))
	n.run()
	d, greeted := n.connect(0), n.connect(0)
	n.run()
	n.shards[0].step(step.Event{Kind: step.Stop})
	left := d.send(produceTo("t", 0, -1, batchOf(1, 10)))
	behind := d.send(kmsg.NewPtrMetadataRequest())
	n.run()
	if d.answer(left) != nil || d.answer(behind) != nil {
		t.Fatal("want neither answered: answers come in the order of their requests")
	}
	corr := greeted.send(kmsg.NewPtrMetadataRequest())
	n.run()
	if greeted.answer(corr) == nil {
		t.Fatal("a connection is not greeted while the node drains")
	}
}
