package client

import (
	"sort"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// place asks where the group stands in the partitions that the member now owns.
func (g *Group) place() {
	todo := g.unplaced()
	if len(todo) == 0 {
		g.settle()
		return
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = g.cfg.Group
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.MemberEpoch = g.cfg.Group, -1
	cap := int16(anyVersion)
	low := int16(1)
	if g.next != nil {
		low, group.MemberID, group.MemberEpoch = 9, kmsg.StringPtr(g.member), g.generation
	}
	if g.proc != nil { // what an open transaction may commit is waited for (KIP-447)
		req.RequireStable, low = !g.proc.hanging, 7
	}
	ops := make([]history.Op, len(todo))
	for i, p := range todo {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = p.topic.name, []int32{p.part}
		req.Topics = append(req.Topics, t)
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.TopicID, gt.Partitions = p.topic.name, p.topic.id, []int32{p.part}
		group.Topics = append(group.Topics, gt)
		cap = min(cap, idCap(p.topic, 10))
		ops[i] = history.Op{Kind: history.FetchOffsets, Key: history.GroupKey(g.cfg.Group, p.key), Offset: history.NoOffset, Generation: g.generation, Member: g.member}
	}
	req.Groups = append(req.Groups, group)
	generation, era := g.generation, g.era
	g.asking = true
	g.offsetsAsked(history.Invoke, "", ops)
	g.coord.ask(req, low, cap, 5*clock.Second, func(r kmsg.Response, err error) {
		g.asking = false
		if err != nil {
			g.offsetsAsked(history.Fail, err.Error(), ops)
			return // tick asks again
		}
		ops = append([]history.Op(nil), ops...)
		code := g.placed(r.(*kmsg.OffsetFetchResponse), ops)
		if code != kerr.None {
			g.offsetsAsked(history.Fail, code.String(), ops)
			if code == kerr.RequestTimedOut || code == kerr.CoordinatorNotAvailable { // on which clients give up (KAFKA-17267)
				g.caught(slotOffsets, g.cfg.Group, "OffsetFetch answers an error of no use", code.String())
			}
			if g.proc != nil {
				g.proc.unstable(code)
			}
			if g.state == memberPlacing && code == kerr.NotCoordinator {
				g.expelled(code)
			}
			return
		}
		g.offsetsAsked(history.OK, "", ops)
		if g.state != memberPlacing || generation != g.generation && g.next == nil || era != g.era {
			return
		}
		for i, p := range todo {
			p.readAt(ops[i].Offset, ops[i].Seq, nobody)
			p.lost = ops[i].Offset < 0
		}
		g.settle()
	})
}

// unplaced gives the partitions of which the member does not know where to read: in the consumer protocol those that it did not have before.
func (g *Group) unplaced() (todo []*position) {
	for _, p := range g.owned {
		if !p.placed {
			todo = append(todo, p)
		}
	}
	return todo
}

// offsetsAsked records it, unless the offsets are committed in transactions: those are judged by what comes of them.
func (g *Group) offsetsAsked(t history.Type, why string, ops []history.Op) {
	if g.proc == nil {
		g.record(slotOffsets, t, why, ops...)
	}
}

// placed fills ops from either form of the answer.
func (g *Group) placed(resp *kmsg.OffsetFetchResponse, ops []history.Op) kerr.Code {
	type found struct {
		topic string
		id    [16]byte
		part  int32
		off   int64
		epoch int32
		meta  *string
		code  int16
	}
	var all []found
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			all = append(all, found{t.Topic, [16]byte{}, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode})
		}
	}
	code := resp.ErrorCode
	for _, gr := range resp.Groups {
		code = max(code, gr.ErrorCode)
		for _, t := range gr.Topics {
			for _, p := range t.Partitions {
				all = append(all, found{t.Topic, t.TopicID, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode})
			}
		}
	}
	if code != 0 {
		return kerr.Code(code)
	}
	for i := range ops {
		p := g.topicOf(ops[i].Key)
		ok := false
		for _, f := range all {
			if p == nil || f.part != p.part || f.topic != p.topic.name && (f.topic != "" || f.id != p.topic.id) {
				continue
			}
			if f.code != 0 {
				return kerr.Code(f.code)
			}
			ops[i].Offset, ops[i].Seq, ok = f.off, f.epoch, true
			if f.meta != nil {
				ops[i].Meta = *f.meta
			}
		}
		if !ok {
			return kerr.UnknownServerError
		}
	}
	return kerr.None
}

