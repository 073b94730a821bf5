package debug

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/txn"
)

// coordinators prints the groups and transactional ids that a node coordinates.
func (l *Local) coordinators(t *text, n int) {
	for s := range l.plan.Shards {
		st := l.state(n, s)
		if st == nil {
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(st.Groups)) {
			t.line("groups of __consumer_offsets/%d (shard %d): %s", p, s, phase(st.Groups[p].Active()))
			groups(t, st.Groups[p])
		}
		for _, p := range slices.Sorted(maps.Keys(st.Txns)) {
			t.line("transactional ids of __transaction_state/%d (shard %d): %s", p, s, phase(st.Txns[p].Active()))
			transactions(t, st, p)
		}
	}
}

func phase(active bool) string {
	if active {
		return "active"
	}
	return "loading, or dropped"
}

func groups(t *text, c *group.Coordinator) {
	snap := c.Snapshot()
	for _, g := range snap.Groups {
		t.row("  group "+g.ID, g.State, g.ProtocolType, fmt.Sprintf("generation %d", g.Generation), fmt.Sprintf("%d members", g.Members))
	}
	for _, o := range snap.Offsets {
		t.row("  offset of "+o.Group, fmt.Sprintf("%s/%d", o.Topic, o.Partition), strconv.FormatInt(o.Offset, 10))
	}
}

// transactions prints the ids of one coordinator. A coordinator shows them to clients alone, who may have to wait: they are read where it keeps them.
func transactions(t *text, st *api.State, partition int32) {
	ids := txnIDs(st.Txns[partition])
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		e := ids[id]
		t.row("  "+id, txn.State(field(e, "State").Int()).String(), fmt.Sprintf("producer id %d epoch %d", field(e, "ProducerID").Int(), field(e, "Epoch").Int()), inTxn(field(e, "Partitions")))
	}
}

// txnIDs are the entries of a coordinator by transactional id.
func txnIDs(c *txn.Coordinator) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for it := field(reflect.ValueOf(c), "ids").MapRange(); it.Next(); {
		out[it.Key().String()] = it.Value()
	}
	return out
}

// inTxn names the partitions of a transaction.
func inTxn(ps reflect.Value) string {
	var s []string
	for i := range ps.Len() {
		numbers := field(ps.Index(i), "Numbers")
		for k := range numbers.Len() {
			s = append(s, fmt.Sprintf("%s/%d", field(ps.Index(i), "Topic").String(), numbers.Index(k).Int()))
		}
	}
	return strings.Join(s, " ")
}
