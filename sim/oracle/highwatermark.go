package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/history"
)

// highWatermark: nobody reads above the high watermark, and what was once shown stays (I:I13). A later read, ListOffsets or refusal must
// not deny an offset that was exposed before it began; no node's high watermark stands below what was exposed, nor, under flush.policy=ack,
// above what is synced. Where a read may come from a deposed node, it may know less than was exposed.
type highWatermark struct {
	quiet
	g *ghosts
	p Partition
}

func (w *highWatermark) Name() string { return "I:I13" }

func (w *highWatermark) Event(e *history.Event) error {
	if e.Type != history.OK && e.Type != history.Fail {
		return nil
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		m := w.g.mark(e.Process, o.Key)
		var err error
		switch {
		case o.Kind == history.Poll && e.Type == history.OK:
			err = w.poll(e, o, m)
		case o.Kind == history.Poll && e.Err == "OFFSET_OUT_OF_RANGE":
			w.checks++
			if h := w.g.of(o.Key); o.From >= h.removable && o.From <= m.exposed && !h.retains && !w.g.lagging(e, o.Key) {
				err = fail(w.Name(), o.Key+" fetch from "+itoa(o.From), e.I, "offsets up to "+itoa(m.exposed)+" exposed", e.Err)
			}
		case o.Kind == history.ListOffsets && o.Timestamp == -1 && e.Type == history.OK:
			w.checks++
			if o.Offset < m.exposed && !w.g.lagging(e, o.Key) {
				err = fail(w.Name(), o.Key+" latest offset", e.I, "at least "+itoa(m.exposed), itoa(o.Offset))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *highWatermark) poll(e *history.Event, o *history.Op, m mark) error {
	w.checks++
	if n := len(o.Records); n > 0 {
		if last := o.Records[n-1].Offset; o.HW >= 0 && last >= o.HW {
			return fail(w.Name(), o.Key+" read above the answer's own high watermark", e.I, "high watermark "+itoa(o.HW), "record at "+itoa(last))
		}
		return nil
	}
	if o.From >= 0 && o.From < m.exposed && o.From >= w.g.of(o.Key).removable && !w.g.lagging(e, o.Key) {
		return fail(w.Name(), o.Key+" read from "+itoa(o.From), e.I, "offsets up to "+itoa(m.exposed)+" exposed", "nothing there")
	}
	return nil
}

func (w *highWatermark) Step(v View) error {
	ack := v.Policy() == "ack"
	return eachTouched(v, &w.p, func(node int, p *Partition) error {
		if p.Internal || !p.Online || p.Cutting {
			return nil
		}
		w.checks++
		if p.Start > p.HW && p.HW >= 0 || p.HW > p.End || ack && p.HW > p.Synced {
			return fail(w.Name(), fmt.Sprintf("node %d %s/%d", node+1, p.Topic, p.Partition), -1, "start <= high watermark <= "+ceiling(ack),
				fmt.Sprintf("start %d, high watermark %d, synced %d, end %d", p.Start, p.HW, p.Synced, p.End))
		}
		if h := w.g.byKey[keyOf(p)]; h != nil && v.Nodes() == 1 && p.HW < h.exposed {
			return fail(w.Name(), fmt.Sprintf("node %d %s", node+1, h.key), -1, "offsets up to "+itoa(h.exposed)+" exposed", "high watermark "+itoa(p.HW))
		}
		return nil
	})
}

func ceiling(ack bool) string {
	if ack {
		return "synced end"
	}
	return "end"
}