func (g *Group) topicOf(groupKey string) *position {
	for i := range g.topics {
		t := &g.topics[i]
		for p, k := range t.keys {
			if history.GroupKey(g.cfg.Group, k) == groupKey {
				return &position{topic: t, part: int32(p), key: k}
			}
		}
	}
	return nil
}

// settle begins to read.
func (g *Group) settle() {
	g.state = memberStable
	now := g.n.Now()
	g.commitAt = now.Add(g.jitter(clock.MS(g.cfg.CommitMS)))
	if g.cfg.StayMS > 0 && now >= g.goAt {
		g.goAt = now.Add(g.jitter(clock.MS(g.cfg.StayMS)))
	}
	was := g.committed
	g.committed = map[string]int64{}
	for _, p := range g.owned {
		g.committed[p.key] = p.next
		if p.placed {
			g.committed[p.key] = was[p.key]
		}
		p.placed = g.next != nil
	}
	g.f.assign(g.owned)
	if g.proc != nil { // what was read and not committed is read again
		keys := make([]string, len(g.owned))
		for i, p := range g.owned {
			keys[i] = p.key
		}
		g.sh.Rec.Record(&history.Event{Process: g.process(slotOwner), Type: history.Info, F: "seek", Keys: keys})
	}
	g.fetch()
}

func (g *Group) fetch() {
	switch {
	case g.state != memberStable:
	case g.proc != nil:
		g.proc.fetch()
	default:
		g.f.fetch()
	}
}

func (g *Group) fetched() {
	g.finish()
	if g.proc != nil {
		g.proc.advance()
	}
	g.after(g.jitter(clock.MS(max(g.f.cfg.PauseMS, 1))), timerWork)
}

// proven is the generation that a commit is of. In the consumer protocol that is the epoch in which the member got the partition: whoever gets it
// later has a greater one. In a group of both protocols that holds for classic members too, who are not told that epoch: theirs proves nothing.
func (g *Group) proven(p *position) int32 {
	switch {
	case g.next != nil:
		return p.since
	case g.cfg.Both != nil:
		return -1
	}
	return g.generation
}

// commit stores the positions of all partitions that moved. Each commit carries metadata of its own, so that a read tells which it saw.
func (g *Group) commit() {
	if g.committing || !g.coord.open() || g.proc != nil || g.cfg.CommitMS == 0 && !g.healed {
		return
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID, req.RetentionTimeMillis = g.cfg.Group, g.generation, g.member, g.static(), -1
	g.commits++
	meta := "c" + strconv.Itoa(g.id) + "." + strconv.FormatInt(g.commits, 10)
	var ops []history.Op
	cap := int16(anyVersion)
	for _, p := range g.owned {
		if was, ok := g.committed[p.key]; !ok || p.next <= was || p.lost {
			continue
		}
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = p.topic.name, p.topic.id
		tp := kmsg.NewOffsetCommitRequestTopicPartition()
		tp.Partition, tp.Offset, tp.LeaderEpoch, tp.Metadata = p.part, p.next, g.f.epochBefore(p), kmsg.StringPtr(meta)
		t.Partitions = append(t.Partitions, tp)
		req.Topics = append(req.Topics, t)
		cap = min(cap, idCap(p.topic, 10))
		ops = append(ops, history.Op{Kind: history.Commit, Key: history.GroupKey(g.cfg.Group, p.key), Offset: p.next, Meta: meta, Generation: g.proven(p), Member: g.member})
	}
	if len(ops) == 0 {
		return
	}
	generation, member, low := g.generation, g.member, g.low(2, 7)
	if g.next != nil {
		low = 9
	}
	g.committing = true
	g.record(slotCommit, history.Invoke, "", ops...)
	again := g.coord.ask(req, low, cap, 5*clock.Second, func(r kmsg.Response, err error) {
		g.committing = false
		if err != nil {
			g.record(slotCommit, history.Info, err.Error(), ops...)
			return
		}
		code, clear := commitCode(r.(*kmsg.OffsetCommitResponse))
		same := generation == g.generation && member == g.member && g.state == memberStable
		switch {
		case code == kerr.None:
			g.record(slotCommit, history.OK, "", ops...)
			if same {
				for _, o := range ops {
					g.committed[o.Key[len(g.cfg.Group)+1:]] = o.Offset
				}
				g.finish()
			}
			return
		case !clear || unclear(code):
			g.record(slotCommit, history.Info, code.String(), ops...)
		default:
			g.record(slotCommit, history.Fail, code.String(), ops...)
		}
		if same {
			g.commitRefused(code)
		}
	})
	if again {
		g.twice(ops...)
	}
}

func (g *Group) commitRefused(code kerr.Code) {
	switch code {
	case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut:
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.KafkaStorageError, kerr.NotEnoughReplicas:
	default:
		g.expelled(code)
	}
}

// commitCode gives the one code of all partitions; clear is false if they differ.
func commitCode(resp *kmsg.OffsetCommitResponse) (code kerr.Code, clear bool) {
	first, clear := true, true
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if !first && kerr.Code(p.ErrorCode) != code {
				clear = false
				code = max(code, kerr.Code(p.ErrorCode))
				continue
			}
			code, first = kerr.Code(p.ErrorCode), false
		}
	}
	return code, clear
}

