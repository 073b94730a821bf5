package txn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/clock"
)

// twin is a coordinator that keeps nothing but what it was told, decides at once, and holds nothing: it says what the real one must answer. Its rules
// are written out case by case from KIP-98, KIP-360 and KIP-890, one transactional id a time.
type twin struct {
	ids   map[string]*known
	next  int64
	given int64 // the producer id that the call at hand has been given, -1 none
	late  bool  // ids come later
}

// needs says whether a producer id has to be waited for; take gives it.
func (w *twin) needs() bool { return w.given < 0 && w.late }

func (w *twin) take() int64 {
	if id := w.given; id >= 0 {
		w.given = -1
		return id
	}
	w.next++
	return w.next - 1
}

type known struct {
	pid, prev, after int64
	epoch, last      int
	state            string
	parts            []string
	version          int
	records          int      // how often it has changed
	waiting          []func() // what is held until the transaction is complete
}

func (k *known) begins(p string) {
	if !slices.Contains(k.parts, p) {
		k.parts = append(k.parts, p)
	}
}

// init gives the answer, "held", or "id": it waits for a producer id.
func (w *twin) init(id string, given bool, pid int64, epoch int) string {
	k := w.ids[id]
	if k == nil {
		if w.needs() {
			return "id"
		}
		n := w.take()
		k = &known{pid: n, prev: n, after: -1, epoch: 0, last: -1, state: "Empty"}
		w.ids[id] = k
		return fmt.Sprintf("NONE %d/0", k.pid)
	}
	mine := pid == k.pid || pid == k.prev && epoch >= 32766
	switch {
	case given && !mine:
		return "PRODUCER_FENCED -1/-1"
	case strings.HasPrefix(k.state, "Prepare"):
		return "held"
	case k.state == "Ongoing":
		if k.epoch >= 32766 && w.needs() {
			return "id"
		}
		w.abort(k)
		return "held"
	case k.epoch >= 32766 && (!given || epoch == k.epoch):
		if w.needs() {
			return "id"
		}
		k.last = -1
		if given {
			k.last = k.epoch
		}
		k.prev, k.pid, k.epoch = k.pid, w.take(), 0
	case given && epoch == k.epoch:
		k.prev, k.last, k.epoch = k.pid, k.epoch, k.epoch+1
	case given && epoch == k.last:
		k.prev = k.pid
	case given:
		return "PRODUCER_FENCED -1/-1"
	default:
		k.prev, k.last, k.epoch = k.pid, -1, k.epoch+1
	}
	k.state, k.parts, k.after = "Empty", nil, -1
	k.records++
	return fmt.Sprintf("NONE %d/%d", k.pid, k.epoch)
}

// abort aborts an open transaction, as a cluster of the second version does.
func (w *twin) abort(k *known) {
	k.after = -1
	if k.epoch >= 32766 {
		k.after = w.take()
	}
	k.records++
	k.last = k.epoch
	k.epoch++
	k.state, k.version, k.prev = "PrepareAbort", 2, k.pid
}

func (w *twin) add(id string, second bool, pid int64, epoch int, p string) string {
	k := w.ids[id]
	switch {
	case k == nil:
		return "INVALID_PRODUCER_ID_MAPPING"
	case strings.HasPrefix(k.state, "Prepare") && k.version == 2 && k.after >= 0 && pid == k.after && epoch == 0:
		return "held"
	case k.pid != pid:
		return "INVALID_PRODUCER_ID_MAPPING"
	case k.epoch != epoch:
		return "PRODUCER_FENCED"
	case strings.HasPrefix(k.state, "Prepare"):
		return "held"
	case k.state == "Ongoing" && slices.Contains(k.parts, p):
		return "NONE"
	}
	k.state, k.prev, k.version = "Ongoing", k.pid, 0
	k.records++
	if second {
		k.version = 2
	}
	k.begins(p)
	return "NONE"
}

