package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/history"
)

// lost: what was acknowledged with acks=all, or read, is in the log (I:I3). It reads logs back after each restart and at the end. Of a
// cluster's logs each new leader's is read back when it begins to lead, and at the end the followers' up to their high watermarks.
type lost struct {
	quiet
	g           *ghosts
	p, q        Partition
	incarnation []int            // by node: the last one whose logs were read back
	epoch       map[string]int32 // in a cluster: by key: the last leader epoch whose leader's log was read back
}

func (l *lost) Name() string { return "I:I3" }

// Due implements Due: something was acknowledged, and is not all deleted.
func (l *lost) Due() bool {
	for _, h := range l.g.byKey {
		if h.acked > h.removable && !h.retains {
			return true
		}
	}
	return false
}

func (l *lost) Step(v View) error {
	if v.Nodes() > 1 {
		return eachTouched(v, &l.q, func(node int, p *Partition) error { return l.leader(v, node, p) })
	}
	for n := 0; n < v.Nodes(); n++ {
		for len(l.incarnation) <= n {
			l.incarnation = append(l.incarnation, 1)
		}
		if !v.Up(n) || v.Incarnation(n) == l.incarnation[n] {
			continue
		}
		l.incarnation[n] = v.Incarnation(n)
		if err := l.readBack(v, n, "after restart"); err != nil {
			return err
		}
	}
	return nil
}

func (l *lost) End(v View) error {
	for n := 0; n < v.Nodes(); n++ {
		if !v.Up(n) {
			continue
		}
		if err := l.readBack(v, n, "at the end"); err != nil {
			return err
		}
	}
	return nil
}

// leader reads back the log of a node that has begun to lead, and still does as far as anybody knows.
func (l *lost) leader(v View, node int, p *Partition) error {
	k := keyOf(p)
	if epoch, ok := l.epoch[k]; !p.Leader || p.Internal || ok && epoch >= p.Epoch || !leads(v, node, p) {
		return nil
	}
	if l.epoch == nil {
		l.epoch = map[string]int32{}
	}
	l.epoch[k] = p.Epoch
	return l.log(v, node, "of the leader of epoch "+itoa(int64(p.Epoch)), p, maxCells)
}

// readBack compares a node's logs with what was promised.
func (l *lost) readBack(v View, node int, when string) error {
	return eachPartition(v, node, &l.p, func(p *Partition) error {
		limit := int64(maxCells)
		if v.Nodes() > 1 && !leads(v, node, p) {
			limit = p.HW
		}
		return l.log(v, node, when, p, limit)
	})
}

// log compares one log below a limit with what was promised.
func (l *lost) log(v View, node int, when string, p *Partition, limit int64) error {
	h := l.g.byKey[keyOf(p)]
	if h == nil || p.Internal || !p.Online {
		return nil
	}
	next, err := h.floor(p.Start), error(nil)
	from := next
	ok := v.ReadBack(node, p.Topic, p.Partition, from, func(batch []byte) bool {
		recs, end, bad := client.ReadBatches(batch, from)
		if bad != "" {
			err = fail(l.Name(), fmt.Sprintf("node %d %s %s", node+1, h.key, when), -1, "whole batches", bad)
			return false
		}
		for _, r := range recs {
			if r.Offset >= limit {
				return false
			}
			if err = l.compare(h, node, when, next, r); err != nil {
				return false
			}
			next = r.Offset + 1
		}
		next = max(next, end)
		return true
	})
	if err != nil || !ok {
		return err
	}
	return l.missing(h, node, when, next, min(limit, int64(len(h.cells))))
}

func (l *lost) compare(h *ghost, node int, when string, next int64, r history.Record) error {
	if err := l.missing(h, node, when, next, r.Offset); err != nil {
		return err
	}
	if r.Offset >= int64(len(h.cells)) {
		return nil
	}
	c := &h.cells[r.Offset]
	if !c.known {
		return nil
	}
	l.checks++
	if c.value != r.Value {
		return fail(l.Name(), fmt.Sprintf("node %d %s offset %d %s", node+1, h.key, r.Offset, when), -1, c.value, r.Value)
	}
	return nil
}

// missing looks for promised records among offsets that the log does not have.
func (l *lost) missing(h *ghost, node int, when string, from, to int64) error {
	for o := from; o < to && o < int64(len(h.cells)); o++ {
		if c := &h.cells[o]; c.known {
			l.checks++
			return fail(l.Name(), fmt.Sprintf("node %d %s offset %d %s", node+1, h.key, o, when), -1, fmt.Sprintf("%v (acked %v, read %v)", c.value, c.acked, c.read), "nothing")
		}
	}
	return nil
}
