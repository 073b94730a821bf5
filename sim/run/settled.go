package run

import (
	"fmt"

	"github.com/seedlog/seedlog/core/metadata"
)

// Settled says what a healed cluster still owes, "" if nothing: there is a controller, every broker is unfenced and ready, every partition has its
// leader and its whole ISR, no reassignment is under way, and every node goes by the newest image (verification.md, 2f).
func (j *Judge) Settled() string {
	if j.c.Nodes() == 1 {
		return ""
	}
	if j.Controller() < 0 {
		return "a controller"
	}
	img := j.view.Image()
	if img == nil {
		return "metadata"
	}
	for n := range j.c.Nodes() {
		if b := img.Broker(int32(n + 1)); b == nil || !b.Active() {
			return fmt.Sprintf("broker %d to be unfenced", n+1)
		}
		if !j.c.Ready(n) { // it may be unfenced as the process before, whose session is not over
			return fmt.Sprintf("node %d to be ready", n+1)
		}
		if at := j.view.slowest(n); at < img.Index() {
			return fmt.Sprintf("metadata of node %d at %d of %d", n+1, at, img.Index())
		}
	}
	if img != j.whole {
		if s := owed(img); s != "" {
			return s
		}
		j.whole = img
	}
	return ""
}

func owed(img *metadata.Image) string {
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.Leader < 0 || len(p.ISR) < len(p.Replicas) || p.Reassigning() {
				return fmt.Sprintf("%s/%d: leader %d, ISR %v of %v", t.Name, i, p.Leader, p.ISR, p.Replicas)
			}
		}
	}
	return ""
}
