// Command sim runs the simulator: one seed, new seeds until time is over, a plan's file; it checks histories, shows traces and kills mutants.
//
//	sim run [-seed n] [-plan f] [-nodes 1|3|5] [-faults N1,P2] [-flush ack|os] [-mutant P1] [-secs n] [-jobs n] [-out dir] [-system broker|toy|quorum]
//	sim run -seed n -report F.html [-against G.jsonl] [-board MUTANTS.md]   one run, and a report of it
//	sim run [-seeds 1-60,77] [-n 60]   these seeds, and as many new ones, instead of new ones for -secs
//	sim plans [PLAN.json…]  the plans that are kept: all must pass
//	sim trace SEED       one line an event
//	sim debug SEED       steps a run to an event, a time, its violation, and back, and shows nodes, messages and disks there; help lists its commands
//	sim check HISTORY.jsonl
//	sim coverage LINES.jsonl…   what the runs whose lines these files hold have reached together, for people
//	sim twice [SEED…]    each seed in two fresh processes: the traces' hashes must be equal
//	sim mutants [-only P1,P2] [-nodes 3] [-seed n] [-keep] [-page]
//	sim shrinks [-only P1,P2] [-tries 8]   how small the shrinker makes what kills each mutant
//	RELEASE=0.1 sim figures LINES.jsonl…   the summaries that these files hold, added to SEEDS.jsonl and its page
//
// Flags default to the environment: SEED, PLAN, NODES, FAULTS, FLUSH, MUTANT, SECS, JOBS, OUT, SYSTEM, ONLY. Standard output is for machines: one JSON line a seed.
// Exit codes: 0 all passed, 1 a property is broken, 2 the harness failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/seedlog/seedlog/sim/mutant"
)

// Exit codes.
const (
	exitPass    = 0
	exitBroken  = 1
	exitHarness = 2
)

type options struct {
	seed   string
	plan   string
	flush  string
	mutant string
	secs   int
	jobs   int
	out    string
	system string
	only   string
	nodes  int    // 0: as drawn
	faults string // classes, separated by commas; "none", or "" for all
	must   string // likewise
	safety int    // seconds at most under faults; 0: as drawn
	shrink int    // seconds
	logs   bool
	tries  int
	seeds  []uint64 // run: these
	fresh  int      // run: so many new seeds
	page   bool     // mutants: the scoreboard is written
	keep   bool     // mutants: a plan that kills is shrunk and kept
	limit  int      // seconds a run may take

	report  string // run: a file, FILE.html; its twin is FILE.jsonl
	board   string // run: the scoreboard of mutants that a report is to show
	against string // run: the twin of another run's report

	measured bool   // shrinks: only the processor's time counts, and each smaller plan has passed without the mutant
	until    int64  // a run that gets to so many virtual ms is over, and passes; 0: to its end
	serve    bool   // debug: this process holds one run of a session's plan
	outcome  string // a file: what the run came to goes there, and nothing is told or shrunk
}

func main() {
	cmd := "run"
	args := os.Args[1:]
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		cmd, args = args[0], args[1:]
	}
	os.Exit(dispatch(cmd, args))
}

func dispatch(cmd string, args []string) int {
	o, rest, err := parse(cmd, args)
	if err != nil {
		return fail(err)
	}
	switch cmd {
	case "run":
		return runSeeds(o)
	case "trace":
		if len(rest) == 1 {
			o.seed = rest[0]
		}
		return traceSeed(o)
	case "debug":
		return debugSeed(o, rest)
	case "check":
		if len(rest) != 1 {
			return fail(fmt.Errorf("check takes one file"))
		}
		return check(rest[0])
	case "coverage":
		return showCoverage(rest)
	case "twice":
		return twice(o, rest)
	case "plans":
		return plans(o, rest)
	case "mutants":
		return mutants(o)
	case "shrinks":
		return shrinks(o)
	case "figures":
		return keepFigures(os.Getenv("RELEASE"), rest)
	}
	return fail(fmt.Errorf("unknown command %q; use run, twice, trace, debug, check, coverage, plans, mutants, shrinks or figures", cmd))
}

