package run

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/plan"
)

// fullEvery is how many rounds pass between two full checks.
const fullEvery = 1000

// Judge feeds the oracles, keeps the history, and writes into it what only the simulator knows: phases, faults, excuses.
type Judge struct {
	Events  []*history.Event
	plan    *plan.Plan
	rec     *history.Recorder
	suite   *oracle.Suite
	c       *cluster.Cluster
	view    *view
	rounds  int64
	noted   int // notes of the ledger that stand in the history
	found   error
	lied    []bool             // by node: a sync has lied
	beyond  bool               // a lying sync and then a loss of power, or rot, destroyed the only copy: outside the model
	synced  []map[string]int64 // by node: synced end of each partition when its last process ended
	weak    *trouble           // nil: one node, which nobody deposes
	copies  *copies            // nil: one node
	rash    *unclean           // nil: one node
	gone    []bool             // by node: its disk is about to be replaced
	wiped   []bool             // by node: its disk, with what it was as a voter, was taken away
	rotten  []bool             // by node: records on its disk are, or may be at any time
	without []int              // by node: its last process that started without one of its log directories
	repairs int64              // of rotten records, by the brokers themselves
	whole   *metadata.Image    // one that owes nothing
	account *account           // nil: no report is wanted
	phases  *phases
	renewed renewals
}

func newJudge(p *plan.Plan) *Judge {
	j := &Judge{plan: p, suite: oracle.NewSuite()}
	j.rec, j.phases = history.NewRecorder(j.now, j.heard), newPhases(j)
	return j
}

func (j *Judge) begin(c *cluster.Cluster) {
	j.c, j.view = c, newView(c)
	j.view.rotten = func(node int) bool { return j.rotten[node] }
	for range c.Nodes() {
		j.synced = append(j.synced, map[string]int64{})
		j.without = append(j.without, 0)
		j.lied, j.gone, j.wiped, j.rotten = append(j.lied, false), append(j.gone, false), append(j.wiped, false), append(j.rotten, false)
	}
	on := func(cs fault.Class) int {
		if j.plan.Swarm.On(cs) {
			return 1
		}
		return 0
	}
	// What expires does so by its setting, which a plan keeps when F:L2 is shrunk out of it.
	set := func(name string) int {
		if j.plan.Settings[name] != "" {
			return 1
		}
		return on(fault.L2)
	}
	j.note(history.Op{Kind: history.Config, Meta: fmt.Sprintf("flush=%s,producers-expire=%d,offsets-expire=%d,offsets-partitions=%s,txn-partitions=%s,first-epoch=%s",
		j.plan.Flush, set("producer.id.expiration.ms"), set("offsets.retention.minutes"), j.plan.Settings["offsets.topic.num.partitions"],
		j.plan.Settings["transaction.state.log.num.partitions"], j.plan.Settings["internal.transactional.id.first.epoch"])})
	if c.Nodes() > 1 {
		j.weak, j.copies, j.rash = newTrouble(j), newCopies(j), newUnclean(j)
	}
	j.note(history.Op{Kind: history.Phase, Meta: "safety"})
}

func (j *Judge) note(o history.Op) { j.rec.Note(history.Nemesis, o) }

func (j *Judge) now() clock.Time {
	if j.c == nil {
		return 0
	}
	return j.c.Now()
}

func (j *Judge) heard(e *history.Event) {
	j.Events = append(j.Events, e)
	j.phases.heard(e)
	if j.view != nil {
		j.view.limits.heard(e)
	}
	if err := j.suite.Event(e); err != nil && j.found == nil {
		j.found = err
	}
}

// verdict gives the first failure in the form that the cluster reads.
func (j *Judge) verdict(err error) error {
	if j.beyond {
		return nil
	}
	if err == nil {
		err = j.found
	}
	var f *oracle.Failure
	if errors.As(err, &f) {
		return broken{f}
	}
	return err
}

type broken struct{ *oracle.Failure }

// Broken implements cluster.Broken.
func (b broken) Broken() (property, was, is string) {
	is = b.What + ": " + b.Is
	if b.Event >= 0 {
		is += fmt.Sprintf(" (history event %d)", b.Event)
	}
	return b.Property, b.Was, is
}

// Stepped lets the oracles look at the shard that has just had its round.
func (j *Judge) Stepped(node, shard int) error {
	j.rounds++
	j.faults()
	if j.rash != nil && shard == 0 {
		j.rash.stepping(node)
	}
	if shard < j.plan.Shards {
		j.view.stepped(node, shard, j.rounds%fullEvery == 0)
	} else {
		j.view.voted(node)
	}
	if j.weak != nil {
		j.weak.stepped(node, shard)
		j.view.stir()
	}
	if j.copies != nil && shard < j.plan.Shards {
		j.copies.stepped(node)
	}
	if shard < j.plan.Shards {
		j.renewed.stepped(node, shard)
	}
	if j.account != nil {
		j.account.stepped(node, shard)
	}
	j.phases.stepped(node, shard)
	j.mended(node)
	err := j.suite.Step(j.view)
	if shard == j.plan.Shards {
		j.view.voters.looked()
	} else if err == nil {
		err = j.inVain(node)
	}
	return j.verdict(err)
}

// faults writes what was injected since the last call into the history.
func (j *Judge) faults() {
	notes := j.c.Ledger().Notes()
	for ; j.noted < len(notes); j.noted++ {
		n := notes[j.noted]
		if n.What == "lying sync" {
			j.lied[n.Node] = true
		}
		j.beyond = j.beyond || j.c.Nodes() == 1 && rotted(n)
		where := ""
		if n.Node >= 0 {
			where = " " + history.NodeName(n.Node)
		}
		j.note(history.Op{Kind: history.Fault, Meta: fmt.Sprintf("%s%s %s", n.Class, where, n.What)})
	}
}

