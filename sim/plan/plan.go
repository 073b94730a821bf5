// Package plan is a run as data: topology, faults, client programs. What found a bug is kept as a plan, since any new draw changes what a
// seed means.
//
// Draw makes a plan from a source of numbers: the keyed generator (SEED=) or rapid's. Encode and Decode keep it in a file, in a versioned
// form whose bytes name it (Sum). Shrink makes it smaller as long as it still breaks the same property.
//
//	seed ──Draw──▶ Plan ──cluster.Run──▶ verdict        file ──Decode──▶ Plan ──Shrink──▶ smaller Plan ──Encode──▶ file
//
// The seed stays in the plan: it keys the streams of each link, disk and shard at run time, so that taking a fault out of the schedule
// moves nothing else. Read next: draw.go, shrink.go.
package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/seedlog/seedlog/sim/fault"
)

// Version is that of the file's form. A plan of another version is refused.
const Version = 1

// Plan is one run.
type Plan struct {
	Version    int
	Seed       uint64
	Nodes      int    // 1..
	Shards     int    // a node, 1..4
	Flush      string // "ack" or "os"
	SafetyMS   int64  // virtual time under faults
	LivenessMS int64  // virtual time after healing in which everything must converge
	MaxRound   int    // events before a Flush, at most
	Mutant     string `json:",omitempty"`
	Clients    int
	Settings   map[string]string `json:",omitempty"` // broker settings, by Kafka's names
	Swarm      fault.Swarm
	Faults     []fault.Fault
	Workload   json.RawMessage `json:",omitempty"` // the client programs: package workload's own
}

// Encode gives the plan's file.
func (p *Plan) Encode() []byte {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		panic(err) // plain data encodes
	}
	return append(b, '\n')
}

// Decode reads a plan's file. A field that it does not know is an error: the file is of another time.
func Decode(b []byte) (*Plan, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p Plan
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if p.Version != Version {
		return nil, fmt.Errorf("plan of version %d; this build runs version %d", p.Version, Version)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

func (p *Plan) check() error {
	switch {
	case p.Nodes < 1 || p.Nodes > 9:
		return fmt.Errorf("plan: %d nodes; 1 to 9 are possible", p.Nodes)
	case p.Shards < 1 || p.Shards > 16:
		return fmt.Errorf("plan: %d shards; 1 to 16 are possible", p.Shards)
	case p.Flush != "ack" && p.Flush != "os":
		return fmt.Errorf("plan: flush %q; ack or os are possible", p.Flush)
	case p.SafetyMS < 1 || p.LivenessMS < 1 || p.MaxRound < 1:
		return fmt.Errorf("plan: times and MaxRound must be positive")
	}
	for _, f := range p.Faults {
		if f.Node >= p.Nodes || f.Shard >= p.Shards {
			return fmt.Errorf("plan: fault %s on node %d shard %d, which is not there", f.Class, f.Node, f.Shard)
		}
	}
	return nil
}

// Sum names the plan: "sha256:" and the hash of its file.
func (p *Plan) Sum() string {
	s := sha256.Sum256(p.Encode())
	return "sha256:" + hex.EncodeToString(s[:])
}

// Clone copies the plan, so that a shrinker can change it.
func (p *Plan) Clone() *Plan {
	c := *p
	c.Swarm = append(fault.Swarm(nil), p.Swarm...)
	c.Faults = append([]fault.Fault(nil), p.Faults...)
	c.Settings = maps.Clone(p.Settings)
	c.Workload = append(json.RawMessage(nil), p.Workload...)
	return &c
}
