package txn

import (
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
)

func (w *world) want(t *testing.T, want string) {
	t.Helper()
	if got := w.told(); got != want {
		t.Errorf("want %q\n got %q", want, got)
	}
	for _, e := range w.early {
		t.Errorf("answered before its record was below the high watermark: %s", e)
	}
}

func (w *world) wantState(t *testing.T, id, want string) {
	t.Helper()
	if got := w.stateOf(id); got != want {
		t.Errorf("%s: want %s, got %s", id, want, got)
	}
}

func TestATransactionOfTheSecondVersionFromBeginToEnd(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0, 1)
	w.add("more", "x", 5, false, 1000, 0, "b", 2)
	w.wantState(t, "x", "Ongoing 1000/0")
	w.end("end", "x", 5, 1000, 0, true)
	w.want(t, "init NONE 1000/0; add NONE NONE; more NONE; end NONE 1000/1")
	w.wantState(t, "x", "PrepareCommit 1000/1")
	w.markers()
	if got := w.written(); got != "1000/1 a-0 true by 1; 1000/1 a-1 true by 1; 1000/1 b-2 true by 1" {
		t.Error(got)
	}
	w.wantState(t, "x", "CompleteCommit 1000/1")
	w.add("next", "x", 5, false, 1000, 1, "a", 0)
	w.end("abort", "x", 5, 1000, 1, false)
	w.markers()
	w.want(t, "next NONE; abort NONE 1000/2")
	w.wantState(t, "x", "CompleteAbort 1000/2")
}

func TestATransactionOfTheFirstVersionKeepsItsEpoch(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 3, false, 1000, 0, "a", 0)
	w.add("look", "x", 4, true, 1000, 0, "a", 0, 1)
	w.end("end", "x", 4, 1000, 0, true)
	w.end("again", "x", 4, 1000, 0, true)
	w.want(t, "init NONE 1000/0; add NONE; look NONE TRANSACTION_ABORTABLE; end NONE; again CONCURRENT_TRANSACTIONS")
	w.markers()
	w.end("retry", "x", 4, 1000, 0, true)
	w.end("other", "x", 4, 1000, 0, false)
	w.add("next", "x", 3, false, 1000, 0, "b", 0)
	w.want(t, "retry NONE; other INVALID_TXN_STATE; next NONE")
	if got := w.written(); got != "1000/0 a-0 true by 1" {
		t.Error(got)
	}
}

func TestWhatComesWhileATransactionIsCompletedWaitsForThat(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.end("end", "x", 5, 1000, 0, true)
	w.told()
	w.add("next", "x", 5, false, 1000, 1, "b", 0)
	w.add("zombie", "x", 5, false, 1000, 0, "b", 0)
	w.want(t, "zombie PRODUCER_FENCED")
	w.init("other", "x")
	w.want(t, "")
	w.write(kerr.None, false)
	w.want(t, "next NONE") // and the other one has it aborted
	w.markers()
	w.want(t, "other NONE 1000/3")
}

// An abort without any partition may follow a commit at once: whoever fills batches and throws them away sends nothing else in between.
func TestTheEndOfTheNextTransactionWaitsForTheEndOfTheLast(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.end("end", "x", 5, 1000, 0, true)
	w.told()
	w.end("next", "x", 5, 1000, 1, false)
	w.end("again", "x", 5, 1000, 1, false)
	w.end("too late", "x", 5, 1000, 2, false)
	w.want(t, "too late PRODUCER_FENCED -1/-1")
	w.markers()
	w.want(t, "next NONE 1000/2; again CONCURRENT_TRANSACTIONS -1/-1")
	w.markers()
	w.add("add", "x", 3, false, 1000, 2, "a", 0)
	w.end("of the first version", "x", 4, 1000, 2, true)
	w.told()
	w.end("the same epoch", "x", 5, 1000, 2, false)
	w.want(t, "the same epoch PRODUCER_FENCED -1/-1") // that version has no epoch of its own for the next transaction
}

func TestAHeldRequestIsRefusedAfterAWhile(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.end("end", "x", 5, 1000, 0, true)
	w.told()
	w.add("broker", "x", 5, false, 1000, 1, "b", 0)
	w.init("client", "x")
	w.pass(100 * clock.Millisecond)
	w.want(t, "broker CONCURRENT_TRANSACTIONS")
	w.pass(3 * clock.Second)
	w.want(t, "client CONCURRENT_TRANSACTIONS -1/-1")
	for i := 0; i < 17; i++ {
		w.init("many", "x")
	}
	w.want(t, "many CONCURRENT_TRANSACTIONS -1/-1")
	w.c.Unload(kerr.NotCoordinator)
	if n := len(w.lines); n != 16 {
		t.Errorf("want 16 answers, got %d", n)
	}
	if w.env.Timers.Len() > 1 { // the sender's may still be set
		t.Errorf("%d timers are left", w.env.Timers.Len())
	}
}

