package oracle

import (
	"fmt"
	"slices"
	"sort"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/sim/history"
)

// recovery: a log comes back as a prefix of what was written, no shorter than what was synced (I:S3). Its start may go back: as in Kafka, log start offsets are written to their checkpoint now and then.
type recovery struct {
	quiet
	g     *ghosts
	p     Partition
	nodes []nodeMemory
	due   bool // a node came back that held synced records
	image *metadata.Image
}

type nodeMemory struct {
	incarnation int
	last        map[string]*Partition // as last seen while the node was up
	pending     map[string]bool       // in a cluster: keys of last that the present process has not shown yet
	high        map[string]int64      // in a cluster: the highest end since the log was opened: a truncation may be undone by a crash
}

func (r *recovery) Name() string { return "I:S3" }

// Due implements Due.
func (r *recovery) Due() bool { return r.due }

// Event takes in excuses: a lying fsync promised nothing.
func (r *recovery) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind != history.Excuse && o.Kind != history.Copy {
			continue
		}
		for n := range r.nodes {
			for k, p := range r.nodes[n].last {
				if (o.Key == "" || o.Key == k) && (o.Member == "" || o.Member == history.NodeName(n)) {
					p.Synced = min(p.Synced, max(o.Offset, 0))
				}
			}
		}
	}
	return nil
}

func (r *recovery) Step(v View) error {
	for n := 0; n < v.Nodes(); n++ {
		for len(r.nodes) <= n {
			r.nodes = append(r.nodes, nodeMemory{last: map[string]*Partition{}})
		}
		m := &r.nodes[n]
		if !v.Up(n) || v.Incarnation(n) == m.incarnation {
			continue
		}
		if v.Nodes() > 1 {
			m.await()
		} else if m.incarnation > 0 {
			for k, was := range m.last {
				topic, _ := history.SplitKey(k)
				r.due = r.due || was.Online && was.Synced > 0 && !r.deleted(topic)
			}
			if err := r.cameBack(v, n, m); err != nil {
				return err
			}
		}
		m.incarnation = v.Incarnation(n)
	}
	r.moved(v)
	return eachTouched(v, &r.p, func(node int, p *Partition) error {
		m, k := &r.nodes[node], keyOf(p)
		if m.pending[k] {
			if !p.Online {
				return nil // not open yet
			}
			delete(m.pending, k)
			was := *m.last[k]
			was.End = max(was.End, m.high[k])
			delete(m.high, k)
			if err := r.compare(v, node, &was, p); err != nil {
				return err
			}
		}
		r.remember(m, p)
		return nil
	})
}

// moved forgets what a cluster has moved away from a node: should it come back, its log is another one. What a node shows goes at once; what
// it has not shown since it started goes with the image that says so.
func (r *recovery) moved(v View) {
	w, ok := v.(Metadata)
	if !ok || v.Nodes() == 1 || w.Image() == nil {
		return
	}
	anew := w.Image() != r.image
	r.image = w.Image()
	for n := range r.nodes {
		m := &r.nodes[n]
		if _, all := v.Touched(n); all && v.Up(n) {
			here := map[string]bool{}
			_ = eachPartition(v, n, &r.p, func(p *Partition) error {
				here[keyOf(p)] = true
				return nil
			})
			m.forget(func(k string) bool { return !here[k] && !m.pending[k] })
		}
		if anew && len(m.pending) > 0 {
			m.forget(func(k string) bool { return m.pending[k] && !hosts(r.image, n, k, m.last[k].TopicID) })
		}
	}
}

func (m *nodeMemory) forget(gone func(key string) bool) {
	for k := range m.last {
		if gone(k) {
			delete(m.last, k)
			delete(m.pending, k)
			delete(m.high, k)
		}
	}
}

// hosts says whether a node is a replica of a topic's partition.
func hosts(img *metadata.Image, node int, key string, id [16]byte) bool {
	t := img.TopicByID(id)
	_, number := history.SplitKey(key)
	if t == nil {
		return false
	}
	p := t.Partition(number)
	return p != nil && slices.Contains(p.Replicas, int32(node+1))
}

