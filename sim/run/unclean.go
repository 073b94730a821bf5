package run

import (
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/sim/history"
)

// unclean notes elections of leaders that were not in sync, where a topic has ever allowed them (F:M1): what was committed above the high
// watermark of the new leader may be gone.
type unclean struct {
	j       *Judge
	index   int64 // of the newest image that was looked at
	allowed map[[16]byte]bool
	noted   map[string]int32 // by key: the leader epoch of the last one
}

func newUnclean(j *Judge) *unclean {
	return &unclean{j: j, index: -1, allowed: map[[16]byte]bool{}, noted: map[string]int32{}}
}

// stepping looks at the image of the node that had its round before the view does, since high watermarks are wanted as they were before it.
func (u *unclean) stepping(node int) {
	img := u.j.view.ImageOf(node)
	if img == nil || img.Index() <= u.index {
		return
	}
	u.index = img.Index()
	for _, t := range img.Topics() {
		if v, ok := img.ConfigsOf(metadata.ResourceTopic, t.Name).Get("unclean.leader.election.enable"); ok && v == "true" {
			u.allowed[t.ID] = true
		}
		if !u.allowed[t.ID] {
			continue
		}
		for i := range t.Partitions {
			p, k := &t.Partitions[i], history.Key(t.Name, int32(i))
			if p.Recovering && p.Leader > 0 && u.noted[k] != p.LeaderEpoch {
				u.noted[k] = p.LeaderEpoch
				u.j.note(history.Op{Kind: history.Excuse, Key: k, Generation: p.LeaderEpoch, Offset: u.j.view.before(int(p.Leader-1), t.Name, int32(i))})
			}
		}
	}
}

// before gives the high watermark of a node's copy as it was last seen, 0 if its present process has not shown it.
func (v *view) before(node int, topic string, partition int32) int64 {
	for s := range v.seen[node] {
		if v.seen[node][s].life != v.c.Incarnation(node) || !v.c.Running(node) {
			continue
		}
		for _, x := range v.seen[node][s].parts {
			if x.p != nil && x.p.Topic == topic && x.p.Number == partition {
				return x.hw
			}
		}
	}
	return 0
}