func parse(cmd string, args []string) (*options, []string, error) {
	o := &options{}
	f := flag.NewFlagSet("sim "+cmd, flag.ContinueOnError)
	f.StringVar(&o.seed, "seed", os.Getenv("SEED"), "the seed to run; empty: new ones until -secs are over")
	f.StringVar(&o.plan, "plan", os.Getenv("PLAN"), "a plan's file to run instead of a seed's own plan")
	f.StringVar(&o.flush, "flush", os.Getenv("FLUSH"), "ack or os; empty: as the seed draws")
	f.StringVar(&o.mutant, "mutant", os.Getenv("MUTANT"), "the planted bug to run with (needs a build with -tags mutants, or -system toy)")
	f.IntVar(&o.secs, "secs", number("SECS", 10), "how long to run new seeds, in seconds")
	f.IntVar(&o.jobs, "jobs", number("JOBS", 1), "processes at a time; each seed has one of its own")
	f.StringVar(&o.out, "out", env("OUT", "build/runs"), "the directory for shrunk plans")
	f.StringVar(&o.system, "system", env("SYSTEM", defaultSystem), "what to run: "+systemNames())
	f.StringVar(&o.only, "only", os.Getenv("ONLY"), "mutants: these alone, separated by commas")
	f.IntVar(&o.nodes, "nodes", number("NODES", 0), "brokers in the plans of seeds; 0: 1, 3 or 5, as drawn")
	f.StringVar(&o.faults, "faults", os.Getenv("FAULTS"), "fault classes that may be drawn, as N1,P2; none; empty: all")
	f.StringVar(&o.must, "must", os.Getenv("MUST"), "fault classes that are on for certain, as D5")
	f.IntVar(&o.safety, "safety", number("SAFETY", 0), "how long a plan's faults last at most, in virtual seconds; 0: as drawn")
	f.IntVar(&o.shrink, "shrink", number("SHRINK", 60), "how long to shrink a failing plan, in seconds of the processor; 0: not at all")
	f.BoolVar(&o.logs, "logs", os.Getenv("LOGS") != "", "the nodes' log lines on standard error")
	f.IntVar(&o.tries, "tries", number("TRIES", 200), "mutants: seeds to try for each")
	f.Func("seeds", "run: these, as 1-60,77", func(list string) (err error) { o.seeds, err = seedList(list); return err })
	f.IntVar(&o.fresh, "n", 0, "run: how many new seeds; 0: until -secs are over")
	f.BoolVar(&o.keep, "keep", false, "mutants: shrink the plan that kills, and keep it in "+plansDir)
	f.BoolVar(&o.page, "page", false, "mutants: write what came out into "+mutant.PageName+", with -only into their rows")
	f.IntVar(&o.limit, "limit", number("LIMIT", 300), "how long one run may take, in seconds: more is a hang, unless others have the processors")
	f.StringVar(&o.report, "report", os.Getenv("REPORT"), "run: the HTML file that a report of the one run goes to; its twin of JSON lines stands beside it")
	f.StringVar(&o.against, "against", os.Getenv("AGAINST"), "run: the .jsonl of another run's report, to show the difference in this one")
	f.StringVar(&o.board, "board", os.Getenv("BOARD"), "run: the scoreboard of mutants ("+mutant.PageName+"), to show it in the report")
	f.StringVar(&o.outcome, "outcome", "", "run: a file for what the plan came to, instead of a story; for processes that run plans in others")
	f.Int64Var(&o.until, "until", 0, "end a run after so many virtual ms, and judge what has been seen; for processes that shrink plans")
	f.BoolVar(&o.serve, "serve", false, "debug: hold one run, and answer a session's requests; for processes that sessions start")
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	if o.flush != "" && o.flush != "ack" && o.flush != "os" {
		return nil, nil, fmt.Errorf("flush %q; use ack or os", o.flush)
	}
	if _, ok := systems[o.system]; !ok {
		return nil, nil, fmt.Errorf("system %q; use one of: %s", o.system, systemNames())
	}
	if o.page && (o.nodes > 0 || o.system != defaultSystem) {
		return nil, nil, fmt.Errorf("-page is of the broker's mutants with their own plans; leave out -nodes and -system")
	}
	for _, flag := range [...]string{o.faults, o.must} {
		if _, err := classes(flag); err != nil {
			return nil, nil, err
		}
	}
	o.jobs = min(max(1, o.jobs), 4*runtime.NumCPU())
	return o, f.Args(), nil
}

func env(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}

func number(name string, other int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return other
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "error:", err)
	return exitHarness
}