// finish looks whether the member stands at the end of what it owns, with its positions committed.
func (g *Group) finish() {
	if g.caughtUp || g.state != memberStable || !g.healed || g.sh.Writers > 0 || g.asking || g.proc != nil && g.proc.busy() {
		return
	}
	behind := false
	for _, p := range g.owned {
		if p.end < 0 {
			g.askEnds()
			return
		}
		behind = behind || p.next < p.end
	}
	if behind {
		return
	}
	for _, p := range g.owned {
		if g.proc == nil && p.next > g.committed[p.key] {
			g.commit()
			return
		}
	}
	g.caughtUp = true
	for _, p := range g.owned {
		g.sh.reached[history.GroupKey(g.cfg.Group, p.key)] = true
		g.note(slotOwner, history.Op{Kind: history.CaughtUp, Key: history.GroupKey(g.cfg.Group, p.key), Offset: p.next})
	}
}

func (g *Group) askEnds() {
	if !g.f.link.open() {
		return
	}
	g.asking = true
	pos := g.owned
	g.f.ends(pos, slotEnd, func(found []int64) {
		g.asking = false
		for i := range found {
			pos[i].end = found[i]
		}
	})
}

// rangeAssign gives each member a contiguous range of each topic that it subscribes to, as Kafka's RangeAssignor does.
func rangeAssign(members []kmsg.JoinGroupResponseMember, topics []topicInfo) []kmsg.SyncGroupRequestGroupAssignment {
	ids := make([]string, len(members))
	subscribed := map[string][]string{}
	for i := range members {
		ids[i] = members[i].MemberID
		var meta kmsg.ConsumerMemberMetadata
		if meta.ReadFrom(members[i].ProtocolMetadata) == nil {
			subscribed[ids[i]] = meta.Topics
		}
	}
	sort.Strings(ids)
	given := map[string]*kmsg.ConsumerMemberAssignment{}
	for _, id := range ids {
		a := kmsg.NewConsumerMemberAssignment()
		given[id] = &a
	}
	for ti := range topics {
		var takers []string
		for _, id := range ids {
			if contains(subscribed[id], topics[ti].name) {
				takers = append(takers, id)
			}
		}
		spread(&topics[ti], takers, given)
	}
	out := make([]kmsg.SyncGroupRequestGroupAssignment, len(ids))
	for i, id := range ids {
		out[i] = kmsg.NewSyncGroupRequestGroupAssignment()
		out[i].MemberID, out[i].MemberAssignment = id, given[id].AppendTo(nil)
	}
	return out
}

func spread(t *topicInfo, takers []string, given map[string]*kmsg.ConsumerMemberAssignment) {
	next := 0
	for i, id := range takers {
		n := t.parts / len(takers)
		if i < t.parts%len(takers) {
			n++
		}
		at := kmsg.NewConsumerMemberAssignmentTopic()
		at.Topic = t.name
		for ; n > 0; n-- {
			at.Partitions = append(at.Partitions, int32(next))
			next++
		}
		given[id].Topics = append(given[id].Topics, at)
	}
}

func contains(ss []string, s string) bool {
	for _, x := range ss {
		if x == s {
			return true
		}
	}
	return false
}