func TestANewProducerFencesTheOldOneAndAbortsItsTransaction(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.told()
	w.init("second", "x")
	w.want(t, "")
	w.end("zombie", "x", 5, 1000, 0, true)
	w.want(t, "zombie INVALID_TXN_STATE -1/-1") // as if it had ended it otherwise
	w.markers()
	w.want(t, "second NONE 1000/2") // one bump for the abort, one for the producer
	if got := w.written(); got != "1000/1 a-0 false by 1" {
		t.Error(got)
	}
	w.add("late", "x", 5, false, 1000, 0, "a", 0)
	w.want(t, "late PRODUCER_FENCED")
}

func TestAClusterOfTheFirstVersionFencesByOneBump(t *testing.T) {
	w := newWorld()
	w.cfg.Version = 0
	w.init("init", "x")
	w.add("add", "x", 3, false, 1000, 0, "a", 0)
	w.told()
	w.init("second", "x")
	w.markers()
	w.want(t, "second NONE 1000/2")
	if got := w.written(); got != "1000/1 a-0 false by 1" {
		t.Error(got)
	}
}

func TestNoMarkerIsSentBeforeTheDecisionIsCommitted(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.auto = false
	w.end("end", "x", 5, 1000, 0, true)
	if len(w.asked) > 0 {
		t.Error("markers are under way before the decision is below the high watermark")
	}
	w.load() // the log is another coordinator's now
	if len(w.asked) > 0 {
		t.Error("markers are under way before the decision that was loaded is below the high watermark")
	}
	w.told()
	w.auto = true
	w.settle()
	w.markers()
	if got := w.written(); got != "1000/1 a-0 true by 2" {
		t.Error(got)
	}
	w.wantState(t, "x", "CompleteCommit 1000/1")
}

func TestMarkersGoToNewLeadersAndNowhereForTopicsThatAreGone(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.add("more", "x", 5, false, 1000, 0, "b", 0, 1)
	w.add("gone", "x", 5, false, 1000, 0, "c", 0)
	delete(w.leaders, "c")
	w.end("end", "x", 5, 1000, 0, true)
	w.leaders["b"] = NoLeader
	w.write(kerr.NotLeaderForPartition, false)
	if got := w.written(); got != "" {
		t.Error(got)
	}
	w.leaders["b"] = 3
	w.sender.LeadersChanged()
	w.settle()
	if len(w.asked) != 2 || w.asked[1].node != 3 {
		t.Errorf("want requests to 1 and 3: %+v", w.asked)
	}
	w.write(kerr.None, true) // the answers are lost
	w.pass(clock.Second)
	w.markers()
	w.wantState(t, "x", "CompleteCommit 1000/1")
	if w.sender.Waiting() != 0 {
		t.Error("markers are left")
	}
}

func TestMarkersUnderWayToADeposedLeaderAreSentToItsSuccessor(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "b", 0)
	w.end("end", "x", 5, 1000, 0, true)
	old := w.asked
	w.asked = nil
	w.leaders["b"] = 3
	w.sender.LeadersChanged()
	w.settle()
	w.markers()
	w.wantState(t, "x", "CompleteCommit 1000/1")
	w.asked = old
	w.markers() // which comes too late, and ends nothing
	w.wantState(t, "x", "CompleteCommit 1000/1")
}

func TestOneRequestAtATimeToAnotherNode(t *testing.T) {
	w := newWorld()
	for _, id := range []string{"x", "y", "z"} {
		w.init("init", id)
		w.add("add", id, 5, false, w.nextID-1, 0, "b", 0)
		w.end("end", id, 5, w.nextID-1, 0, true)
	}
	if len(w.asked) != 1 {
		t.Errorf("%d requests are under way", len(w.asked))
	}
	w.write(kerr.None, false)
	if len(w.asked) != 1 || len(w.asked[0].req.Markers) != 2 {
		t.Errorf("what came meanwhile does not go together")
	}
	w.markers()
	w.wantState(t, "z", "CompleteCommit 1002/1")
}