func (w *twin) look(id string, pid int64, epoch int, p string) string {
	k := w.ids[id]
	switch {
	case k == nil || k.pid != pid:
		return "INVALID_PRODUCER_ID_MAPPING"
	case k.epoch != epoch:
		return "PRODUCER_FENCED"
	case strings.HasPrefix(k.state, "Prepare"):
		return "CONCURRENT_TRANSACTIONS"
	case slices.Contains(k.parts, p):
		return "NONE"
	}
	return "TRANSACTION_ABORTABLE"
}

func (w *twin) end1(id string, pid int64, epoch int, commit bool) string {
	k := w.ids[id]
	want := map[bool]string{true: "Commit", false: "Abort"}[commit]
	switch {
	case k == nil || k.pid != pid:
		return "INVALID_PRODUCER_ID_MAPPING"
	case k.epoch != epoch:
		return "PRODUCER_FENCED"
	case k.state == "Ongoing":
		k.state, k.version, k.prev, k.after = "Prepare"+want, 0, k.pid, -1
		k.records++
		return "NONE"
	case k.state == "Prepare"+want:
		return "CONCURRENT_TRANSACTIONS"
	case k.state == "Complete"+want:
		return "NONE"
	}
	return "INVALID_TXN_STATE"
}

func (w *twin) end2(id string, pid int64, epoch int, commit bool) string {
	k := w.ids[id]
	if k == nil {
		return "INVALID_PRODUCER_ID_MAPPING -1/-1"
	}
	next := k.after >= 0 && pid == k.after && epoch == 0 || k.after < 0 && pid == k.pid && epoch == k.epoch
	if strings.HasPrefix(k.state, "Prepare") && k.version == 2 && next {
		return "held"
	}
	want := map[bool]string{true: "Commit", false: "Abort"}[commit]
	overflow := k.prev == pid && epoch == 32766 && k.epoch == 0
	bumped := k.epoch == epoch+1
	same := k.epoch == epoch
	if k.pid != pid && !overflow {
		return "INVALID_PRODUCER_ID_MAPPING -1/-1"
	}
	ok := map[string]bool{
		"Empty": same, "Ongoing": same, "PrepareCommit": bumped, "PrepareAbort": bumped,
		"CompleteCommit": bumped || overflow || same, "CompleteAbort": bumped || overflow || same,
	}[k.state]
	if !ok {
		return "PRODUCER_FENCED -1/-1"
	}
	retry := bumped || overflow
	switch {
	case k.state == "Ongoing":
	case k.state == "Prepare"+want:
		return "CONCURRENT_TRANSACTIONS -1/-1"
	case k.state == "Complete"+want && retry:
		return fmt.Sprintf("NONE %d/%d", k.pid, k.epoch)
	case commit || retry || strings.HasPrefix(k.state, "Prepare"):
		return "INVALID_TXN_STATE -1/-1"
	}
	if k.epoch >= 32766 && w.needs() {
		return "id"
	}
	k.after = -1
	if k.epoch >= 32766 {
		k.after = w.take()
	}
	k.records++
	k.last = k.epoch
	if k.epoch < 32767 {
		k.epoch++
	}
	k.state, k.version, k.prev = "Prepare"+want, 2, k.pid
	if k.after >= 0 {
		return fmt.Sprintf("NONE %d/0", k.after)
	}
	return fmt.Sprintf("NONE %d/%d", k.pid, k.epoch)
}

// complete ends what is decided, and says for what it was held.
func (w *twin) complete(k *known) {
	if !strings.HasPrefix(k.state, "Prepare") {
		return
	}
	k.prev = k.pid
	k.records++
	if k.version == 2 && k.after >= 0 {
		k.pid, k.epoch = k.after, 0
	}
	k.state, k.after, k.parts = strings.Replace(k.state, "Prepare", "Complete", 1), -1, nil
	held := k.waiting
	k.waiting = nil
	for _, f := range held {
		f()
	}
}

