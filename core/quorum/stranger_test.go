package quorum

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
)

// counts says whether a host has another as a voter, by the newest change in its log.
func (h *host) counts(other *host) bool {
	return slices.ContainsFunc(h.node.current().GetConfiguration().Configuration().Servers, func(s raft.Server) bool {
		return s.ID == raft.ServerID(other.id()) && s.Suffrage == raft.Voter
	})
}

// removing asks for a removal, and does not wait for what becomes of it.
func (h *host) removing(other *host) {
	h.mail(step.Mail{Kind: link.MailChange, Token: 1 << 40, Body: &link.Change{Kind: link.Remove, Member: other.member(true)}})
}

// Two leaders, one after the other, each remove a voter with a change that is not committed. Who leads next needs the vote of the first, which has
// removed it.
func TestAVoterVotesForACandidateThatOnlyAnUncommittedChangeHasRemoved(t *testing.T) {
	inWorld(t, 3, 7, func(w *world) {
		w.found()
		a := w.leader(2 * time.Second)
		a.commit(topic(0))
		w.agree(time.Second, 1)
		x, y := w.hosts[(a.n+1)%3], w.hosts[(a.n+2)%3]
		w.isolate(a.n, true)
		a.removing(x)
		w.until(time.Second, "the removal stands in the first leader's log", func() bool { return !a.counts(x) })
		w.until(10*time.Second, "another leads", func() bool { return x.knows().Leader || y.knows().Leader })
		if y.knows().Leader {
			y.mail(transferMail())
			w.until(5*time.Second, "it hands over", func() bool { return x.knows().Leader })
		}
		if !x.commit(topic(1)) {
			t.Fatal("refused")
		}
		x.removing(y)
		w.until(time.Second, "the other knows that it is removed", func() bool { return !x.counts(y) && !y.counts(y) })
		w.until(20*time.Second, "it gives up", func() bool { return !x.knows().Leader })
		w.isolate(a.n, false)
		l := w.leader(20 * time.Second)
		if !l.commit(topic(2)) {
			t.Fatal("refused")
		}
		if v := l.counts(x) && l.counts(a) && !l.counts(y); l == x && !v {
			t.Fatal("the removal that its leader's log has is lost")
		}
	})
}