func TestATransactionThatLastsTooLongIsAborted(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.pass(60 * clock.Second)
	w.wantState(t, "x", "Ongoing 1000/0")
	w.pass(10 * clock.Second)
	w.wantState(t, "x", "PrepareAbort 1000/1")
	w.markers()
	w.wantState(t, "x", "CompleteAbort 1000/1")
	w.told()
	w.end("late", "x", 5, 1000, 0, true)
	w.init("goes on", "x", 1000, 0)
	w.want(t, "late INVALID_TXN_STATE -1/-1; goes on NONE 1000/1")
}

func TestAnIDThatIsNotUsedIsForgotten(t *testing.T) {
	w := newWorld()
	w.cfg.ExpirationMS = 24 * 60 * 60 * 1000
	w.init("idle", "x")
	w.init("open", "y")
	w.add("add", "y", 5, false, 1001, 0, "a", 0)
	w.cfg.AbortEachMS = 1 << 30
	w.c.aborts.Owner.TimerFired(&w.c.aborts)
	w.wantState(t, "y", "Ongoing 1001/0")
	w.pass(24 * 3600 * clock.Second)
	w.wantState(t, "x", "none")
	w.wantState(t, "y", "Ongoing 1001/0")
	w.told()
	w.add("gone", "x", 5, false, 1000, 0, "a", 0)
	w.describe("show", "x")
	w.init("anew", "x")
	w.want(t, "gone INVALID_PRODUCER_ID_MAPPING; show TRANSACTIONAL_ID_NOT_FOUND; anew NONE 1002/0")
	d := w.c.Digest()
	w.load()
	if w.c.Digest() != d {
		t.Error("a loaded log gives another state")
	}
}