// await makes a new process of a cluster's node show what the one before held. Each log is looked at when it is opened, before its node
// serves: soon afterwards it may be cut as a follower's.
func (m *nodeMemory) await() {
	m.pending = map[string]bool{}
	for k, was := range m.last {
		if was.Online {
			m.pending[k] = true
		}
	}
}

// End looks for logs of a cluster that never came back.
func (r *recovery) End(v View) error {
	w, ok := v.(Metadata)
	if !ok || v.Nodes() == 1 || w.Image() == nil {
		return nil
	}
	for n := range r.nodes {
		var gone []string
		for k := range r.nodes[n].pending {
			if was := r.nodes[n].last[k]; was.Synced > 0 && hosts(w.Image(), n, k, was.TopicID) {
				gone = append(gone, k)
			}
		}
		if len(gone) > 0 {
			sort.Strings(gone)
			return fail(r.Name(), fmt.Sprintf("node %d %s recovered", n+1, gone[0]), -1, "a log with end "+itoa(r.nodes[n].last[gone[0]].End), "no log")
		}
	}
	return nil
}

func (r *recovery) remember(m *nodeMemory, p *Partition) {
	k := keyOf(p)
	was := m.last[k]
	if was == nil {
		was = &Partition{}
		m.last[k] = was
	}
	if m.high == nil {
		m.high = map[string]int64{}
	}
	m.high[k] = max(m.high[k], p.End)
	if was.Online && !p.Online { // its directory has failed; what was synced is there for the next process
		was.End = max(was.End, p.End)
		return
	}
	if p.Cutting { // it says already where it is to end; a crash leaves what was, what is to be, or less of a log that becomes empty
		was.Synced = min(was.Synced, p.Synced)
		if p.Start == p.End {
			was.Synced = 0
		}
		return
	}
	*was = *p
}

func (r *recovery) cameBack(v View, node int, m *nodeMemory) error {
	found := map[string]bool{}
	err := eachPartition(v, node, &r.p, func(p *Partition) error {
		k := keyOf(p)
		found[k] = true
		was := m.last[k]
		if was == nil || !p.Online || !was.Online {
			return nil
		}
		return r.compare(v, node, was, p)
	})
	if err != nil {
		return err
	}
	var gone []string
	for k, was := range m.last {
		topic, _ := history.SplitKey(k)
		switch {
		case found[k]:
		case was.Online && !r.deleted(topic) && was.Synced > 0:
			gone = append(gone, k)
		default:
			delete(m.last, k)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	sort.Strings(gone)
	r.checks++
	return fail(r.Name(), fmt.Sprintf("node %d %s recovered", node+1, gone[0]), -1, "a log with end "+itoa(m.last[gone[0]].End), "no log")
}

// compare looks at a log that came back. A single broker's own topics may have grown before it serves, and others by the markers that its transaction coordinators
// still owed.
func (r *recovery) compare(v View, node int, was, p *Partition) error {
	if was.TopicID != p.TopicID {
		return nil // another topic of that name
	}
	r.checks++
	r.due = r.due || was.Synced > 0
	what := fmt.Sprintf("node %d %s recovered", node+1, keyOf(p))
	switch {
	case p.End < was.Synced && !r.deleted(p.Topic):
		return fail(r.Name(), what, -1, "synced up to "+itoa(was.Synced), "end "+itoa(p.End))
	case p.End > was.End && !p.Internal && !r.deleted(p.Topic) && !owed(v, node, p, was.End):
		return fail(r.Name(), what, -1, "written up to "+itoa(was.End), "end "+itoa(p.End))
	}
	return nil
}

func (r *recovery) deleted(topic string) bool { return r.g.deleted[topic] }

// owed says whether a log holds nothing but control batches from an offset on. What stands in no file yet was not recovered.
func owed(v View, node int, p *Partition, from int64) bool {
	only, some := true, p.Written <= from
	ok := v.ReadBack(node, p.Topic, p.Partition, from, func(batch []byte) bool {
		only, some = only && records.View(batch).IsControl(), true
		return only
	})
	return ok && only && some
}
