package quorum

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

func stopEvent() step.Event    { return step.Event{Kind: step.Stop} }
func transferMail() step.Mail  { return step.Mail{Kind: link.MailTransfer} }
func (h *host) freeze() string { return h.ask(step.Mail{Kind: link.MailFreeze}) }

func (h *host) ask(m step.Mail) string {
	h.w.t.Helper()
	h.mu.Lock()
	h.token++
	m.Token = h.token
	h.mu.Unlock()
	h.mail(m)
	h.until(10*time.Second, "it answers", func() bool { _, ok := h.changed[m.Token]; return ok })
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed[m.Token]
}

func (h *host) change(kind uint8, m link.Member) string {
	h.w.t.Helper()
	return h.ask(step.Mail{Kind: link.MailChange, Body: &link.Change{Kind: kind, Member: m}})
}

func (h *host) voter(id string) (voter, member bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.lead.Members, func(m link.Member) bool { return m.ID == id })
	return i >= 0 && h.lead.Members[i].Voter, i >= 0
}

func TestMembersComeChangeAndGo(t *testing.T) {
	inWorld(t, 4, 20, func(w *world) {
		all := []link.Member{w.hosts[0].member(true), w.hosts[1].member(true), w.hosts[2].member(true)}
		w.hosts[0].launch(link.Start{Bootstrap: all})
		for _, h := range w.hosts[1:] {
			h.launch(link.Start{})
		}
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		n := w.hosts[3]
		steps := []struct {
			kind          uint8
			voter, member bool
		}{{link.AddNonvoter, false, true}, {link.AddVoter, true, true}, {link.Demote, false, true}, {link.Remove, false, false}, {link.AddVoter, true, true}}
		for i, s := range steps {
			if text := l.change(s.kind, n.member(true)); text != "" {
				t.Fatalf("change %d: %s", i, text)
			}
			w.until(2*time.Second, "the change is known", func() bool {
				v, m := w.hosts[1].voter(n.id())
				return v == s.voter && m == s.member
			})
			l.commit(topic(i + 1))
			if s.member {
				n.until(2*time.Second, "the new member follows", func() bool { return len(n.images) > 0 && has(n.images[len(n.images)-1], i+1) })
			}
		}
		other := w.hosts[1]
		if other == l {
			other = w.hosts[2]
		}
		if text := other.change(link.AddVoter, n.member(true)); text == "" {
			t.Error("a follower changed the members")
		}
		if text := l.change(link.Remove, l.member(true)); text != "" {
			t.Error("the leader did not remove itself:", text)
		}
		l.until(2*time.Second, "it gives up leading", func() bool { return !l.lead.Leader })
		if w.leader(3*time.Second) == l {
			t.Error("who was removed leads")
		}
	})
}

func TestAFollowerThatLagsGetsASnapshot(t *testing.T) {
	inWorld(t, 3, 21, func(w *world) {
		for _, h := range w.hosts {
			h.trail = 5
		}
		w.found()
		l := w.leader(2 * time.Second)
		lag := w.hosts[(l.n+1)%3]
		l.commit(topic(0))
		lag.crash(true)
		for i := range 40 {
			l.commit(topic(i + 1))
		}
		if text := l.freeze(); text != "" {
			t.Fatal(text)
		}
		first, _ := l.node.logs.FirstIndex()
		lag.launch(link.Start{})
		w.agree(5*time.Second, 41)
		if s := lag.node.snapshots.newest(); s == nil || s.Index < first {
			t.Fatalf("the follower has snapshot %+v, and the leader's log begins at %d", s, first)
		}
		if len(lag.images) > 25 {
			t.Errorf("it was told of %d images", len(lag.images))
		}
		if !l.commit(topic(41)) {
			t.Fatal("refused")
		}
		w.agree(time.Second, 42)
		for _, h := range w.hosts {
			h.crash(true)
		}
		for _, h := range w.hosts {
			h.launch(link.Start{})
			if h == lag && (h.state.Image.Index() < 30 || len(h.state.Image.Topics()) < 35 || !h.state.HasState) {
				t.Errorf("after a restart it knows %+v", h.state)
			}
		}
		w.leader(5 * time.Second).commit(topic(42))
		w.agree(5*time.Second, 43)
	})
}