func TestThatAnIDIsForgottenIsToldOnceItIsCommitted(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.told()
	w.auto = false
	w.pass(8 * 24 * 3600 * clock.Second)
	w.describe("show", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.want(t, "")
	w.move(w.log.end)
	w.want(t, "show TRANSACTIONAL_ID_NOT_FOUND; add INVALID_PRODUCER_ID_MAPPING")
}

func TestARefusedAppendLeavesNothingBehind(t *testing.T) {
	w := newWorld()
	w.log.refuse = kerr.NotEnoughReplicas
	w.init("init", "x")
	w.log.refuse = kerr.None
	w.init("again", "x")
	w.log.refuse = kerr.KafkaStorageError
	w.add("add", "x", 5, false, 1001, 0, "a", 0)
	w.log.refuse = kerr.None
	w.add("add again", "x", 5, false, 1001, 0, "a", 0)
	w.log.refuse = kerr.NotEnoughReplicas
	w.end("end", "x", 5, 1001, 0, true)
	w.log.refuse = kerr.None
	w.end("end again", "x", 5, 1001, 0, true)
	w.want(t, "init COORDINATOR_NOT_AVAILABLE -1/-1; again NONE 1001/0; add NOT_COORDINATOR; add again NONE; "+
		"end COORDINATOR_NOT_AVAILABLE -1/-1; end again NONE 1001/1")
	w.log.refuse = kerr.NotEnoughReplicas
	w.markers()
	w.wantState(t, "x", "PrepareCommit 1001/1")
	w.log.refuse = kerr.None
	w.pass(clock.Second)
	w.wantState(t, "x", "CompleteCommit 1001/1")
}

func TestARetryOfTheEndIsAnsweredAsTheEndWas(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.end("end", "x", 5, 1000, 0, true)
	w.end("too soon", "x", 5, 1000, 0, true)
	w.end("wrong", "x", 5, 1000, 0, false)
	w.markers()
	w.end("retry", "x", 5, 1000, 0, true)
	w.end("wrong", "x", 5, 1000, 0, false)
	w.end("nothing to commit", "x", 5, 1000, 1, true)
	w.end("nothing to abort", "x", 5, 1000, 1, false)
	w.end("retry of that", "x", 5, 1000, 1, false)
	w.end("too old", "x", 5, 1000, 0, true)
	w.want(t, "init NONE 1000/0; add NONE; end NONE 1000/1; too soon CONCURRENT_TRANSACTIONS -1/-1; wrong INVALID_TXN_STATE -1/-1; "+
		"retry NONE 1000/1; wrong INVALID_TXN_STATE -1/-1; nothing to commit INVALID_TXN_STATE -1/-1; nothing to abort NONE 1000/2; "+
		"retry of that NONE 1000/2; too old PRODUCER_FENCED -1/-1")
}

func TestEpochsThatAreUsedUpBringANewProducerID(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.told()
	at := func(epoch int16) {
		m := w.c.ids["x"].Metadata
		m.Epoch = epoch
		if code := w.c.write("x", &m); code != kerr.None {
			t.Fatal(code)
		}
		w.settle()
	}
	at(32766)
	w.add("last", "x", 5, false, 1000, 32766, "a", 0)
	w.end("end", "x", 5, 1000, 32766, true)
	w.want(t, "last NONE; end NONE 1001/0")
	w.wantState(t, "x", "PrepareCommit 1000/32767")
	w.add("next", "x", 5, false, 1001, 0, "a", 0) // which waits for the end
	w.want(t, "")
	w.markers()
	w.want(t, "next NONE")
	if got := w.written(); got != "1000/32767 a-0 true by 1" {
		t.Error(got)
	}
	w.end("end", "x", 5, 1001, 0, true)
	w.markers()
	at(32766)
	w.init("rotate", "x")
	w.want(t, "end NONE 1001/1; rotate NONE 1002/0")
	at(32766)
	w.add("open", "x", 5, false, 1002, 32766, "a", 0)
	w.init("fence", "x")
	w.markers()
	w.want(t, "open NONE; fence NONE 1003/1") // the abort has brought a new id
	at(32766)
	w.add("open", "x", 5, false, 1003, 32766, "a", 0)
	w.pass(80 * clock.Second)
	w.markers()
	w.wantState(t, "x", "CompleteAbort 1004/0")
}

func TestARetriedEndOfTheLastEpochIsRecognized(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	m := w.c.ids["x"].Metadata
	m.Epoch = 32766
	w.c.write("x", &m)
	w.settle()
	w.add("last", "x", 5, false, 1000, 32766, "a", 0)
	w.end("end", "x", 5, 1000, 32766, true)
	w.markers()
	w.told()
	w.end("retry", "x", 5, 1000, 32766, true)
	w.end("other", "x", 5, 1000, 32766, false)
	w.end("older", "x", 5, 1000, 32765, true)
	w.want(t, "retry NONE 1001/0; other INVALID_TXN_STATE -1/-1; older INVALID_PRODUCER_ID_MAPPING -1/-1")
	w.init("go on", "x", 1000, 32766)
	w.want(t, "go on NONE 1001/0") // lastEpoch is that epoch: the retry of what the end has done
}

func TestAProducerGoesOnAfterAnError(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.init("bump", "x", 1000, 0)
	w.init("retry", "x", 1000, 0)
	w.init("other id", "x", 999, 0)
	w.init("bump again", "x", 1000, 1)
	w.init("too old", "x", 1000, 0)
	w.init("new", "x")
	w.init("fenced", "x", 1000, 2)
	w.want(t, "init NONE 1000/0; bump NONE 1000/1; retry NONE 1000/1; other id PRODUCER_FENCED -1/-1; bump again NONE 1000/2; "+
		"too old PRODUCER_FENCED -1/-1; new NONE 1000/3; fenced PRODUCER_FENCED -1/-1")
}

func TestAProducerIDThatComesLateIsUsedForWhatIsThen(t *testing.T) {
	w := newWorld()
	w.async = true
	w.init("one", "x")
	w.init("two", "x")
	w.want(t, "")
	w.giveIDs()
	w.want(t, "one NONE 1000/0; two NONE 1000/1")
	w.init("three", "y")
	w.c.Unload(kerr.NotCoordinator)
	w.giveIDs()
	w.want(t, "three NOT_COORDINATOR -1/-1")
	w.load()
	w.noIDs = kerr.CoordinatorNotAvailable
	w.init("four", "z")
	w.giveIDs()
	w.want(t, "four COORDINATOR_NOT_AVAILABLE -1/-1")
}

func TestAReplyThatWaitsTooLongSaysSo(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	w.auto = false
	w.add("add", "x", 5, false, 1000, 0, "a", 0)
	w.told()
	w.pass(5 * clock.Second)
	w.want(t, "add COORDINATOR_NOT_AVAILABLE")
	w.add("look", "x", 5, true, 1000, 0, "a", 0)
	w.want(t, "look COORDINATOR_NOT_AVAILABLE")
	w.move(w.log.end)
	w.add("look", "x", 5, true, 1000, 0, "a", 0)
	w.want(t, "look NONE")
}
