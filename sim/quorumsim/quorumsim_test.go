package quorumsim

import (
	"fmt"
	"os"
	"testing"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/sim/bubble"
	"github.com/seedlog/seedlog/sim/cluster"
)

func TestMain(m *testing.M) {
	if err := bubble.Settle(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// Without the overlay these runs are of raft as well, though none can be repeated.
func TestTheQuorumKeepsItsPromisesUnderFaults(t *testing.T) {
	for _, seed := range []uint64{1, 2, 5} { // three nodes, five, a storm
		p := Plan(seed, "")
		p.SafetyMS = min(p.SafetyMS, 20000)
		opt, judge, err := Options(p)
		if err != nil {
			t.Fatal(err)
		}
		r := cluster.New(p, opt).Run()
		if r.Violation != nil || r.Harness != "" {
			t.Errorf("seed %d: %v %s", seed, r.Violation, r.Harness)
		}
		for _, property := range []string{OneImage, OneLeader, OneTerm, Forward} {
			if judge.Checked()[property] == 0 {
				t.Errorf("seed %d: %s was not checked once", seed, property)
			}
		}
	}
}

func TestASeedDrawsTheSamePlanAgain(t *testing.T) {
	for seed := range uint64(20) {
		if a, b := Plan(seed, "").Sum(), Plan(seed, "").Sum(); a != b {
			t.Fatalf("seed %d: %s and %s", seed, a, b)
		}
	}
}

// image is one after some entries, committed in a term.
func image(index, term int64, value string, applied bool) *link.Committed {
	img, _ := metadata.Empty().Apply(index, term, metadata.Entry{Term: term, Records: []metadata.Record{
		&metadata.ConfigRecord{ResourceType: metadata.ResourceBroker, Key: "k", Value: &value}}})
	return &link.Committed{Image: img, Commit: metadata.Commit{Index: index, Term: term, Applied: applied}}
}

func TestTheJudgeSeesEachPropertyBroken(t *testing.T) {
	leads := func(term int64) *link.Leadership { return &link.Leadership{Leader: true, Term: term} }
	for _, c := range []struct {
		property string
		history  func(j *Judge)
	}{
		{OneImage, func(j *Judge) { j.image(1, image(3, 1, "a", true), 0); j.image(2, image(3, 1, "b", true), 0) }},
		{OneImage, func(j *Judge) {
			j.image(1, image(3, 1, "a", true), 0)
			j.state(2, &link.State{Image: image(3, 1, "b", true).Image})
		}},
		{OneLeader, func(j *Judge) { j.leadership(1, leads(2)); j.leadership(2, leads(2)) }},
		{OneTerm, func(j *Judge) { j.image(1, image(3, 2, "a", true), 1) }},
		{OneTerm, func(j *Judge) { j.image(1, image(3, 2, "a", false), 2) }},
		{Forward, func(j *Judge) { j.image(1, image(3, 1, "a", true), 0); j.image(1, image(3, 1, "a", true), 0) }},
		{Forward, func(j *Judge) { j.image(1, image(3, 1, "a", true), 1); j.leadership(2, leads(2)) }},
		{Forward, func(j *Judge) { _ = j.Ended() }},
	} {
		j := newJudge(3)
		c.history(j)
		b, ok := j.Heard().(cluster.Broken)
		if !ok {
			t.Errorf("%s: nothing is found", c.property)
			continue
		}
		if property, _, _ := b.Broken(); property != c.property {
			t.Errorf("found %s, want %s", property, c.property)
		}
	}
}

func TestTheJudgeHasNothingAgainstALeaderOfAnOlderTermThatWasFrozen(t *testing.T) {
	j := newJudge(3)
	j.leadership(2, &link.Leadership{Leader: true, Term: 1})
	j.image(1, image(3, 2, "a", true), 2)
	j.leadership(2, &link.Leadership{Leader: true, Term: 1})
	if err := j.Heard(); err != nil {
		t.Fatal(err)
	}
}
