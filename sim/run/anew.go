package run

import (
	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/txn"
	"github.com/seedlog/seedlog/sim/history"
)

// The topics where coordinators keep what they know.
const (
	offsetsTopic = "__consumer_offsets"
	stateTopic   = "__transaction_state"
)

// standing is what the coordinator of a group had made of it.
type standing struct {
	consumer   bool // by the consumer protocol
	generation int32
}

// renewals tells of what begins again although nothing was lost, which no answer tells from what goes on.
type renewals struct {
	j      *Judge
	groups []string // with members of both protocols
	ids    []string // transactional
	last   map[string]standing
	knew   map[knower]bool
}

// knower is a coordinator that knew a transactional id when it was last looked at.
type knower struct {
	c  *txn.Coordinator
	id string
}

// stepped looks at what a shard coordinates.
func (r *renewals) stepped(node, shard int) {
	img, st := r.j.view.image, r.j.view.state(node, shard)
	if img == nil || st == nil || len(r.groups)+len(r.ids) == 0 {
		return
	}
	if t := img.TopicByName(offsetsTopic); t != nil {
		for _, name := range r.groups {
			r.group(node, st, t, name)
		}
	}
	if t := img.TopicByName(stateTopic); t != nil {
		for _, id := range r.ids {
			r.id(st, t, id)
		}
	}
}

// group looks at a group with members of both protocols. One that changes its protocol while members live goes on with its generation; one that was
// empty begins with the first. Where the two cannot be told apart here either, it counts as begun anew. What a coordinator that was deposed makes
// of it is of no account.
func (r *renewals) group(node int, st *api.State, t *metadata.Topic, name string) {
	n := coordinator.PartitionFor(name, int32(len(t.Partitions)))
	c := st.Groups[n]
	if c == nil || !c.Active() || int(t.Partitions[n].Leader)-1 != node {
		return
	}
	var now standing
	now.consumer, now.generation = c.Standing(name)
	was := r.last[name]
	again := now.generation < was.generation || now.generation <= 1
	if now.consumer { // which goes on with the next one; the first with members is 2
		again = now.generation <= max(was.generation, 2)
	}
	if now.consumer != was.consumer && again {
		r.j.note(history.Op{Kind: history.Anew, Key: name, Offset: history.NoOffset})
	}
	r.last[name] = now
}

// id looks at a transactional id, which the coordinator that knew it may have let expire. One that does not know what another has known has lost it.
func (r *renewals) id(st *api.State, t *metadata.Topic, id string) {
	c := st.Txns[coordinator.PartitionFor(id, int32(len(t.Partitions)))]
	switch k := (knower{c, id}); {
	case c == nil || !c.Active():
	case c.Knows(id):
		r.knew[k] = true
	case r.knew[k]:
		delete(r.knew, k)
		r.j.note(history.Op{Kind: history.Forgot, Key: id, Offset: history.NoOffset})
	}
}
