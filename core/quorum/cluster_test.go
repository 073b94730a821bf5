package quorum

import (
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
)

func TestThreeNodesFoundAClusterAndFoldTheSameImages(t *testing.T) {
	inWorld(t, 3, 1, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		if !l.commit(&metadata.ClusterRecord{ClusterID: "c"}) {
			t.Fatal("the first entry was refused")
		}
		for i := range 20 {
			if !l.commit(topic(i)) {
				t.Fatalf("entry %d was refused", i)
			}
		}
		w.agree(time.Second, 20)
		for _, h := range w.hosts {
			if len(h.knows().Members) != 3 || h.knows().ID != l.id() || h.knows().Address != l.address {
				t.Errorf("host %d knows %+v", h.n, h.knows())
			}
		}
	})
}

func TestASoleVoterLeadsInTensOfMilliseconds(t *testing.T) {
	inWorld(t, 1, 2, func(w *world) {
		h := w.hosts[0]
		h.launch(link.Start{Bootstrap: []link.Member{h.member(true)}, Sole: true})
		begin := time.Now()
		w.leader(time.Second)
		if d := time.Since(begin); d > 30*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		h.crash(true)
		h.launch(link.Start{Sole: true})
		begin = time.Now()
		w.leader(time.Second)
		if d := time.Since(begin); d > 30*time.Millisecond {
			t.Errorf("it took %v again", d)
		}
	})
}

func TestAnotherLeadsWhenTheLeaderIsKilled(t *testing.T) {
	inWorld(t, 3, 3, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		l.crash(false)
		l2 := w.leader(3 * time.Second)
		if l2.claimed == nil || !has(l2.claimed, 0) {
			t.Error("it claims to lead without what was committed before")
		}
		if l2 == l || !l2.commit(topic(1)) {
			t.Fatal("no other leader")
		}
		l.launch(link.Start{})
		w.agree(2*time.Second, 2)
	})
}
