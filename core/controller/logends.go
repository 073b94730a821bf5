package controller

import (
	"encoding/binary"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LogEnd is where a broker's log of an orphaned partition ends (metadata.Partition.Orphaned): what GetReplicaLogInfo asks for in KIP-966. Brokers
// say it by themselves, in every heartbeat until somebody leads, so that a new controller hears of it too.
type LogEnd struct {
	Topic       [16]byte
	Partition   int32
	LeaderEpoch int32 // of the partition: what was told in another one counts no more
	Epoch       int32 // of the last batch, -1 none
	End         int64 // as the protocol counts it: synced under flush.policy=ack
}

const logEndBytes = 16 + 4 + 4 + 4 + 8

// MaxLogEnds bounds the log ends of one heartbeat. The others follow when these partitions have a leader.
const MaxLogEnds = 20_000

// tagLogEnds is a private tagged field of BrokerHeartbeatRequest: LogEnds one after another, big endian, in the order of their fields.
const tagLogEnds uint32 = 10_002

// SetLogEnds puts the first MaxLogEnds of them in a heartbeat.
func SetLogEnds(req *kmsg.BrokerHeartbeatRequest, ends []LogEnd) {
	if len(ends) == 0 {
		return
	}
	ends = ends[:min(len(ends), MaxLogEnds)]
	b := make([]byte, 0, len(ends)*logEndBytes)
	for i := range ends {
		e := &ends[i]
		b = append(b, e.Topic[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(e.Partition))
		b = binary.BigEndian.AppendUint32(b, uint32(e.LeaderEpoch))
		b = binary.BigEndian.AppendUint32(b, uint32(e.Epoch))
		b = binary.BigEndian.AppendUint64(b, uint64(e.End))
	}
	req.UnknownTags.Set(tagLogEnds, b)
}

// logEnds gives what a heartbeat tells of orphaned partitions. A field that is not whole tells nothing.
func logEnds(req *kmsg.BrokerHeartbeatRequest) (ends []LogEnd) {
	req.UnknownTags.Each(func(tag uint32, b []byte) {
		if tag != tagLogEnds || len(b)%logEndBytes != 0 || len(b) > MaxLogEnds*logEndBytes {
			return
		}
		for ; len(b) > 0; b = b[logEndBytes:] {
			ends = append(ends, LogEnd{Topic: [16]byte(b[:16]), Partition: int32(binary.BigEndian.Uint32(b[16:])), LeaderEpoch: int32(binary.BigEndian.Uint32(b[20:])),
				Epoch: int32(binary.BigEndian.Uint32(b[24:])), End: int64(binary.BigEndian.Uint64(b[28:]))})
		}
	})
	return ends
}

// told elects leaders for the orphaned partitions that a heartbeat speaks of, where it was the last that was waited for.
func (c *Context) told(ends []LogEnd) (records []metadata.Record) {
	named := make(once[byID])
	for i := range ends {
		t := c.Image.TopicByID(ends[i].Topic)
		if t == nil || !named.first(byID{t.ID, ends[i].Partition}) {
			continue
		}
		if p := t.Partition(ends[i].Partition); p != nil && p.Orphaned() {
			if r := c.change(t, ends[i].Partition).record(); r != nil {
				records = append(records, r)
			}
		}
	}
	return records
}

// logEnd gives what a broker has told of its log of the partition since nobody leads it.
func (ch *partitionChange) logEnd(r int32) (LogEnd, bool) {
	if ch.c.Ends == nil {
		return LogEnd{}, false
	}
	e, ok := ch.c.Ends(r, ch.t.ID, ch.n)
	return e, ok && e.LeaderEpoch == ch.p.LeaderEpoch
}

// longest gives whose log holds most: the one with the newest last epoch, and of those the longest. It holds all that any of the others
// holds of what was committed. Who has told nothing comes last. all: everybody has told, or there is nothing to compare.
func (ch *partitionChange) longest(among []int32) (best int32, all bool) {
	best, all = metadata.NoLeader, true
	var most LogEnd
	for _, r := range among {
		e, ok := ch.logEnd(r)
		if !ok {
			e.Epoch, e.End, all = -1, -1, false
		}
		if best == metadata.NoLeader || e.Epoch > most.Epoch || e.Epoch == most.Epoch && e.End > most.End {
			best, most = r, e
		}
	}
	return best, all || len(among) == 1
}

// recover finds a leader for an orphaned partition: see election.
func (ch *partitionChange) recover() (found bool) {
	if len(ch.lastKnown) > 0 {
		l, ok := ch.lastKnownLeader()
		if ok {
			sometimes.Hit("controller: a leader is elected from LastKnownELR")
			ch.take(l)
		}
		return ok
	}
	l := ch.lastLeader()
	if !ch.isReplica(l) || !ch.acceptable(l) {
		return false
	}
	there := ch.there(ch.replicas)
	if _, ok := ch.logEnd(l); !ok && len(there) > 1 {
		return false // its next heartbeat tells
	}
	sometimes.Hit("controller: the last leader is back, and logs are compared")
	best, _ := ch.longest(append([]int32{l}, there...)) // l is the first of equals
	ch.takeUnclean(best)
	return true
}

// lastKnownLeader gives the member of LastKnownELR with the longest log. One disk of them may have lost, unknown to anybody, what it said it
// had synced; the others make up for it. So all are waited for, but for who says himself that his directory is gone.
func (ch *partitionChange) lastKnownLeader() (l int32, ok bool) {
	there := ch.there(ch.lastKnown)
	for _, r := range ch.lastKnown {
		if !slices.Contains(there, r) && (!ch.c.Image.Broker(r).Active() || r == ch.without || r == ch.lost) {
			return metadata.NoLeader, false
		}
	}
	if len(there) == 0 {
		return metadata.NoLeader, false
	}
	return ch.longest(there)
}

// there gives who of some replicas can lead now, in the order of the replicas.
func (ch *partitionChange) there(some []int32) (out []int32) {
	for _, r := range ch.replicas {
		if slices.Contains(some, r) && ch.acceptable(r) {
			out = append(out, r)
		}
	}
	return out
}
