package mutant

import (
	"fmt"
	"maps"
	"strings"
)

// PageName is the scoreboard's file, beside DESIGN.md.
const PageName = "MUTANTS.md"

// Result is how a mutant ended.
type Result struct {
	Name      string // as MUTANT= takes it
	Killed    bool   // and the same plan passes without it
	Tested    bool   // no plan has killed it; the catalogue's test fails with it, and passes without it
	Kept      bool   // by the plan that is kept for it
	Oracle    string // the property that broke first
	Nodes     int
	Seed      uint64
	Plan      string // "sha256:…"
	Tries     int
	VirtualMS int64 // of the run until it broke
	WallMS    int64 // of all tries, and of the run without the mutant
}

const pageHead = `# Mutants

Historical bugs, and some of our own kind, put back on purpose at the sites that core/plant names: the simulator must find each one, and the
plan that finds it must pass without it. sim/mutant is the catalogue; the ids are those of the catalogue of bugs that Seedlog is held to.

This page is written by ` + "`make build/sim-mutants && build/sim-mutants mutants -page`" + `. A test of sim/mutant compares its rows with the catalogue and
the plans, and ` + "`make mutants`" + ` says on standard error when a run came out otherwise. What a seed means changes with every new draw, so a plan
that killed is shrunk, kept as ` + "`sim/testdata/plans/m-ID.json`" + ` (` + "`m-ID-3.json`" + ` with three brokers) and tried first (marked *), as it is and with the
seeds that follow its own: faults and clients are the plan's, and what is drawn at run time is another. Else seeds 1, 2, … are drawn with
the mutant's hints. A kept plan may still lose its mutant when the broker or the simulator changes: ` + "`build/sim-mutants mutants -keep -only ID`" + ` then
looks for another. CI runs all of them without a mutant: they pass. Virtual: how far into the run the property broke. Wall: all tries and the run without the mutant, on two cores that
were shared.

Some need what the simulator has not brought about, or break what it cannot tell from what is right: a test of the core stands for each of those,
and ` + "`make mutants`" + ` runs it with the mutant, where it must fail, and without it.

A try: ` + "`make sim MUTANT=R5 PLAN=sim/testdata/plans/m-R5.json`" + `, ` + "`make mutants ONLY=R5`" + `.
`

const pageRare = `
## What it takes

Seeds hardly ever draw what these need; sim/run/stories.go has faults that hang together, and a scene of it is cast when it begins
(sim/run/cast.go): who leads a partition, who would be next, who leads the quorum.

R3: leadership goes to another broker and back, and a replica that hears of neither goes on fetching with an epoch that is over; the mutant takes it
into the ISR (stale).

R6: a leader's proposal to take a replica in lies in a connection that is held up, and meanwhile the replica's machine loses power, comes back without
its tail and registers anew. KIP-903's broker epochs make the controller refuse the proposal when it arrives; the mutant takes a copy into
the ISR that lacks what is committed (rebirths).

R14: a leader's answer is held up while leadership goes to another broker and back, and between the two a follower that had diverged has
committed more. Records of such an answer do no harm, since the next Fetch finds where epochs part; what it says of where to cut the log
does (relays). Three places stand against it: fetchers are of one leader and forget a partition that goes elsewhere (core/fetcher Remove), a
request that is in flight for longer than its wait and a second is given up when a partition comes back (Fetcher.hung), and part.answered,
where the mutant is. So the plans let fetches wait for six seconds.

S1: a stop, a start, a kill, a start, and a loss of power, all within seconds: the second start takes for synced what the kill has left in pages.

G2: a group without offsets is forgotten when its only member has gone, so that a tombstone is the last record of its partition; a segment is rolled by
age and cleaned; kills before the cleaner's checkpoint is saved have it cleaned once more, when the tombstone's time is over; and then the coordinator
is loaded from a log whose last batch has no records (Linger in sim/workload, in a storm).

T5: the next decision of any transaction on the shard has forgotten markers sent too. So many small transactions into one partition all come to their end
at once (Chorus in sim/workload), and the last decision must fall into the time in which another one's markers are under way to the same broker.

S2: a loss of power that leaves of the checkpoint a prefix which reads well, since all that is missing are digits of the last number; or one that
keeps the name of a snapshot and not that of the checkpoint renamed before it. A checkpoint that does not read well does no harm: recovery
then reads the whole log.
`

const pageThree = `
## The same with three brokers

Mutants whose own plans have one broker, in clusters of three (` + "`build/sim-mutants mutants -nodes 3`" + `). One that does not show itself there is
hidden by the other copies, or its faults are rarer: the plan above is what counts.
`