func TestASnapshotReplacesALongerLogThatConflicts(t *testing.T) {
	inWorld(t, 3, 22, func(w *world) {
		for _, h := range w.hosts {
			h.trail = 1
		}
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		w.isolate(l.n, true)
		// The old leader's log grows, and is never committed.
		for i := range 60 {
			term := l.knows().Term
			l.proposeIn(disk.Token(1000+i), term, term, topic(5000+i))
		}
		l.until(2*time.Second, "it gives up", func() bool { return !l.lead.Leader })
		var l2 *host
		w.until(5*time.Second, "another leads", func() bool {
			for _, h := range w.hosts {
				if h != l && h.knows().Leader {
					l2 = h
				}
			}
			return l2 != nil
		})
		for i := range 20 {
			l2.commit(topic(i + 1))
		}
		if text := l2.freeze(); text != "" {
			t.Fatal(text)
		}
		l2.commit(topic(21))
		last, _ := l.node.logs.LastIndex()
		if s := l2.node.snapshots.newest(); last <= s.Index {
			t.Fatalf("the old log ends at %d, the snapshot at %d", last, s.Index)
		}
		w.isolate(l.n, false)
		w.agree(10*time.Second, 22)
		if s := l.node.snapshots.newest(); s == nil {
			t.Fatal("no snapshot was installed")
		}
	})
}

func TestADirectoryWithoutAQuorumBecomesTheFirstSnapshot(t *testing.T) {
	img := metadata.Empty()
	for i := range 30 {
		img, _ = img.Apply(int64(i), 7, metadata.Entry{Term: 7, Records: []metadata.Record{topic(i)}})
	}
	inWorld(t, 3, 23, func(w *world) {
		var all []link.Member
		for _, h := range w.hosts {
			all = append(all, h.member(true))
		}
		w.hosts[0].launch(link.Start{Bootstrap: all, Snapshot: img})
		w.hosts[1].launch(link.Start{})
		w.hosts[2].launch(link.Start{})
		l := w.leader(3 * time.Second)
		if l.knows().Term <= 7 {
			t.Errorf("the first term is %d", l.knows().Term)
		}
		w.agree(3*time.Second, 30)
		if !l.commit(topic(30)) || l.image().Index() <= 29 {
			t.Fatalf("refused, or at %d", l.image().Index())
		}
		w.agree(time.Second, 31)
		for _, h := range w.hosts {
			h.crash(true)
		}
		for _, h := range w.hosts {
			h.launch(link.Start{})
		}
		w.leader(3 * time.Second).commit(topic(31))
		w.agree(3*time.Second, 32)
	})
}

func TestAWipedNodeIsNotAskedForItsFormerSelf(t *testing.T) {
	inWorld(t, 3, 24, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		wiped := w.hosts[(l.n+1)%3]
		former := wiped.id()
		wiped.crash(true)
		wiped.disk = w.add().disk
		w.hosts = w.hosts[:3]
		wiped.dir[0]++
		w.hello = nil
		wiped.launch(link.Start{})
		if wiped.state.HasState {
			t.Error("it has state")
		}
		time.Sleep(2 * time.Second)
		if wiped.image().Index() >= 0 || wiped.node.stable.get().voteTerm != 0 || len(wiped.knows().Members) != 0 {
			t.Error("it answered for its former self")
		}
		asked := false
		for _, h := range w.hello {
			asked = asked || h.Want == former && h.From == l.id() && h.Address == l.address
			if strings.HasPrefix(h.Want, wiped.id()) {
				t.Errorf("%+v wants who nobody knows", h)
			}
		}
		if !asked {
			t.Errorf("nobody asked for %s: %+v", former, w.hello)
		}
		if text := l.change(link.AddNonvoter, wiped.member(false)); text != "" {
			// The former self has the address.
			if text := l.change(link.Remove, link.Member{ID: former}); text != "" {
				t.Fatal(text)
			}
			if text := l.change(link.AddNonvoter, wiped.member(false)); text != "" {
				t.Fatal(text)
			}
		}
		w.agree(3*time.Second, 1)
	})
}

func TestAFoundingThatACrashInterruptedIsRepeated(t *testing.T) {
	img, _ := metadata.Empty().Apply(50, 7, metadata.Entry{Term: 7, Records: []metadata.Record{topic(0)}})
	for _, snapshot := range []*metadata.Image{nil, img} {
		for ops := 1; ops < 45; ops++ {
			inWorld(t, 1, 25, func(w *world) {
				h := w.hosts[0]
				start := link.Start{ID: h.id(), Address: h.address, Bootstrap: []link.Member{h.member(true)}, Snapshot: snapshot, Sole: true}
				n := 0
				h.disk.Fail = func(*disk.Request) disk.Err {
					if n++; n > ops {
						return disk.ErrIO
					}
					return disk.OK
				}
				h.boot()
				if h.failed == "" {
					h.mail(step.Mail{Kind: link.MailStart, Body: &start})
				}
				time.Sleep(100 * time.Millisecond)
				h.crash(ops%2 == 0)
				h.disk.Fail = nil
				h.boot()
				if h.failed != "" {
					t.Fatalf("after %d requests: %s", ops, h.failed)
				}
				if h.state.HasState {
					start.Bootstrap, start.Snapshot = nil, nil
				}
				h.mail(step.Mail{Kind: link.MailStart, Body: &start})
				w.leader(time.Second)
				if snapshot != nil && !has(h.image(), 0) {
					t.Fatalf("after %d requests the state is gone", ops)
				}
			})
		}
	}
}
