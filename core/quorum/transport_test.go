package quorum

import (
	"testing"
	"time"
)

// A proposal takes one write, one way and back to a follower and its write; then followers are told.
func TestFollowersLearnAtOnceWhatIsCommitted(t *testing.T) {
	inWorld(t, 3, 41, func(w *world) {
		w.found()
		l := w.leader(5 * time.Second)
		w.agree(time.Second, 0)
		for n := range 20 {
			if !l.commit(topic(n)) {
				t.Fatal("the proposal was refused")
			}
			w.agree(netTime+4*time.Millisecond, n+1)
			time.Sleep(time.Duration(n*13) * time.Millisecond)
		}
		l.crash(false)
		l = w.leader(5 * time.Second)
		if !l.commit(topic(20)) {
			t.Fatal("the new leader's proposal was refused")
		}
		w.agree(netTime+4*time.Millisecond, 21)
	})
}
