package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
)

// options are what the environment asks for.
type options struct {
	only  *regexp.Regexp
	runs  int
	scale float64
	peer  string  // a folder with kafka-peer, or empty
	warm  float64 // gigabytes of load before Kafka is measured
	base  string  // another build of the broker, or empty
}

// The main goroutine keeps the main thread: the kernel ends our brokers when the thread that started them ends.
func init() { runtime.LockOSThread() }

func main() {
	o, err := parse(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(env func(string) string) (*options, error) {
	o := &options{runs: 3, scale: 1, warm: 10, peer: env("PEER"), base: env("BASE")}
	var err error
	if o.only, err = regexp.Compile(env("ONLY")); err != nil {
		return nil, fmt.Errorf("ONLY: %w; give a regular expression over scenarios' names", err)
	}
	if s := env("RUNS"); s != "" {
		if o.runs, err = strconv.Atoi(s); err != nil || o.runs < 1 || o.runs > 100 {
			return nil, fmt.Errorf("RUNS=%s: give a number from 1 to 100", s)
		}
	}
	for name, to := range map[string]*float64{"SCALE": &o.scale, "WARM": &o.warm} {
		if s := env(name); s != "" {
			if *to, err = strconv.ParseFloat(s, 64); err != nil || *to < 0 || *to > 1000 {
				return nil, fmt.Errorf("%s=%s: give a number from 0 to 1000", name, s)
			}
		}
	}
	return o, nil
}

// run builds the broker and measures every chosen scenario.
func run(ctx context.Context, o *options) error {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", "build/broker", "./cmd/broker").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s; run bench from the top of the tree", err, out)
	}
	dir, err := os.MkdirTemp("", "seedlog-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, kafka: map[bool]*system{}}
	defer b.stopAll()
	raiseFileLimit()
	some := false
	for i := range scenarios {
		if s := &scenarios[i]; o.only.MatchString(s.name) {
			some = true
			if err := b.measure(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	if !some {
		return fmt.Errorf("ONLY=%s matches no scenario", o.only)
	}
	return nil
}

// raiseFileLimit allows as many descriptors as the kernel lets us have, for the scenario of many connections.
func raiseFileLimit() {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // a shortage shows when connections are opened
	}
}
