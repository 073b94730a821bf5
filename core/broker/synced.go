package broker

import (
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/task"
)

// syncedName is a file of ours: under which broker epoch the directory was last in use, and with which flush policy, such as "ack 17". A
// disk that has it, and was under ack then and is now, holds all that it had synced before a crash, unless a log says otherwise
// (design.md, Replication: LastKnownElr).
const syncedName = "broker-epoch"

// readSynced gives the newest broker epoch that was synced in every directory, -1 if they prove nothing. One that was never used has nothing
// to prove, and one that is not there is not in the registration.
func (s *Shard) readSynced(t *task.Task, b *bootData) int64 {
	if s.node.Flush != config.FlushAck {
		return -1
	}
	lowest := int64(-1)
	for i := range b.dirs {
		if d := &b.dirs[i]; d.failed != "" || d.fresh && i > 0 {
			continue
		}
		text, found, err := datadir.ReadFile(t, s.env, s.state.Dirs[i].Path, syncedName)
		epoch := int64(-1)
		if err == nil && found {
			epoch = parseSynced(text)
		}
		if i == 0 || epoch < lowest {
			lowest = epoch
		}
	}
	return lowest
}

func parseSynced(text string) int64 {
	policy, digits, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if policy != "ack" || err != nil || n < 0 {
		return -1
	}
	return n
}

// writeSynced notes the epoch of this process in a directory, before the broker takes part under it.
func (s *Shard) writeSynced(t *task.Task, dir string, epoch int64) error {
	policy := "ack"
	if s.node.Flush != config.FlushAck {
		policy = "os"
	}
	return datadir.WriteFile(t, s.env, dir, syncedName, policy+" "+strconv.FormatInt(epoch, 10)+"\n")
}
