package run

import (
	"fmt"
	"slices"
	"strconv"
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

// away notes that a process has started without one of its directories. What lies there is in no ELR and no LastKnownELR from its registration on:
// for who says that his directory is not there nobody waits (core/controller/logends.go).
func (j *Judge) away(node int) {
	life := j.c.Incarnation(node)
	if j.copies == nil || j.without[node] == life || j.c.Ready(node) {
		return
	}
	if dir := j.offline(node); dir != "" {
		j.without[node] = life
		j.copies.unsure(node, j.keysIn(node, dir), 0)
	}
}

// stoppedWithout notes that a process has stopped with a directory offline: it has not marked what lies there as cleanly closed, so under
// flush.policy=os that counts as an unclean end.
func (j *Judge) stoppedWithout(node int) {
	if dir := j.offline(node); dir != "" && j.copies != nil && j.plan.Flush == "os" {
		j.copies.unsure(node, j.keysIn(node, dir), whole)
	}
}

// keysIn gives the partitions whose logs lie in a directory of a node.
func (j *Judge) keysIn(node int, dir string) (keys []string) {
	for _, name := range j.c.Disk(node).List(dir) {
		name, isDir := strings.CutSuffix(name, "/")
		i := strings.LastIndexByte(name, '-')
		if !isDir || i < 0 {
			continue
		}
		if number, err := strconv.ParseInt(name[i+1:], 10, 32); err == nil { // else it is being deleted
			keys = append(keys, history.Key(name[:i], int32(number)))
		}
	}
	return keys
}

// inVain fails a run in which a log directory goes offline that nothing was wrong with, as the end of a whole node would.
func (j *Judge) inVain(node int) error {
	if !strings.Contains(j.plan.Settings["log.dirs"], ",") {
		return nil
	}
	if j.away(node); j.c.Ledger().Any(node, sick...) {
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
	keys, img := j.keysIn(node, dir), j.view.Image()
	for _, k := range keys {
		topic, number := history.SplitKey(k)
		if img == nil || img.TopicByName(topic) == nil {
			continue
		}
		if p := img.TopicByName(topic).Partition(number); p != nil && slices.Equal(p.Replicas, []int32{int32(node + 1)}) {
			return false
		}
	}
	j.copies.exchanged(node, keys)
	return true
}