// Heard reports what a client's call brought to light.
func (j *Judge) Heard() error {
	j.faults()
	return j.verdict(nil)
}

// Healing notes the end of the safety phase.
func (j *Judge) Healing() {
	j.note(history.Op{Kind: history.Phase, Meta: "liveness"})
	if j.account != nil {
		j.account.healed = j.now()
	}
}

// Crashing writes into the history what the end of a process excuses: under flush.policy=os, a power loss may take what no sync
// covered; after a lying or failed sync it may take anything.
func (j *Judge) Crashing(node int, power bool) {
	j.faults()
	j.phases.crashing(node)
	// What a lying sync promised and a loss of power took leaves holes anywhere below the recovery point. Without a second replica only a
	// crash of the broker's own making is still wrong; with one, the copy is in the ledger (verification.md, "What a run may excuse").
	j.beyond = j.beyond || power && j.lied[node] && j.c.Nodes() == 1
	// The round in which the process ends is looked at too: its writes may reach the disk.
	for shard := range j.view.seen[node] {
		j.view.stepped(node, shard, false)
		if j.copies != nil {
			j.copies.stepped(node)
		}
		if err := j.suite.Step(j.view); err != nil && j.found == nil {
			j.found = err
		}
	}
	if j.account != nil {
		how := "killed"
		if power {
			how = "lost its power"
		}
		j.account.ended(node, how)
	}
	if !j.c.Stopping(node) {
		j.view.killed[node] = j.c.Incarnation(node)
	}
	known := j.synced[node]
	var p oracle.Partition
	for i, n := 0, j.view.Partitions(node); i < n; i++ {
		j.view.Partition(node, i, &p)
		known[history.Key(p.Topic, p.Partition)] = p.Synced
	}
	switch {
	case j.copies != nil:
		if power && j.lied[node] { // holes, wherever no process of the node has to look
			j.rotten[node] = true
		}
		j.copies.crashing(node, power, known)
		j.gone[node] = false
	case !power:
	case j.c.Ledger().Any(node, fault.D2, fault.D7, fault.D8):
		j.note(history.Op{Kind: history.Excuse})
	case j.plan.Flush == "os":
		for _, k := range sorted(known) {
			j.note(history.Op{Kind: history.Excuse, Key: k, Offset: known[k]})
		}
	}
}

// Stopped notes the end of a process that was told to stop: one that has served leaves nothing unsynced. One that has registered and did not come
// to serve may have begun to load, and has ended uncleanly; one that has not registered has touched nothing.
func (j *Judge) Stopped(node int) {
	if j.account != nil {
		j.account.ended(node, "stopped")
	}
	j.stoppedWithout(node)
	switch {
	case j.copies == nil:
	case j.rotten[node]: // a start finds what no process has looked at
		j.copies.crashing(node, false, j.synced[node])
	case j.c.Ready(node):
		clear(j.synced[node])
	case j.view.Registered(node) != nil:
		j.copies.crashing(node, false, j.synced[node])
	}
}

// Replacing notes that the disk of a node is about to be taken away with its process: all of its copies are, and a wiped voter is another one,
// which is no voter. False: with one more voter gone the others might be no majority, so the disk stays. While an operator moves voters (F:M3)
// nobody may be missing. Nor is the founder's taken before there is metadata: who has voted for it, and has nothing else of it, founds nothing with
// its successor until an operator empties its directory.
func (j *Judge) Replacing(node int, wiped bool) bool {
	if wiped {
		lost := 0
		for n := range j.wiped {
			if j.wiped[n] || n == node {
				lost++
			}
		}
		moves := slices.ContainsFunc(j.plan.Faults, func(f fault.Fault) bool { return f.Class == fault.M3 })
		if j.c.Nodes() > 1 && (moves || lost > (j.c.Nodes()-1)/2 || node == 0 && j.view.Image() == nil) {
			return false
		}
		j.wiped[node] = true
		j.note(history.Op{Kind: history.Wiped, Member: history.NodeName(node)})
	}
	j.gone[node] = true
	if j.copies != nil && !j.c.Running(node) { // no process ends with it
		j.copies.destroyed(node, j.synced[node])
		j.gone[node] = false
	}
	return true
}

// Beyond says that the run has left the model: it need not come to an end any more.
func (j *Judge) Beyond() bool { return j.beyond }

// Ended is the last check. An oracle that should have checked and did not is a failure of the harness.
func (j *Judge) Ended() error {
	j.note(history.Op{Kind: history.Phase, Meta: "final"})
	j.view.stepped(0, 0, true)
	if err := j.verdict(j.suite.Step(j.view)); err != nil {
		return err
	}
	if err := j.verdict(j.suite.End(j.view)); err != nil {
		return err
	}
	if err := j.suite.Alive(); err != nil && !j.beyond {
		return cluster.HarnessError(err.Error())
	}
	return nil
}

// Checked counts the checks made, by property.
func (j *Judge) Checked() map[string]int64 {
	m, _ := j.suite.Checked()
	if j.repairs > 0 {
		m["repair"] = j.repairs
	}
	return m
}

// Unchecked counts what no model could decide.
func (j *Judge) Unchecked() int64 {
	_, n := j.suite.Checked()
	return n
}
