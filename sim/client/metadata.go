package client

import (
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// topicInfo is what a client knows of a topic.
type topicInfo struct {
	name  string
	id    [16]byte
	hasID bool
	parts int
	lead  []int    // the simulator's number of each partition's leader, -1 none
	epoch []int32  // leader epoch, -1 unknown
	keys  []string // by partition, "topic/0"
}

// askTopics asks for topics until each has partitions with leaders, then calls done. A topic that does not exist yet is waited for.
func (b *base) askTopics(l *link, names []string, done func([]topicInfo)) {
	req := kmsg.NewPtrMetadataRequest()
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, t)
	}
	req.AllowAutoTopicCreation = false
	asked := b.sh.Rec.Len()
	l.ask(req, 4, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			return // the link opens again, and its owner starts over
		}
		resp := r.(*kmsg.MetadataResponse)
		b.toldTopics(l.node, asked, resp)
		if infos, ok := b.topicsOf(resp, names); ok && !b.shrunk(infos) {
			for i := range infos {
				b.newest(&infos[i])
			}
			done(infos)
			return
		}
		b.retry = func() { b.askTopics(l, names, done) }
	})
}

// topicsOf reads what was asked for. Where there are several brokers, a partition may be without a leader for long.
func (b *base) topicsOf(resp *kmsg.MetadataResponse, names []string) ([]topicInfo, bool) {
	infos := make([]topicInfo, 0, len(names))
	for _, n := range names {
		for i := range resp.Topics {
			t := &resp.Topics[i]
			if t.Topic == nil || *t.Topic != n || t.ErrorCode != 0 || len(t.Partitions) == 0 || b.sh.Nodes <= 1 && !led(t.Partitions) {
				continue
			}
			info := topicInfo{name: n, id: t.TopicID, hasID: t.TopicID != [16]byte{}, parts: len(t.Partitions)}
			sort.Slice(t.Partitions, func(i, j int) bool { return t.Partitions[i].Partition < t.Partitions[j].Partition })
			for p := range t.Partitions {
				info.lead = append(info.lead, max(-1, nodeOf(t.Partitions[p].Leader)))
				info.epoch = append(info.epoch, t.Partitions[p].LeaderEpoch)
				info.keys = append(info.keys, history.Key(n, int32(p)))
			}
			infos = append(infos, info)
			break
		}
	}
	return infos, len(infos) == len(names)
}

// shrunk says that an answer is older than the last one: partitions are added and never taken away.
func (b *base) shrunk(infos []topicInfo) bool {
	for i := range infos {
		t := &infos[i]
		if t.parts < len(b.known[t.id].lead) {
			return true
		}
	}
	for i := range infos {
		b.sh.parts[infos[i].name] = max(b.sh.parts[infos[i].name], infos[i].parts)
	}
	return false
}

// newest keeps what the client knew of a partition's leader where the answer is older: a broker that lags behind must not send it back to a
// leader that was deposed (KIP-320).
func (b *base) newest(t *topicInfo) {
	if b.sh.Nodes <= 1 {
		return
	}
	if b.known == nil {
		b.known = map[[16]byte]topicInfo{}
	}
	for p, old := 0, b.known[t.id]; p < min(len(t.lead), len(old.lead)); p++ {
		if t.hasID && t.epoch[p] >= 0 && t.epoch[p] < old.epoch[p] {
			t.lead[p], t.epoch[p] = old.lead[p], old.epoch[p]
		}
	}
	if t.hasID {
		b.known[t.id] = *t
	}
}

func led(ps []kmsg.MetadataResponseTopicPartition) bool {
	for i := range ps {
		if ps[i].ErrorCode != 0 || ps[i].Leader < 0 {
			return false
		}
	}
	return true
}

// idCap gives the newest version of an API that may be used: those from `first` on name topics by id.
func idCap(t *topicInfo, first int16) int16 {
	if t.hasID {
		return anyVersion
	}
	return first - 1
}

// toldTopics notes what a broker says of topics, for M5: that they are not there, or how many partitions they have. What it says again is not noted.
func (b *base) toldTopics(node int, asked int64, resp *kmsg.MetadataResponse) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		parts := int64(len(t.Partitions))
		switch {
		case t.Topic == nil || strings.HasPrefix(*t.Topic, "__"):
			continue
		case kerr.Code(t.ErrorCode) == kerr.UnknownTopicOrPartition:
			parts = history.NoOffset
		case t.ErrorCode != 0 || parts == 0:
			continue
		}
		at := said{node, *t.Topic}
		if was, ok := b.sh.said[at]; ok && was == parts {
			continue
		}
		b.sh.said[at] = parts
		b.note(0, history.Op{Kind: history.ReadTopic, Key: *t.Topic, Offset: parts, Member: history.NodeName(node), Generation: int32(asked)})
	}
}
