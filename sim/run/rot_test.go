package run

import (
	"slices"
	"testing"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
)

// What a disk has lost shows only when a process looks for it, and a start after a clean stop may be the first.
func TestARottenDiskPromisesNothingAfterACleanStop(t *testing.T) {
	p := Draw(1, plan.Menu{Nodes: 3})
	r, err := Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	j := r.Judge
	j.begin(cluster.New(p, r.Options))
	copies := func() (n int) {
		for _, e := range j.Events {
			if slices.ContainsFunc(e.Ops, func(o history.Op) bool { return o.Kind == history.Copy && o.Member == "n1" }) {
				n++
			}
		}
		return n
	}
	j.Stopped(0)
	if n := copies(); n != 0 {
		t.Fatalf("a sound disk: want no note, got %d", n)
	}
	j.Rotting(0)
	j.Stopped(0)
	if n := copies(); n != 2 {
		t.Fatalf("a rotten disk: want a note when it rots and one when its process ends, got %d", n)
	}
}
