// Command jepsen runs a workload against real brokers under a nemesis and judges what clients saw. DESIGN.md, "Real processes".
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seedlog/seedlog/jepsen"
)

func main() { os.Exit(run()) }

// env is a variable that make gives, or what stands in for it.
func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func run() int {
	cfg := &jepsen.Config{Say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	var secs, nodes, seed, kinds, loopback string
	flag.StringVar(&cfg.System, "system", env("SYSTEM", jepsen.Seedlog), "seedlog or kafka")
	flag.StringVar(&cfg.Broker, "broker", env("BROKER", "build/broker"), "seedlog's program")
	flag.StringVar(&cfg.Peer, "peer", os.Getenv("PEER"), "the folder of kafka-peer")
	flag.StringVar(&cfg.PeerDir, "peer-dir", env("KAFKA_PEER_DIR", ".kafka-peer"), "where kafka-peer has its jars")
	flag.StringVar(&cfg.Workload, "workload", env("WORKLOAD", "log"), "log, txn, offsets, group, copy or metadata")
	flag.StringVar(&cfg.Flush, "flush", env("FLUSH", "ack"), "flush.policy of seedlog: ack or os")
	flag.StringVar(&cfg.Out, "out", env("OUT", "build/jepsen"), "folder for what the run leaves")
	flag.StringVar(&secs, "secs", env("SECS", "60"), "how long the nemesis acts")
	flag.StringVar(&nodes, "nodes", env("NODES", "3"), "how many brokers")
	flag.StringVar(&seed, "seed", os.Getenv("SEED"), "of the generators and the nemesis; empty: a new one")
	flag.StringVar(&kinds, "nemesis", os.Getenv("NEMESIS"), "some of "+strings.Join(jepsen.Kinds(), ",")+"; empty: all")
	flag.StringVar(&loopback, "loopback", os.Getenv("LOOPBACK"), "1: no namespaces")
	flag.Parse()
	if err := read(cfg, secs, nodes, seed, kinds); err != nil {
		return fail(err)
	}
	cfg.Loopback = loopback == "1"
	cfg.Replay = fmt.Sprintf("make jepsen SYSTEM=%s WORKLOAD=%s NODES=%d SECS=%d SEED=%d FLUSH=%s NEMESIS=%s", cfg.System, cfg.Workload, cfg.Nodes, int(cfg.Time.Seconds()), cfg.Seed, cfg.Flush, kinds)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once, and the nodes with it
	r, err := jepsen.Start(ctx, cfg)
	if err != nil {
		return fail(err)
	}
	v := r.Verdict()
	if err := r.Save(v); err != nil {
		return fail(err)
	}
	line, err := json.Marshal(v)
	if err != nil {
		return fail(err)
	}
	fmt.Println(string(line))
	return v.Exit()
}

// read takes what is a number or a list.
func read(cfg *jepsen.Config, secs, nodes, seed, kinds string) (err error) {
	n, err := strconv.Atoi(secs)
	if err != nil {
		return fmt.Errorf("SECS=%q; name a number of seconds", secs)
	}
	cfg.Time = time.Duration(n) * time.Second
	if cfg.Nodes, err = strconv.Atoi(nodes); err != nil {
		return fmt.Errorf("NODES=%q; name a number", nodes)
	}
	if cfg.Seed = rand.Uint64() >> 32; seed != "" {
		if cfg.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return fmt.Errorf("SEED=%q; name a number", seed)
		}
	}
	if kinds != "" {
		cfg.Nemesis = strings.Split(kinds, ",")
	}
	return nil
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "error: %v\n", err)
	return jepsen.ExitHarness
}
