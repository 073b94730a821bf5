package quorum

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// acknowledged proposes topics from n on until k of them were acknowledged, at whoever leads, and gives their numbers.
func (w *world) acknowledged(n, k int) (acked []int, next int) {
	for len(acked) < k {
		if w.leader(10 * time.Second).commit(topic(n)) {
			acked = append(acked, n)
		}
		n++
	}
	return acked, n
}

func has(img *metadata.Image, n int) bool { return img.TopicByName(fmt.Sprintf("t%05d", n)) != nil }

func TestWhatWasAcknowledgedSurvivesLossesOfPower(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, 3, 100+seed, func(w *world) {
				for _, h := range w.hosts {
					h.wait = time.Duration(w.rand.Between(1, 6)) * time.Millisecond
				}
				w.found()
				var all []int
				next := 0
				for range 8 {
					var acked []int
					acked, next = w.acknowledged(next, 4)
					all = append(all, acked...)
					down := []*host{w.hosts[w.rand.Intn(3)]}
					if w.rand.Permille(400) {
						down = w.hosts
					}
					w.leader(10 * time.Second).propose(topic(next)) // in flight
					next++
					time.Sleep(time.Duration(w.rand.Between(0, 12_000)) * time.Microsecond)
					for _, h := range down {
						h.crash(true)
					}
					time.Sleep(time.Duration(w.rand.Between(0, 1000)) * time.Millisecond)
					for _, h := range down {
						h.launch(link.Start{})
					}
				}
				l := w.leader(10 * time.Second)
				l.commit(topic(next))
				w.until(5*time.Second, "all agree", func() bool {
					d := l.image().Digest()
					return w.hosts[0].image().Digest() == d && w.hosts[1].image().Digest() == d && w.hosts[2].image().Digest() == d
				})
				for _, n := range all {
					if !has(l.image(), n) {
						t.Errorf("entry %d was acknowledged and is gone", n)
					}
				}
				claimed := map[int64]int{}
				for _, h := range w.hosts {
					for _, term := range h.claims {
						if by, ok := claimed[term]; ok && by != h.n {
							t.Errorf("hosts %d and %d both claimed to lead in term %d", by, h.n, term)
						}
						claimed[term] = h.n
					}
				}
			})
		})
	}
}

func TestALeaderThatIsCutOffStopsClaimingAndItsEntriesAreRefused(t *testing.T) {
	inWorld(t, 3, 4, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		w.isolate(l.n, true)
		token := l.propose(topic(1))
		l.until(time.Second, "it stops claiming", func() bool { return !l.lead.Leader })
		l.until(time.Second, "the entry is refused", func() bool { return l.refused[token] })
		w.until(3*time.Second, "another leads", func() bool {
			for _, h := range w.hosts {
				if h != l && h.knows().Leader {
					return true
				}
			}
			return false
		})
		w.isolate(l.n, false)
		l2 := w.leader(time.Second)
		if !l2.commit(topic(2)) {
			t.Fatal("refused")
		}
		w.agree(3*time.Second, 2)
		if has(l.image(), 1) {
			t.Error("the entry of a leader without a majority was folded")
		}
	})
}

func TestAnEntryDecidedInAnotherTermIsNotApplied(t *testing.T) {
	inWorld(t, 1, 5, func(w *world) {
		h := w.hosts[0]
		h.launch(link.Start{Bootstrap: []link.Member{h.member(true)}, Sole: true})
		w.leader(time.Second)
		term := h.knows().Term
		h.proposeIn(1, term, term-1, topic(1))
		h.until(time.Second, "it is folded", func() bool { return h.answered(1) })
		if applied, ok := h.applied[1]; !ok || applied || has(h.image(), 1) {
			t.Errorf("applied %v, answered by an image %v", applied, ok)
		}
		h.proposeIn(2, term-1, term-1, topic(2))
		h.until(time.Second, "it is refused", func() bool { return h.refused[2] })
	})
}

