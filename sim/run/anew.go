package run

import (
	"maps"
	"slices"
	"strconv"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/txn"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/workload"
)

// The topics where coordinators keep what they know.
const (
	offsetsTopic = "__consumer_offsets"
	stateTopic   = "__transaction_state"
)

// renewals tells of what begins again although nothing was lost, which no answer tells from what goes on.
type renewals struct {
	j      *Judge
	groups []string // with members of both protocols
	ids    []string // transactional
	begun  map[*group.Coordinator]int64
	expiry clock.Duration // of transactional ids
	loose  bool           // clocks are not to be relied on
	knew   map[knower]update
	since  map[update]clock.Time // when it was first seen
}

// update is a change of what is known of a transactional id.
type update struct {
	id string
	ms int64 // by the wall clock of its coordinator
}

// newRenewals makes it for a plan.
func newRenewals(j *Judge, w *workload.Plan) renewals {
	r := renewals{j: j, groups: w.Mixed(), ids: w.TxnIDs(), expiry: never, begun: map[*group.Coordinator]int64{}, knew: map[knower]update{}, since: map[update]clock.Time{}}
	if ms, err := strconv.ParseInt(j.plan.Settings["transactional.id.expiration.ms"], 10, 64); err == nil {
		r.expiry = clock.MS(ms) - 2*clock.Millisecond // clocks count whole ones
	}
	r.loose = slices.ContainsFunc(j.plan.Faults, func(f fault.Fault) bool { return f.Class == fault.C1 })
	return r
}

// never is longer than a run.
const never = 1000 * 3600 * clock.Second

// knower is a coordinator that knew a transactional id when it was last looked at.
type knower struct {
	c  *txn.Coordinator
	id string
}

// stepped looks at what a shard coordinates.
func (r *renewals) stepped(node, shard int) {
	img, st := r.j.view.image, r.j.view.state(node, shard)
	if img == nil || st == nil {
		return
	}
	if t := img.TopicByName(offsetsTopic); t != nil && len(r.groups) > 0 {
		r.ofGroups(st, t)
	}
	if t := img.TopicByName(stateTopic); t != nil {
		for _, id := range r.ids {
			r.id(st, t, id)
		}
	}
}

// ofGroups tells of groups whose coordinator has begun one: with the first generation, where one that changes its protocol while members live goes on
// with its own. It may have been another group.
func (r *renewals) ofGroups(st *api.State, t *metadata.Topic) {
	more := map[*group.Coordinator]int64{}
	for _, name := range r.groups {
		c := st.Groups[coordinator.PartitionFor(name, int32(len(t.Partitions)))]
		if c != nil && c.Begun > r.begun[c] {
			more[c] = c.Begun
			r.j.note(history.Op{Kind: history.Anew, Key: name, Offset: history.NoOffset})
		}
	}
	maps.Copy(r.begun, more)
}

// id looks at a transactional id, which the coordinator that knew it may have let expire, if nothing was heard of it for long enough. One that does not
// know what another has known has lost it.
func (r *renewals) id(st *api.State, t *metadata.Topic, id string) {
	c := st.Txns[coordinator.PartitionFor(id, int32(len(t.Partitions)))]
	if c == nil || !c.Active() {
		return
	}
	k := knower{c, id}
	if ms, ok := c.Updated(id); ok {
		u := update{id, ms}
		if _, seen := r.since[u]; !seen {
			r.since[u] = r.j.now()
		}
		if was, knew := r.knew[k]; knew && was != u && r.due(was) { // in one round with what began it anew, perhaps: a shard that goes on after a pause
			r.forgot(id)
		}
		r.knew[k] = u
		return
	}
	if u, knew := r.knew[k]; knew {
		delete(r.knew, k)
		if r.loose || r.due(u) {
			r.forgot(id)
		}
	}
}

// due says whether nothing has been heard of an id for so long that it may expire.
func (r *renewals) due(u update) bool { return r.j.now().Sub(r.since[u]) >= r.expiry }

func (r *renewals) forgot(id string) {
	r.j.note(history.Op{Kind: history.Forgot, Key: id, Offset: history.NoOffset})
}
