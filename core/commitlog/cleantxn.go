package commitlog

import (
	"sort"

	"github.com/seedlog/seedlog/core/records"
)

// cleanTxns follows the transactions of a log from its first batch on, as Kafka's CleanedTransactionMetadata: whether a batch is of an aborted
// one, and of a marker, whether anything of what it ended is left.
type cleanTxns struct {
	list []Aborted           // by first offset
	next int                 // of list, that has not begun
	open map[int64]*cleanTxn // by producer id; lookups only
}

// cleanTxn is a transaction whose marker has not come yet.
type cleanTxn struct {
	aborted bool
	entry   Aborted // if aborted
	left    bool    // a batch of it stays
}

func (x *cleanTxns) begin(list []Aborted) {
	x.list = append([]Aborted(nil), list...)
	sort.SliceStable(x.list, func(i, j int) bool { return x.list[i].First < x.list[j].First })
	x.next, x.open = 0, map[int64]*cleanTxn{}
}

// batch gives the transaction of a transactional batch of records.
func (x *cleanTxns) batch(v records.View) *cleanTxn {
	for ; x.next < len(x.list) && x.list[x.next].First <= v.LastOffset(); x.next++ {
		x.open[x.list[x.next].ProducerID] = &cleanTxn{aborted: true, entry: x.list[x.next]}
	}
	o := x.open[v.ProducerID()]
	if o == nil || o.aborted && o.entry.Last < v.BaseOffset() {
		o = new(cleanTxn)
		x.open[v.ProducerID()] = o
	}
	return o
}

// marker gives the transaction that a marker ends, nil if nothing of it was met.
func (x *cleanTxns) marker(v records.View) *cleanTxn {
	o := x.open[v.ProducerID()]
	delete(x.open, v.ProducerID())
	if o != nil && o.aborted && o.entry.Last != v.LastOffset() {
		o.aborted = false
	}
	return o
}