func TestANodeWhoseDiskFailsEndsAndPromisesNothing(t *testing.T) {
	for _, what := range []struct {
		name string
		kind disk.Kind
		err  disk.Err
		part string
	}{
		{"log write", disk.Write, disk.ErrIO, ".raft"}, {"sync", disk.Sync, disk.ErrIO, ""}, {"full", disk.Write, disk.ErrNoSpace, ""},
	} {
		t.Run(what.name, func(t *testing.T) {
			inWorld(t, 1, 6, func(w *world) {
				h := w.hosts[0]
				h.launch(link.Start{Bootstrap: []link.Member{h.member(true)}, Sole: true})
				w.leader(time.Second)
				h.disk.Fail = func(r *disk.Request) disk.Err {
					if r.Kind == what.kind {
						return what.err
					}
					return disk.OK
				}
				token := h.propose(topic(1))
				h.until(5*time.Second, "it says that it failed", func() bool { return h.failed != "" })
				if h.answered(token) && !h.refused[token] || !strings.Contains(h.failed, "; ") {
					t.Errorf("answered %v, failed with %q", h.answered(token), h.failed)
				}
			})
		})
	}
}

func TestAFullDiskIsWaitedFor(t *testing.T) {
	inWorld(t, 1, 7, func(w *world) {
		h := w.hosts[0]
		h.launch(link.Start{Bootstrap: []link.Member{h.member(true)}, Sole: true})
		w.leader(time.Second)
		until := time.Now().Add(500 * time.Millisecond)
		h.disk.Fail = func(r *disk.Request) disk.Err {
			if r.Kind == disk.Write && time.Now().Before(until) {
				return disk.ErrNoSpace
			}
			return disk.OK
		}
		if !h.commit(topic(1)) || h.failed != "" {
			t.Errorf("failed: %q", h.failed)
		}
		h.crash(true)
		h.launch(link.Start{Sole: true})
		w.leader(time.Second)
		w.agree(time.Second, 1)
	})
}

func TestAStopGivesLeadershipAwayAndLosesNothing(t *testing.T) {
	inWorld(t, 3, 8, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		l.post(l.living(), stopEvent())
		l.until(2*time.Second, "it has stopped", func() bool { return l.stopped })
		at := time.Now()
		l.crash(false)
		l2 := w.leader(time.Second)
		if d := time.Since(at); d > 100*time.Millisecond || !l2.commit(topic(1)) {
			t.Errorf("the next leader took %v", d)
		}
		l.launch(link.Start{})
		w.agree(2*time.Second, 2)
	})
}

func TestAStopBeforeStartEnds(t *testing.T) {
	inWorld(t, 1, 9, func(w *world) {
		h := w.hosts[0]
		h.boot()
		h.post(h.living(), stopEvent())
		h.until(time.Second, "it has stopped", func() bool { return h.stopped })
	})
}

func TestATransferIsAnsweredOnceAnotherLeads(t *testing.T) {
	inWorld(t, 3, 10, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		l.mail(transferMail())
		l.until(2*time.Second, "it is answered", func() bool { return l.moved })
		l.until(time.Second, "it does not claim", func() bool { return !l.lead.Leader })
		if w.leader(time.Second) == l {
			t.Error("the same leads")
		}
	})
}

func TestPartitionsAndKillsLoseNothingThatWasAcknowledged(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, 5, 300+seed, func(w *world) {
				for _, h := range w.hosts {
					h.trail = 3
				}
				w.found()
				var all []int
				next := 0
				for range 10 {
					var acked []int
					acked, next = w.acknowledged(next, 5)
					all = append(all, acked...)
					away, dead := w.hosts[w.rand.Intn(5)], w.hosts[w.rand.Intn(5)]
					w.isolate(away.n, true)
					dead.crash(w.rand.Permille(500))
					if h := w.hosts[w.rand.Intn(5)]; h != dead {
						h.mail(step.Mail{Kind: link.MailFreeze, Token: 1 << 40})
					}
					time.Sleep(time.Duration(w.rand.Between(0, 1500)) * time.Millisecond)
					w.isolate(away.n, false)
					dead.launch(link.Start{})
				}
				w.until(20*time.Second, "all agree", func() bool {
					for _, h := range w.hosts {
						for _, n := range all {
							if !has(h.image(), n) {
								return false
							}
						}
						if h.image().Digest() != w.hosts[0].image().Digest() {
							return false
						}
					}
					return true
				})
			})
		})
	}
}
