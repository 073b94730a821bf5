package oracle

import (
	"fmt"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// transfers: what is moved between accounts is neither more nor less in the end (txn:sum). It is found from the values alone: a transfer's two records have amounts that
// cancel each other, and are in one transaction.
type transfers struct {
	quiet
	x *transactions
}

// The topic, and where a value has its amount: package client, mover.go.
const (
	transferTopic   = "transfers"
	transferAmounts = 1 << 8
)

func (x *transfers) Name() string { return "txn:sum" }

// keys gives the partitions that were written to.
func (x *transfers) keys() (keys []string) {
	of := map[string]bool{}
	for _, w := range x.x.all {
		for _, k := range w.keys {
			if topic, _ := history.SplitKey(k); topic == transferTopic && !of[k] {
				of[k], keys = true, append(keys, k)
			}
		}
	}
	sort.Strings(keys)
	return keys
}

// Due implements Due.
func (x *transfers) Due() bool {
	for _, last := range x.x.lastReadings() {
		if x.judged(last, x.keys()) {
			return true
		}
	}
	return false
}

// judged says whether a last reading is of all that was written to, and nothing excuses what is missing.
func (x *transfers) judged(last *lastReading, keys []string) bool {
	for _, k := range keys {
		if !last.whole[k] || x.x.excused(k) {
			return false
		}
	}
	return len(keys) > 0
}

// End implements Oracle.
func (x *transfers) End(View) error {
	keys := x.keys()
	for _, last := range x.x.lastReadings() {
		if !x.judged(last, keys) {
			continue
		}
		sum := int64(0)
		var each []string
		for _, k := range keys {
			n := int64(0)
			for v := range last.at[k] {
				n += amount(v)
			}
			sum += n
			each = append(each, fmt.Sprintf("%s: %d", k, n))
		}
		if x.checks++; sum != 0 {
			return fail(x.Name(), "all accounts of "+transferTopic, -1, 0, fmt.Sprintf("%d (%s)", sum, strings.Join(each, ", ")))
		}
	}
	return nil
}

func amount(value string) int64 {
	v, ok := history.ParseValue([]byte(value))
	if !ok {
		return 0
	}
	return v.N()%transferAmounts - transferAmounts/2
}
