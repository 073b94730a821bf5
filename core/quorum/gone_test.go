package quorum

import (
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
)

// tellGone tells every host but the leader that the leader's machine refuses connections.
func (w *world) tellGone(leader *host) {
	for _, h := range w.hosts {
		if h != leader && h.up() {
			h.mail(step.Mail{Kind: link.MailGone, Body: leader.id()})
		}
	}
}

func TestALeaderWhoseMachineRefusesIsSucceededWithinTensOfMillisecondsOfSilence(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		inWorld(t, 5, seed, func(w *world) {
			w.found()
			l := w.leader(2 * time.Second)
			if !l.commit(topic(0)) {
				t.Fatal("refused")
			}
			w.agree(time.Second, 1)
			term := l.knows().Term
			l.crash(false)
			begin := time.Now()
			w.tellGone(l)
			next := w.leader(silence + 50*time.Millisecond)
			if next == l || next.knows().Term != term+1 {
				t.Fatalf("seed %d: %d leads in term %d after %v", seed, next.n, next.knows().Term, time.Since(begin))
			}
		})
	}
}

// Whoever is heard is there, whatever its address answers.
func TestALeaderThatIsHeardStays(t *testing.T) {
	inWorld(t, 3, 1, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		w.agree(time.Second, 1)
		term := l.knows().Term
		for range 5 {
			w.tellGone(l)
			time.Sleep(time.Second)
		}
		if now := w.leader(time.Second); now != l || l.knows().Term != term {
			t.Fatalf("%d leads in term %d, was %d in %d", now.n, now.knows().Term, l.n, term)
		}
	})
}

func TestANodeThatIsNoVoterSucceedsNobody(t *testing.T) {
	inWorld(t, 2, 1, func(w *world) {
		l, other := w.hosts[0], w.hosts[1]
		l.launch(link.Start{Bootstrap: []link.Member{l.member(true)}, Sole: true})
		w.leader(time.Second)
		other.launch(link.Start{})
		if why := l.change(link.AddNonvoter, other.member(false)); why != "" {
			t.Fatal(why)
		}
		l.commit(topic(0))
		w.agree(time.Second, 1)
		term := other.knows().Term
		l.crash(false)
		w.tellGone(l)
		time.Sleep(3 * time.Second)
		if k := other.knows(); k.Leader || k.Term != term {
			t.Fatalf("%+v", k)
		}
	})
}