// only reads the one record of a batch.
func only(b records.View) (string, Metadata) {
	r := records.NewReader(b, &records.Scratch{})
	rec, _, _ := r.Next()
	id, _, _ := readKey(rec.Key)
	m, _ := readValue(rec.Value)
	return id, m
}

func TestTheCoordinatorAnswersAsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.cfg.AbortEachMS, w.cfg.ExpireEachMS = 1<<30, 1<<30
		w.auto = rapid.Bool().Draw(t, "the high watermark follows")
		twin := &twin{ids: map[string]*known{}, next: w.nextID, given: -1}
		expected := map[string]string{}
		var needing []func(id int64) // what waits for a producer id, in order
		n := 0
		ask := func(id string, says func() string, does func(name string)) {
			n++
			name := fmt.Sprint("r", n)
			var try func()
			try = func() {
				switch a := says(); a {
				case "held":
					k := twin.ids[id]
					k.waiting = append(k.waiting, try)
				case "id":
					needing = append(needing, func(n int64) {
						twin.given = n
						try()
						twin.given = -1 // an id that turned out not to be needed is nobody's
					})
				default:
					expected[name] = a
				}
			}
			try()
			does(name)
			// A decision about nothing is carried out as soon as it is committed.
		}
		id := func(t *rapid.T) string { return rapid.SampledFrom([]string{"x", "y"}).Draw(t, "id") }
		// who draws a producer: mostly the present one, else one near it.
		who := func(t *rapid.T, id string) (int64, int) {
			k := twin.ids[id]
			if k == nil {
				return 1000, 0
			}
			pid, epoch := k.pid, k.epoch
			switch rapid.IntRange(0, 9).Draw(t, "whose") {
			case 0:
				epoch--
			case 1:
				epoch++
			case 2:
				pid, epoch = k.prev, 32766
			case 3:
				pid = k.prev
			case 4:
				epoch = k.last
			case 5:
				if k.after >= 0 {
					pid, epoch = k.after, 0
				}
			}
			return pid, max(epoch, 0)
		}
		part := func(t *rapid.T) (string, int32) {
			return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"), rapid.Int32Range(0, 3).Draw(t, "partition")
		}
		// follow has the twin complete what the real one has completed; held requests are answered then.
		seen := 0
		follow := func() {
			for ; seen < len(w.log.batches); seen++ {
				id, m := only(w.log.batches[seen])
				if m.State != CompleteCommit && m.State != CompleteAbort {
					continue
				}
				twin.complete(twin.ids[id])
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"init": func(t *rapid.T) {
				id := id(t)
				if rapid.Bool().Draw(t, "goes on") {
					pid, epoch := who(t, id)
					if epoch == 0 && pid < 0 {
						return
					}
					ask(id, func() string { return twin.init(id, true, pid, epoch) }, func(name string) { w.init(name, id, pid, int64(epoch)) })
					return
				}
				ask(id, func() string { return twin.init(id, false, -1, -1) }, func(name string) { w.init(name, id) })
			},
			"add": func(t *rapid.T) {
				id := id(t)
				pid, epoch := who(t, id)
				topic, p := part(t)
				second := rapid.Bool().Draw(t, "second version")
				ask(id, func() string { return twin.add(id, second, pid, epoch, fmt.Sprint(topic, p)) }, func(name string) {
					w.add(name, id, map[bool]int16{false: 3, true: 5}[second], false, pid, int16(epoch), topic, p)
				})
			},
			"look": func(t *rapid.T) {
				id := id(t)
				pid, epoch := who(t, id)
				topic, p := part(t)
				ask(id, func() string { return twin.look(id, pid, epoch, fmt.Sprint(topic, p)) }, func(name string) {
					w.add(name, id, 5, true, pid, int16(epoch), topic, p)
				})
			},
			"end": func(t *rapid.T) {
				id := id(t)
				pid, epoch := who(t, id)
				commit, second := rapid.Bool().Draw(t, "commit"), rapid.Bool().Draw(t, "second version")
				if second {
					ask(id, func() string { return twin.end2(id, pid, epoch, commit) }, func(name string) { w.end(name, id, 5, pid, int16(epoch), commit) })
				} else {
					ask(id, func() string { return twin.end1(id, pid, epoch, commit) }, func(name string) { w.end(name, id, 4, pid, int16(epoch), commit) })
				}
			},
			"epochs run out": func(t *rapid.T) {
				id := id(t)
				k, e := twin.ids[id], w.c.ids[id]
				if k == nil || e == nil || k.state != "Empty" {
					return
				}
				m := e.Metadata
				m.Epoch = int16(rapid.IntRange(32764, 32766).Draw(t, "epoch"))
				if w.c.write(id, &m) == kerr.None {
					k.epoch = int(m.Epoch)
				}
				w.settle()
			},
			"markers": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "are written") {
					w.write(kerr.None, false)
				} else {
					w.write(kerr.NotLeaderForPartition, rapid.Bool().Draw(t, "the answer is lost"))
					w.sender.LeadersChanged()
					w.settle()
				}
			},
			"high watermark": func(t *rapid.T) { w.move(rapid.Int64Range(w.log.hw, w.log.end).Draw(t, "to")) },
			"time-out": func(t *rapid.T) {
				w.env.Now.Wall += 120_000
				for e := w.c.open.First(); e != nil; e = e.inOpen.Next() { // which of two gets the lower producer id hangs on their order
					k := twin.ids[e.id]
					if k.epoch < 32766 || !twin.needs() {
						twin.abort(k)
						continue
					}
					at := k.records
					needing = append(needing, func(n int64) {
						if k.records == at {
							twin.given = n
							twin.abort(k)
						}
						twin.given = -1
					})
				}
				w.c.abortTimedOut()
				w.settle()
			},
			"producer ids are given out late": func(t *rapid.T) {
				if len(needing) == 0 {
					w.async = rapid.Bool().Draw(t, "late")
					twin.late = w.async
				}
			},
			"producer ids": func(t *rapid.T) {
				follow()
				all := needing
				needing = nil
				for _, f := range all {
					twin.next++
					f(twin.next - 1)
				}
				w.giveIDs()
			},
			"restart": func(t *rapid.T) {
				d := w.c.Digest()
				w.c.Unload(kerr.NotCoordinator)
				for i := range needing { // they are refused once the ids are there
					needing[i] = func(int64) {}
				}
				for name := range expected {
					if w.answers[name] == "" {
						t.Fatalf("%s is not answered though its coordinator is gone", name)
					}
					delete(expected, name)
				}
				for _, k := range twin.ids {
					k.last, k.waiting = -1, nil
				}
				w.asked = nil
				w.load()
				if w.c.Digest() != d {
					t.Fatal("a loaded log gives another state")
				}
			},
			"": func(t *rapid.T) {
				follow()
				for name, want := range expected {
					if got, ok := w.answers[name]; ok {
						if got != want {
							t.Fatalf("%s: got %q, want %q", name, got, want)
						}
						delete(expected, name)
					}
				}
				for _, id := range []string{"x", "y"} {
					want := "none"
					if k := twin.ids[id]; k != nil {
						want = fmt.Sprintf("%s %d/%d", k.state, k.pid, k.epoch)
					}
					if got := w.stateOf(id); got != want {
						t.Fatalf("%s is %s, want %s", id, got, want)
					}
				}
				for _, e := range w.early {
					t.Fatalf("answered before its record was below the high watermark: %s", e)
				}
				if w.auto && len(w.asked) == 0 && w.sender.Waiting() == 0 {
					for name := range expected {
						t.Fatalf("%s is not answered", name)
					}
				}
			},
		})
		w.auto = true
		w.async = false
		w.giveIDs()
		w.settle()
		for i := 0; i < 50 && (len(w.asked) > 0 || w.sender.Waiting() > 0); i++ {
			w.write(kerr.None, false)
			w.pass(10 * clock.Millisecond)
		}
	})
}
