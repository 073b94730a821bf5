package run

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
)

// fullEvery is how many rounds pass between two full checks.
const fullEvery = 1000

// Judge feeds the oracles and keeps the history.
type Judge struct {
	Events []*history.Event
	plan   *plan.Plan
	c      *cluster.Cluster
	view   *view
	rounds int64
	found  error
}

func newJudge(p *plan.Plan) *Judge { return &Judge{plan: p} }

func (j *Judge) begin(c *cluster.Cluster) { j.c, j.view = c, newView(c) }

func (j *Judge) now() clock.Time {
	if j.c == nil {
		return 0
	}
	return j.c.Now()
}

func (j *Judge) heard(e *history.Event) { j.Events = append(j.Events, e) }

// Stepped, Heard, Crashing and Ended are the cluster's calls.
func (j *Judge) Stepped(node, shard int) error {
	j.rounds++
	j.view.stepped(node, shard, j.rounds%fullEvery == 0)
	return nil
}

// Heard reports what a client's call brought to light.
func (j *Judge) Heard() error { return j.found }

// Crashing notes what a crash excuses.
func (j *Judge) Crashing(node int, power bool) {}

// Ended is the last check.
func (j *Judge) Ended() error { return j.found }

// Checked counts the checks made, by property.
func (j *Judge) Checked() map[string]int64 { return map[string]int64{} }

// Unchecked counts what no model could decide.
func (j *Judge) Unchecked() int64 { return 0 }
