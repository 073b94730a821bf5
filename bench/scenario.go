package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// scenario is one thing to measure.
type scenario struct {
	name    string
	flush   []string // the flush policies that it distinguishes
	restart bool     // each run has a broker of its own, which the scenario starts
	floor   bool     // the bare disk is measured beside the brokers
	run     func(ctx context.Context, s *system, scale float64) (*sample, error)
}

var (
	bothPolicies = []string{"os", "ack"}
	onlyOS       = []string{"os"}
	onlyAck      = []string{"ack"}
)

// scenarios are in the order in which they run: what shows a fresh process first, what leaves much behind last.
var scenarios = []scenario{
	{name: "start", flush: onlyAck, restart: true, run: startUp},
	{name: "idle-rss", flush: onlyAck, restart: true, run: idleRSS},
	{name: "connections", flush: onlyAck, restart: true, run: connections},
	{name: "partitions", flush: bothPolicies, restart: true, run: partitions},
	{name: "raw-produce", flush: bothPolicies, run: rawProduce},
	{name: "produce", flush: bothPolicies, run: produce},
	{name: "raw-fetch", flush: onlyOS, run: rawFetch},
	{name: "one-record", flush: onlyOS, run: oneRecord(20)},
	{name: "one-record-1", flush: onlyOS, run: oneRecord(1)},
	{name: "latency", flush: bothPolicies, floor: true, run: latency},
}

// maxRun bounds one run of a scenario on one system.
const maxRun = time.Minute

// bench is what one invocation has: its processes above all.
type bench struct {
	*options
	dir     string // for data and logs; removed at the end
	brokers int    // started so far: each has a directory of its own
	kafka   *system
	running []*system
}

// systems gives the systems that a scenario compares, Kafka last.
func (b *bench) systems(ctx context.Context, s *scenario) ([]*system, error) {
	var list []*system
	add := func(name, flush, path string) error {
		sys := &system{name: name, flush: flush, start: func(ctx context.Context, s *system) error { return b.startBroker(ctx, s, path) }}
		list = append(list, sys)
		if s.restart {
			return nil
		}
		return b.begin(ctx, sys)
	}
	for _, flush := range s.flush {
		if err := add("seedlog", flush, "build/broker"); err != nil {
			return nil, err
		}
		if b.base != "" {
			if err := add("base", flush, b.base); err != nil {
				return nil, err
			}
		}
	}
	if s.floor {
		list = append(list, &system{name: "disk", flush: "ack", dir: b.dir})
	}
	if b.peer == "" {
		return list, nil
	}
	if s.restart {
		return append(list, &system{name: "kafka", flush: "os", start: b.startKafka}), nil
	}
	if b.kafka == nil {
		k := &system{name: "kafka", flush: "os", start: b.startKafka}
		if err := b.begin(ctx, k); err != nil {
			return nil, err
		}
		b.kafka = k
		if err := b.warmUp(ctx, k); err != nil {
			return nil, err
		}
	}
	return append(list, b.kafka), nil
}

// measure runs a scenario in turn on its systems, and prints their lines.
func (b *bench) measure(ctx context.Context, s *scenario) error {
	list, err := b.systems(ctx, s)
	if err != nil {
		return err
	}
	defer b.stopBut(b.kafka)
	samples := make([][]*sample, len(list))
	for run := range b.runs {
		for k := range list {
			i := (run + k) % len(list) // nobody is always first
			sys := list[i]
			fmt.Fprintf(os.Stderr, "bench: %s, %s %s, run %d of %d\n", s.name, sys.name, sys.flush, run+1, b.runs)
			x, err := b.one(ctx, s, sys)
			if err != nil {
				return fmt.Errorf("%s %s: %w", sys.name, sys.flush, err)
			}
			samples[i] = append(samples[i], x)
		}
	}
	report(os.Stdout, s.name, list, samples)
	return nil
}

// one is one run on one system.
func (b *bench) one(ctx context.Context, s *scenario, sys *system) (*sample, error) {
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	if s.restart {
		if err := b.begin(ctx, sys); err != nil {
			return nil, err
		}
		defer b.end(sys)
	}
	return s.run(ctx, sys, b.scale)
}

// warmUp gives Kafka the load that its virtual machine needs before figures settle.
func (b *bench) warmUp(ctx context.Context, k *system) error {
	began := time.Now()
	done := 0.0
	for b.warm-done > 0.01 && time.Since(began) < maxWarm {
		x, err := produceGB(ctx, k, min(1, b.warm-done), rawShape)
		if err != nil {
			return fmt.Errorf("warming Kafka: %w", err)
		}
		done += x.bytes / 1e9
		if _, err := pump(ctx, k, oneShape(20), 20_000); err != nil {
			return fmt.Errorf("warming Kafka: %w", err)
		}
	}
	fmt.Fprintf(os.Stderr, "bench: Kafka was warmed with %.1f GB in %.0f s (about 10 GB are needed for its best figures; WARM=%g)\n", done, time.Since(began).Seconds(), b.warm)
	k.warmGB = done
	return nil
}

// maxWarm bounds the warming of Kafka.
const maxWarm = 3 * time.Minute
