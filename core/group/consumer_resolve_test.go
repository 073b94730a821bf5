package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
)

func TestAResolutionInPartsFindsWhatOneMatchFinds(t *testing.T) {
	w := newWorld()
	for i := range 3000 {
		w.topics.set(fmt.Sprintf("t%04d", i), 1)
	}
	w.auto = true
	w.run(t, "A: hb member=a regex=t[0-9]*7")
	w.run(t, "B: hb group=h member=b regex=t.*[0-9]{3}8")
	w.lines = nil
	w.run(t, "H: hb group=other member=x topics=t0001")
	if got := strings.Join(w.lines, "\n"); !strings.Contains(got, "H <- hb NONE") {
		t.Fatalf("a heartbeat meanwhile: %s", got)
	}
	if n := len(w.c.resolver.waiting); n != 2 {
		t.Fatalf("%d groups wait for their regular expressions: one part was enough, and tests nothing", n)
	}
	parts := 0
	for ; len(w.c.resolver.waiting) > 0; parts++ {
		if parts > 10_000 {
			t.Fatal("it does not end")
		}
		w.advance(resolvePauseMS)
	}
	if parts < 3 {
		t.Errorf("%d parts", parts)
	}
	w.lines = nil
	w.run(t, "A: hb member=a epoch=1")
	w.run(t, "B: hb group=h member=b epoch=1")
	for g, last := range map[string]string{"g": "7", "h": "8"} {
		m := w.c.consumers[g].Members()[0]
		if got := len(m.Assigned); got != 300 {
			t.Fatalf("%s: %d topics of 300 whose names end with %s", g, got, last)
		}
		for _, x := range m.Assigned {
			if name, _ := w.topics.TopicName(x.TopicID); !strings.HasSuffix(name, last) {
				t.Errorf("%s has %s", g, name)
			}
		}
	}
}

func TestAnInstanceThatEndsWhileItResolvesLeavesTheRestToTheNext(t *testing.T) {
	w := newWorld()
	for i := range 3000 {
		w.topics.set(fmt.Sprintf("t%04d", i), 1)
	}
	w.auto = true
	w.run(t, "A: hb member=a regex=t[0-9]*7")
	w.c.Unload(kerr.NotCoordinator)
	w.advance(10 * resolvePauseMS)
	w.reload(t)
	for range 3 {
		w.run(t, "A: hb member=a epoch=1")
		w.advance(1000)
	}
	if m := w.c.consumers["g"].Members()[0]; len(m.Assigned) != 300 {
		t.Fatalf("%d topics of 300", len(m.Assigned))
	}
}

// TestAPartOfAResolutionIsBounded: a regular expression of the worst kind does not hold up a shard. The work of one part is counted in topics here.
func TestAPartOfAResolutionIsBounded(t *testing.T) {
	w := newWorld()
	for i := range 100 {
		w.topics.set(fmt.Sprintf("t%04d%s", i, strings.Repeat("a", 200)), 1)
	}
	w.auto = true
	w.run(t, "A: hb member=a regex="+strings.Repeat("(?:[a-z0-9]?){1000}", 2))
	var r *consumer.Resolution
	if r = w.c.resolver.now; r == nil {
		t.Fatal("it was resolved in one part")
	}
	seen := 0
	w.topics.seen = func(string) { seen++ }
	w.advance(resolvePauseMS)
	if seen > 2 { // the one that was matched, and the one at which it stopped
		t.Errorf("one part looked at %d topics", seen)
	}
	if !slices.Contains(w.c.resolver.waiting, "g") {
		t.Error("it is done")
	}
}

func TestEachRegularExpressionOfAGroupMeetsAllTopics(t *testing.T) {
	w := newWorld()
	for i := range 1000 {
		w.topics.set(fmt.Sprintf("t%04d", i), 1)
	}
	w.auto = true
	w.run(t, "A: hb member=a regex=t[0-9]*7")
	w.run(t, "B: hb member=b regex=t.*[0-9]{3}8")
	w.advance(11_000) // one group's are not resolved more often
	for range 3 {
		for _, m := range w.c.consumers["g"].Members() {
			w.run(t, fmt.Sprintf("H: hb member=%s epoch=%d", m.ID, m.Epoch))
		}
		w.advance(1000)
	}
	for _, m := range w.c.consumers["g"].Members() {
		if len(m.Assigned) != 100 {
			t.Errorf("%s has %d topics of 100", m.ID, len(m.Assigned))
		}
	}
}
