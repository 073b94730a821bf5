package models

import (
	"sort"
	"time"

	"github.com/seedlog/seedlog/sim/history"
)

// Verdict of one check.
type Verdict string

// The verdicts. Unchecked is porcupine's Unknown: never a pass.
const (
	OK        Verdict = "ok"
	Illegal   Verdict = "illegal"
	Unchecked Verdict = "unchecked"
)

// Result is what one model says of one key.
type Result struct {
	Model   string  `json:"model"`
	Key     string  `json:"key"`
	Verdict Verdict `json:"verdict"`
	Ops     int     `json:"ops"`
	Strong  int     `json:"strong_reads,omitempty"`
	Weak    int     `json:"weak_reads,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Window  *Window `json:"-"` // of an Illegal that a search found
}

// Options of Check.
type Options struct {
	// Weak says that a read within [call, ret] may lag (M1w): the ledger shows a pause, a partition or skew on a node that led then.
	// nil: as the history's own notes say.
	Weak func(key string, call, ret int64) bool
	// WeakFetch says the same of fetches from a node alone: a new leader's high watermark may lag, and only ListOffsets must not tell (KIP-207);
	// a follower's may always (KIP-392). nil: as Weak.
	WeakFetch func(key, node string, call, ret int64) bool
	// Timeout bounds each window's search in wall time; what it cuts off is unchecked. 0: 20 s.
	Timeout time.Duration
	// ProducersExpire says that the run lets producer ids expire while they are in use (F:L2), so that M2 allows forgetting.
	ProducersExpire bool
	// OffsetsExpire says the same of committed offsets, for M3.
	OffsetsExpire bool
	// TxnPartitions is how many partitions __transaction_state has; 0: Kafka's default.
	TxnPartitions int
	// FirstEpoch is the producer epoch that a new transactional id begins with.
	FirstEpoch int16
}

// windowOps is the size from which on a history is cut at its next quiescent point.
const windowOps = 128

// Check runs every model over a history, keys in order.
func Check(events []*history.Event, opt Options) []Result {
	if opt.Timeout == 0 {
		opt.Timeout = 20 * time.Second
	}
	if opt.Weak == nil {
		w := WeakWindows(events)
		opt.Weak, opt.WeakFetch = w.Weak, w.WeakFetch
	}
	calls := Calls(events)
	byLog, byGroup, byTxn := map[string][]Call{}, map[string][]Call{}, map[string][]Call{}
	for _, c := range calls {
		switch c.Op.Kind {
		case history.Send, history.Poll, history.ListOffsets:
			byLog[c.Op.Key] = append(byLog[c.Op.Key], c)
		case history.Commit, history.FetchOffsets:
			byGroup[c.Op.Key] = append(byGroup[c.Op.Key], c)
		case history.TxnCall:
			byTxn[c.Op.Key] = append(byTxn[c.Op.Key], c)
		}
	}
	var results []Result
	for _, k := range keys(byLog) {
		ex := excuses(events, k)
		results = append(results, CheckLog(k, byLog[k], ex, opt))
		results = append(results, CheckProducers(k, byLog[k], ex, opt)...)
	}
	for _, k := range keys(byGroup) {
		results = append(results, CheckOffsets(k, byGroup[k], joins(calls, k), groupExcuses(events), Notes(events, history.Anew, groupOf(k)), opt))
	}
	for _, k := range keys(byTxn) {
		if txnExcused(events) {
			continue
		}
		results = append(results, CheckTransactional(k, byTxn[k], Notes(events, history.Forgot, k), opt))
	}
	if !metadataExcused(events) {
		for _, k := range metadataKeys(events) {
			results = append(results, CheckMetadata(k, events, calls, opt))
		}
	}
	return results
}

func keys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}
