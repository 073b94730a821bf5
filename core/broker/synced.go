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

// readSynced gives the newest broker epoch that was synced here, -1 if that proves nothing.
func (s *Shard) readSynced(t *task.Task) int64 {
	text, found, err := datadir.ReadFile(t, s.env, s.node.LogDir, syncedName)
	if err != nil || !found || s.node.Flush != config.FlushAck {
		return -1
	}
	return parseSynced(text)
}

func parseSynced(text string) int64 {
	policy, digits, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if policy != "ack" || err != nil || n < 0 {
		return -1
	}
	return n
}

// writeSynced notes the epoch of this process, before the broker takes part under it.
func (s *Shard) writeSynced(t *task.Task, epoch int64) error {
	policy := "ack"
	if s.node.Flush != config.FlushAck {
		policy = "os"
	}
	return datadir.WriteFile(t, s.env, s.node.LogDir, syncedName, policy+" "+strconv.FormatInt(epoch, 10)+"\n")
}
