package txn

import (
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
)

// DescribeTransactions handles DescribeTransactions v0 for ids of this coordinator's partition.
func (c *Coordinator) DescribeTransactions(q *kmsg.DescribeTransactionsRequest, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(q, code))
		return
	}
	resp := q.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range q.TransactionalIDs {
		resp.TransactionStates = append(resp.TransactionStates, c.describe(id))
	}
	if len(q.TransactionalIDs) == 1 {
		c.park(q.TransactionalIDs[0], w, resp)
		return
	}
	c.shard.ParkAll(w, resp)
}

func (c *Coordinator) describe(id string) kmsg.DescribeTransactionsResponseTransactionState {
	out := kmsg.NewDescribeTransactionsResponseTransactionState()
	out.TransactionalID = id
	e := c.ids[id]
	switch {
	case id == "":
		out.ErrorCode = int16(kerr.InvalidRequest)
		return out
	case e == nil:
		out.ErrorCode = int16(kerr.TransactionalIDNotFound)
		return out
	}
	out.State, out.TimeoutMillis, out.StartTimestamp = e.State.String(), e.TimeoutMS, e.StartMS
	out.ProducerID, out.ProducerEpoch = e.ProducerID, e.Epoch
	for _, t := range e.Partitions {
		out.Topics = append(out.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: t.Topic, Partitions: slices.Clone(t.Numbers)})
	}
	return out
}

// ListTransactions handles ListTransactions v0 to v2: filters by state, producer id, duration (KIP-994) and pattern (KIP-1152). Ids come in order.
// The caller has compiled the pattern, nil if there is none.
func (c *Coordinator) ListTransactions(q *kmsg.ListTransactionsRequest, pattern *regexp.Regexp, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(q, code))
		return
	}
	resp := q.ResponseKind().(*kmsg.ListTransactionsResponse)
	f := newFilter(q, pattern, c.nowMS())
	for _, id := range sortedKeys(c.ids) {
		if e := c.ids[id]; f.takes(e) {
			resp.TransactionStates = append(resp.TransactionStates, kmsg.ListTransactionsResponseTransactionState{
				TransactionalID: id, ProducerID: e.ProducerID, TransactionState: e.State.String(),
			})
		}
	}
	c.shard.ParkAll(w, resp)
}

// filter is what a ListTransactions asks for.
type filter struct {
	states   []State
	byState  bool
	ids      []int64
	duration int64 // ms, -1 any
	pattern  *regexp.Regexp
	now      int64
}

func newFilter(q *kmsg.ListTransactionsRequest, pattern *regexp.Regexp, nowMS int64) *filter {
	f := &filter{byState: len(q.StateFilters) > 0, ids: q.ProducerIDFilters, duration: -1, pattern: pattern, now: nowMS}
	if q.Version >= 1 {
		f.duration = q.DurationFilterMillis
	}
	for _, name := range q.StateFilters {
		if s, ok := stateOf(name); ok {
			f.states = append(f.states, s)
		}
	}
	return f
}

func (f *filter) takes(e *entry) bool {
	switch {
	case len(f.ids) > 0 && !slices.Contains(f.ids, e.ProducerID):
		return false
	case f.byState && !slices.Contains(f.states, e.State):
		return false
	case f.duration >= 0 && f.now-e.StartMS <= f.duration:
		return false
	}
	return f.pattern == nil || f.pattern.MatchString(e.id)
}

// UnknownStates are the filters of a ListTransactions that name no state.
func UnknownStates(filters []string) []string {
	var out []string
	for _, name := range filters {
		if _, ok := stateOf(name); !ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