const pageEnd = `
## Not here

G3 is a mistake of who assigns: in the classic protocol that is a client. S4, S5 and S6 are killed by the twin of core/commitlog too:
` + "`MUTANT=S5 go test -tags mutants ./core/commitlog -run ACompactedLog -rapid.checks=1000`" + `.

What tests stand for: T8 takes a WriteTxnMarkers that is held up while the same markers, sent once more, are written and their producer begins another
transaction, which thirty drawn runs with short time-outs between brokers did not bring about; T12 takes a first batch that is lost between its verification and its append while the second one is not, of a producer that the
partition does not know, or its sequence numbers are checked anyway; T11 breaks nothing that can be told from an offset that rightly expires where clocks jump.
`

// Page writes the scoreboard. Rows of an old one stay where there is no newer result.
func Page(old string, own, three []Result) string {
	oldOwn, oldThree := Rows(old)
	maps.DeleteFunc(oldThree, func(name, _ string) bool {
		m, ok := Find(name)
		return ok && !m.AmongThree()
	})
	ownRows, threeRows := merged(oldOwn, own), merged(oldThree, three)
	var b strings.Builder
	b.WriteString(pageHead)
	killed, tested := 0, 0
	for _, row := range ownRows {
		switch {
		case strings.Contains(row, byTest):
			tested++
		case !strings.Contains(row, notKilled):
			killed++
		}
	}
	fmt.Fprintf(&b, "\n%d of %d are killed by plans, %d by tests.\n\n", killed, len(ownRows), tested)
	table(&b, ownRows)
	b.WriteString(pageRare)
	b.WriteString(pageThree + "\n")
	table(&b, threeRows)
	b.WriteString(pageEnd)
	return b.String()
}

// What stands in the place of an oracle where no plan kills.
const (
	notKilled = " | not killed | "
	byTest    = " | test: "
)

// Rows gives the rows of a page by mutant: with the brokers of its own plans, and with three.
func Rows(page string) (own, three map[string]string) {
	first, rest, _ := strings.Cut(page, "\n## ")
	return rowsOf(first), rowsOf(rest)
}

func rowsOf(text string) map[string]string {
	rows := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| m:"), " |"); ok && strings.HasPrefix(line, "| m:") {
			rows[name] = line
		}
	}
	return rows
}

// merged gives the rows of results, and of the rest the old ones, in the order of the catalogue.
func merged(old map[string]string, results []Result) (rows []string) {
	for i := range results {
		old[results[i].Name] = Row(&results[i])
	}
	for _, m := range All() {
		if row, ok := old[m.Name]; ok {
			rows = append(rows, row)
		}
	}
	return rows
}

func table(b *strings.Builder, rows []string) {
	b.WriteString("| mutant | bug | first oracle | brokers | seed | plan | tries | virtual s | wall s |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		b.WriteString(row + "\n")
	}
}

// Row is a mutant's line on the page.
func Row(r *Result) string {
	switch {
	case r.Tested:
		m, _ := Find(r.Name)
		return fmt.Sprintf("%s%s%s | | | | | | %.1f |", rowHead(r.Name), byTest, m.Test, float64(r.WallMS)/1000)
	case !r.Killed:
		return fmt.Sprintf("%s%s%d | | | %d | | %.1f |", rowHead(r.Name), notKilled, r.Nodes, r.Tries, float64(r.WallMS)/1000)
	}
	mark := ""
	if r.Kept {
		mark = "*"
	}
	return fmt.Sprintf("%s | %s | %d | %d%s | %s | %d | %.1f | %.1f |", rowHead(r.Name), r.Oracle, r.Nodes, r.Seed, mark, short(r.Plan), r.Tries, float64(r.VirtualMS)/1000, float64(r.WallMS)/1000)
}

// rowHead is what a row says of the mutant alone.
func rowHead(name string) string {
	m, _ := Find(name)
	return "| m:" + name + " | " + m.Bug
}

// short is the begin of a plan's hash.
func short(sum string) string {
	sum = strings.TrimPrefix(sum, "sha256:")
	return sum[:min(12, len(sum))]
}

// Differs says how a result is another than its row on a page, "" if it is not. Times may differ.
func Differs(page string, r *Result) string {
	own, _ := Rows(page)
	row, ok := own[r.Name]
	switch {
	case !ok:
		return "m:" + r.Name + ": no row"
	case strings.Contains(row, byTest) != r.Tested, strings.Contains(row, notKilled) != (!r.Killed && !r.Tested):
		return fmt.Sprintf("m:%s: killed: %v, by a test: %v", r.Name, r.Killed, r.Tested)
	case r.Killed && (!strings.Contains(row, " | "+r.Oracle+" | ") || !strings.Contains(row, " | "+short(r.Plan)+" | ")):
		return fmt.Sprintf("m:%s: %s by plan %s", r.Name, r.Oracle, short(r.Plan))
	}
	return ""
}
