package run

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/sim/history"
)

// offsetsTopic is where groups are.
const offsetsTopic = "__consumer_offsets"

// standing is what the coordinator of a group had made of it.
type standing struct {
	consumer   bool // by the consumer protocol
	generation int32
}

// renewals tells of groups with members of both protocols whose generations begin again. A group that changes its protocol while members live goes on
// with its generation; one that was empty begins with the first, which no answer tells from the other. Where the two cannot be told apart here
// either, it counts as begun anew.
type renewals struct {
	j     *Judge
	names []string
	last  map[string]standing
}

// stepped looks at the groups that a shard coordinates. What a coordinator that was deposed makes of them is of no account.
func (r *renewals) stepped(node, shard int) {
	img, st := r.j.view.image, r.j.view.state(node, shard)
	if len(r.names) == 0 || img == nil || st == nil {
		return
	}
	t := img.TopicByName(offsetsTopic)
	if t == nil {
		return
	}
	for _, name := range r.names {
		n := coordinator.PartitionFor(name, int32(len(t.Partitions)))
		c := st.Groups[n]
		if c == nil || !c.Active() || int(t.Partitions[n].Leader)-1 != node {
			continue
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
}
