package jepsen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Config is what a run is asked for.
type Config struct {
	System   string // seedlog or kafka
	Broker   string // seedlog's program
	Peer     string // kafka: the folder of kafka-peer
	PeerDir  string // kafka: where it has its jars
	Nodes    int
	Time     time.Duration // of the nemesis
	Seed     uint64        // of generators and of the nemesis
	Workload string        // log, txn, offsets, group, copy, metadata
	Nemesis  []string      // kinds of fault; empty: all
	Flush    string        // ack or os; kafka has only its own
	Loopback bool          // no namespaces, though the machine would permit them
	Out      string        // folder
	Replay   string        // the command that repeats it
	Say      func(format string, args ...any)
}

// Systems and workloads that there are.
const (
	Seedlog = "seedlog"
	Kafka   = "kafka"
)

// Validate says what is wrong with a configuration, and what to do.
func (c *Config) Validate() error {
	switch {
	case c.System != Seedlog && c.System != Kafka:
		return fmt.Errorf("SYSTEM=%q; name seedlog or kafka", c.System)
	case c.System == Kafka && c.Peer == "":
		return fmt.Errorf("SYSTEM=kafka without PEER; name the folder that holds kafka-peer")
	case c.Nodes < 3 || c.Nodes > 9:
		return fmt.Errorf("NODES=%d; name 3 to 9", c.Nodes)
	case workloads[c.Workload] == nil:
		return fmt.Errorf("WORKLOAD=%q; name one of %s", c.Workload, strings.Join(sortedKeys(workloads), ", "))
	case c.Flush != "ack" && c.Flush != "os":
		return fmt.Errorf("FLUSH=%q; name ack or os", c.Flush)
	case c.Time < time.Second || c.Time > 24*time.Hour:
		return fmt.Errorf("SECS=%v; name 1 to 86400", c.Time)
	}
	for _, n := range c.Nemesis {
		if !slices.ContainsFunc(faults, func(f *fault) bool { return f.kind == n }) {
			return fmt.Errorf("NEMESIS=%q; name some of %s", n, strings.Join(Kinds(), ", "))
		}
	}
	return nil
}

// wants says whether a kind of fault is asked for.
func (c *Config) wants(kind string) bool {
	return len(c.Nemesis) == 0 || slices.Contains(c.Nemesis, kind)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
