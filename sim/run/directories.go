package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
)

// Offline says whether a node that runs has a log directory offline.
func (j *Judge) Offline(node int) bool { return j.offline(node) != "" }

// offline gives a log directory of a node that is offline, "" if there is none.
func (j *Judge) offline(node int) string {
	for s := range j.plan.Shards {
		if st := j.view.state(node, s); st != nil {
			for i := range st.Dirs {
				if st.Dirs[i].Offline {
					return st.Dirs[i].Path
				}
			}
		}
	}
	return ""
}

// sick are the classes of faults that explain the end of a node, or of one of its log directories.
var sick = []fault.Class{fault.D2, fault.D3, fault.D4, fault.D5, fault.D7, fault.D8}

// inVain fails a run in which a log directory goes offline that nothing was wrong with, as the end of a whole node would.
func (j *Judge) inVain(node int) error {
	if !strings.Contains(j.plan.Settings["log.dirs"], ",") || j.c.Ledger().Any(node, sick...) {
		return nil
	}
	if dir := j.offline(node); dir != "" {
		return &oracle.Failure{Property: "fatal", What: fmt.Sprintf("log directory %s of node %d, whose disk is sound", dir, node+1), Was: "online", Is: "offline", Event: -1}
	}
	return nil
}

// Exchanging notes that the disk of one log directory of a node is about to be replaced: what lies there is destroyed. False: a partition has its
// only replica there. It would stay without a leader until an operator deletes it, since the directory may come back (KIP-858).
func (j *Judge) Exchanging(node int, dir string) bool {
	if j.copies == nil {
		return false
	}
	var keys []string
	img := j.view.Image()
	for _, name := range j.c.Disk(node).List(dir) {
		name, isDir := strings.CutSuffix(name, "/")
		i := strings.LastIndexByte(name, '-')
		if !isDir || i < 0 {
			continue
		}
		var number int32
		if _, err := fmt.Sscanf(name[i+1:], "%d", &number); err != nil {
			continue // of what is being deleted
		}
		if img != nil {
			if t := img.TopicByName(name[:i]); t != nil {
				if p := t.Partition(number); p != nil && slices.Equal(p.Replicas, []int32{int32(node + 1)}) {
					return false
				}
			}
		}
		keys = append(keys, history.Key(name[:i], number))
	}
	j.copies.exchanged(node, keys)
	return true
}
