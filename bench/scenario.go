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
	cluster bool     // it runs on clusters of three
	ours    bool     // only our own brokers are measured
	set     []string // settings of our own brokers
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
	{name: "restart", flush: bothPolicies, restart: true, ours: true, run: restart},
	{name: "raw-produce", flush: bothPolicies, run: rawProduce},
	{name: "produce", flush: bothPolicies, run: produce},
	{name: "raw-fetch", flush: onlyOS, run: rawFetch},
	{name: "one-record", flush: onlyOS, run: oneRecord(20)},
	{name: "one-record-1", flush: onlyOS, run: oneRecord(1)},
	{name: "latency", flush: bothPolicies, floor: true, run: latency},
	{name: "transactions-1", flush: bothPolicies, floor: true, run: transactions(1)},
	{name: "transactions-8", flush: bothPolicies, floor: true, run: transactions(8)},
	{name: "idempotence", flush: onlyOS, run: idempotence},
	{name: "producer-ids", flush: onlyOS, restart: true, ours: true, run: producerIDs},
	{name: "offset-commits", flush: bothPolicies, run: offsetCommits},
	{name: "group-consumer", flush: onlyAck, run: groups(true)},
	{name: "group-classic", flush: onlyAck, run: groups(false)},
	{name: "compaction", flush: bothPolicies, set: []string{cleanerBackoff + "=100"}, run: compaction},
	{name: "cluster-produce", flush: bothPolicies, cluster: true, run: rawProduce},
	{name: "cluster-partitions-1", flush: bothPolicies, cluster: true, run: clusterPartitions(1)},
	{name: "cluster-partitions-100", flush: bothPolicies, cluster: true, run: clusterPartitions(100)},
	{name: "cluster-partitions-1000", flush: bothPolicies, cluster: true, restart: true, run: clusterPartitions(1000)},
	{name: "cluster-idle", flush: onlyAck, cluster: true, restart: true, run: clusterIdle},
}

// maxRun bounds one run of a scenario on one system.
const maxRun = 5 * time.Minute

// bench is what one invocation has: its processes above all.
type bench struct {
	*options
	dir     string           // for data and logs; removed at the end
	brokers int              // started so far: each has a directory of its own
	kafka   map[bool]*system // by whether it is a cluster
	running []*system
}

// systems gives the systems that a scenario compares, Kafka last.
func (b *bench) systems(ctx context.Context, s *scenario) ([]*system, error) {
	var list []*system
	begin, beginKafka := b.startBroker, b.startKafka
	if s.cluster {
		begin, beginKafka = b.startCluster, b.startKafkaCluster
	}
	add := func(name, flush, path string) error {
		sys := &system{name: name, flush: flush, settings: s.set, start: func(ctx context.Context, s *system) error { return begin(ctx, s, path) }}
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
	if b.peer == "" || s.ours {
		return list, nil
	}
	if s.restart {
		return append(list, &system{name: "kafka", flush: "os", start: beginKafka}), nil
	}
	if b.kafka[s.cluster] == nil {
		if other := b.kafka[!s.cluster]; other != nil { // two would not leave a machine much
			b.end(other)
			delete(b.kafka, !s.cluster)
		}
		k := &system{name: "kafka", flush: "os", start: beginKafka}
		if err := b.begin(ctx, k); err != nil {
			return nil, err
		}
		b.kafka[s.cluster] = k
		if err := b.warmUp(ctx, k); err != nil {
			return nil, err
		}
	}
	return append(list, b.kafka[s.cluster]), nil
}

// measure runs a scenario in turn on its systems, and prints their lines.
func (b *bench) measure(ctx context.Context, s *scenario) error {
	list, err := b.systems(ctx, s)
	if err != nil {
		return err
	}
	defer func() { b.stopBut(b.kafka[s.cluster]) }()
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
