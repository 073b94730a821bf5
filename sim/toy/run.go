package toy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

func sortReads(rs []read) {
	slices.SortFunc(rs, func(a, b read) int { return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.pos, b.pos)) })
}

// Judge turns what a toy client found into a broken property.
type Judge struct {
	errs    []string
	Clients []*Client
}

// Lost is the property that an acknowledged record is where the answer said.
const Lost = "toy:lost"

type broken struct{ was, is string }

func (b broken) Error() string                      { return b.is }
func (b broken) Broken() (property, was, is string) { return Lost, b.was, b.is }

func (j *Judge) found() error {
	if len(j.errs) == 0 {
		return nil
	}
	was, is, _ := strings.Cut(j.errs[0], "|")
	return broken{was, is}
}

// Stepped, Heard and Ended are the cluster's calls.
func (j *Judge) Stepped(int, int) error { return nil }

// Healing and Crashing do not concern the toy: it acknowledges only what is synced.
func (j *Judge) Healing()           {}
func (j *Judge) Crashing(int, bool) {}

// Heard looks for findings.
func (j *Judge) Heard() error { return j.found() }

// Ended demands that there was something to find.
func (j *Judge) Ended() error {
	for _, c := range j.Clients {
		if c.Acks == 0 || c.Reads == 0 {
			return fmt.Errorf("client %d had %d answers and %d reads", c.ID, c.Acks, c.Reads)
		}
	}
	return j.found()
}

// Options are for cluster.New: a run of a plan with toy nodes that have a bug ("": none).
func Options(p *plan.Plan, bug string, count, size int) (cluster.Options, *Judge) {
	j := &Judge{}
	opt := cluster.Options{Factory: Factory(bug), Judge: j}
	for i := range p.Clients {
		c := &Client{ID: i, Shards: p.Shards, Nodes: p.Nodes, Count: count, Size: size, Errs: &j.errs}
		j.Clients = append(j.Clients, c)
		opt.Clients = append(opt.Clients, client.Client(c))
	}
	return opt, j
}

// Checks is how many records were read back and compared.
func (j *Judge) Checks() (n int64) {
	for _, c := range j.Clients {
		n += int64(c.Reads)
	}
	return n
}

// Survives gives the fault classes under which the toy keeps its promise: all but lying disks.
func Survives() []fault.Class {
	var cs []fault.Class
	for _, c := range plan.One {
		if c != fault.D2 && c != fault.D5 { // it keeps one copy, and checks nothing of what it reads
			cs = append(cs, c)
		}
	}
	return cs
}
