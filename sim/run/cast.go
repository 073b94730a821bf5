package run

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
)

// part is a partition that a scene may be about.
type part struct {
	replicas []int // nodes, the leader first
	fit      int   // how much of what is wished for is so
	hw       int64
}

// scenes is among how many of the best partitions a scene takes its own by number.
const scenes = 3

// Cast implements cluster.Casting. A scene is about a busy partition that is led as is preferred, with all in sync. The quorum's leader should
// be none of those that end in it, and better has no copy at all; and the next leader should lead something else that the third replica has
// already, so that they are connected. Without such a partition it is about whatever nodes come first.
func (j *Judge) Cast(scene int) []int {
	var who []int
	if img := j.view.Image(); img != nil {
		parts := j.parts(img)
		slices.SortStableFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(b.fit, a.fit), cmp.Compare(b.hw, a.hw)) })
		if len(parts) > 0 {
			who = slices.Clone(parts[scene%min(scenes, len(parts))].replicas)
		}
	}
	for _, n := range append([]int{j.Controller()}, upTo(j.plan.Nodes)...) {
		if n >= 0 && !slices.Contains(who, n) {
			who = append(who, n)
		}
	}
	return who
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func (j *Judge) parts(img *metadata.Image) (parts []part) {
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if len(p.Replicas) != 3 || p.Leader != p.Replicas[0] || len(p.ISR) < len(p.Replicas) {
				continue
			}
			x := part{}
			for _, id := range p.Replicas {
				x.replicas = append(x.replicas, int(id-1))
			}
			switch slices.Index(x.replicas, j.Controller()) {
			case -1:
				x.fit = 3
			case 2:
				x.fit = 2
			}
			if leadsOver(img, p.Replicas[1], p.Replicas[2]) {
				x.fit++
			}
			if r := j.view.find(x.replicas[0], t.Name, int32(i)); r != nil {
				x.hw = r.HighWatermark()
			}
			parts = append(parts, x)
		}
	}
	return parts
}

// leadsOver says whether a broker leads a partition of which another one has a copy.
func leadsOver(img *metadata.Image, leader, follower int32) bool {
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.Leader == leader && slices.Contains(p.Replicas, follower) {
				return true
			}
		}
	}
	return false
}
