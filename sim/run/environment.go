package run

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/workload"
)

// environment draws what brokers support beside the plainest installation, and the faults that concern that alone. Each has a stream of its own, so
// that a run without it is what it was.
func environment(p *plan.Plan, menu *plan.Menu, w *workload.Plan) {
	e := surroundings{p: p, menu: menu}
	e.directories(prng.Keyed(p.Seed, "directories"))
	e.racks(prng.Keyed(p.Seed, "racks"), w)
	e.throttles(prng.Keyed(p.Seed, "throttles"))
	e.room(prng.Keyed(p.Seed, "room"))
	e.abortedRot(prng.Keyed(p.Seed, "rot/txnindex"))
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// surroundings is what environment adds to a plan.
type surroundings struct {
	p    *plan.Plan
	menu *plan.Menu
}

// add adds a fault, unless its class is none that the run may have.
func (e *surroundings) add(f fault.Fault) {
	if e.menu.Allows(f.Class) {
		f.Shard = -1
		if f.Node >= 0 {
			f.B = -1
		}
		e.p.Faults = append(e.p.Faults, f)
	}
}

// directoriesPermille is how likely brokers have two log directories.
const directoriesPermille = 150

// directories gives each broker two log directories, of which the second fails by itself, is replaced, or comes back old, and mostly is there again
// after a restart.
func (e *surroundings) directories(s *prng.Source) {
	if !s.Permille(directoriesPermille) {
		return
	}
	p := e.p
	p.Settings["log.dirs"] = cluster.DataDir + "," + cluster.SecondDir
	at := func() int64 { return s.Between(1000, max(1001, p.SafetyMS-1)) }
	for n := s.Between(0, 3); n > 0; n-- {
		f := fault.Fault{Class: fault.D3, Verb: []string{"second", "dead"}[s.Intn(2)], At: at(), Node: s.Intn(p.Nodes), For: s.Between(100, 15000)}
		e.add(f)
		again := fault.Fault{Class: []fault.Class{fault.P3, fault.P1, fault.D1}[s.Intn(3)], At: f.At + s.Between(1, f.For+5000), Node: f.Node, For: s.Between(1, 3000)}
		if s.Permille(700) {
			e.add(again)
		}
	}
	for _, x := range []struct {
		class  fault.Class
		chance int
	}{{fault.D7, 400}, {fault.D8, 150}} {
		f := fault.Fault{Class: x.class, Verb: "second", At: at(), Node: s.Intn(p.Nodes), A: s.Between(0, 1), For: s.Between(1, 5000)}
		if s.Permille(x.chance) && p.Nodes > 1 {
			e.add(f)
		}
	}
}

// racksPermille is how likely brokers and readers are in racks.
const racksPermille = 150

// racks puts brokers and readers into two or three racks. Leaders send readers to a follower in theirs.
func (e *surroundings) racks(s *prng.Source, w *workload.Plan) {
	if !s.Permille(racksPermille) || e.p.Nodes == 1 {
		return
	}
	names, n := []string{"r0", "r1", "r2"}, 2+s.Intn(2)
	var of []string
	for i := range e.p.Nodes {
		of = append(of, names[(i+s.Intn(2))%n])
	}
	e.p.Settings[rackOf] = strings.Join(of, ",")
	e.p.Settings["replica.selector.class"] = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	w.Racks(s, of)
}

// throttlesPermille is how likely an operator throttles replication (KIP-73).
const throttlesPermille = 150

// throttles has replication throttled while replicas are moved and brokers end, and let go again.
func (e *surroundings) throttles(s *prng.Source) {
	if !s.Permille(throttlesPermille) || e.p.Nodes == 1 {
		return
	}
	for n := s.Between(1, 3); n > 0; n-- {
		t := fault.Fault{Class: fault.M2, Verb: "throttle", At: s.Between(1000, max(1001, e.p.SafetyMS-1)), Node: -1, For: s.Between(1000, 20000), A: s.Between(-1, 5), B: s.Between(0, 1<<40)}
		e.add(t)
		for k := s.Between(1, 3); k > 0; k-- {
			e.add(fault.Fault{Class: fault.M1, Verb: []string{"swap", "add", "any", "cancel"}[s.Intn(4)], At: t.At + s.Between(1, 3000), Node: -1, For: 1000, A: t.A, B: s.Between(0, 1<<40)})
		}
		f := fault.Fault{Class: fault.P1, At: t.At + s.Between(1, 3000), Node: s.Intn(e.p.Nodes), For: s.Between(1, 5000)}
		if s.Permille(500) { // it comes back without what was written meanwhile
			e.add(f)
		}
	}
}

// roomPermille is how likely disks have hardly any room now and then.
const roomPermille = 150

// room ends the room of a disk within a write to a file of some kind, or leaves a few KiB of it.
func (e *surroundings) room(s *prng.Source) {
	if !s.Permille(roomPermille) {
		return
	}
	e.p.Settings["disk.reserve.bytes"] = fmt.Sprint(s.Between(0, 1) * s.Between(0, 8192))
	kinds := []string{".log", ".log", ".index", ".timeindex", ".txnindex", ".snapshot", "checkpoint", "__cluster_metadata", "__cluster_metadata", "partition.metadata", "__consumer_offsets", ".cleaned"}
	for n := s.Between(1, 5); n > 0; n-- {
		f := fault.Fault{Class: fault.D3, At: s.Between(500, max(501, e.p.SafetyMS-1)), Node: s.Intn(e.p.Nodes), For: s.Between(50, 8000), A: s.Between(0, 999)}
		f.Verb = "full " + kinds[s.Intn(len(kinds))]
		if s.Permille(300) {
			f.Verb, f.A = "full", s.Between(0, 8192)
		}
		e.add(f)
		end := fault.Fault{Class: []fault.Class{fault.P1, fault.D1, fault.P3}[s.Intn(3)], At: f.At + s.Between(1, f.For+500), Node: f.Node, For: s.Between(1, 2000)}
		if s.Permille(400) {
			e.add(end)
		}
	}
}

// abortedPermille is how likely lists of aborted transactions rot.
const abortedPermille = 100

// abortedRot rots lists of aborted transactions, and has the process start anew, since what it has in memory it does not read. Only brokers whose
// clients abort have such.
func (e *surroundings) abortedRot(s *prng.Source) {
	if !s.Permille(abortedPermille) || !e.menu.Allows(fault.D4) {
		return
	}
	for n := s.Between(1, 4); n > 0; n-- {
		f := fault.Fault{Class: fault.D4, Verb: ".txnindex", At: s.Between(3000, max(3001, e.p.SafetyMS-1)), Node: s.Intn(e.p.Nodes), A: s.Between(0, 1<<40)}
		e.add(f)
		e.add(fault.Fault{Class: []fault.Class{fault.P1, fault.P3}[s.Intn(2)], At: f.At + s.Between(1, 500), Node: f.Node, For: s.Between(1, 1000)})
	}
}
