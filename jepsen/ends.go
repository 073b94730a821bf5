package jepsen

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// prober asks leaders where partitions end: the one read that may not lag. It carries the newest leader epoch that it knows, as Kafka's own
// clients do, so that a leader which has been deposed without knowing refuses who knows.
type prober struct {
	w      *world
	id     int
	topic  string
	leader []int32
	epoch  []int32
	cl     *kgo.Client
}

func (w *world) newProber(topic string, parts int) (*prober, error) {
	p := &prober{w: w, id: w.client("prober"), topic: topic, leader: make([]int32, parts), epoch: make([]int32, parts)}
	for i := range parts {
		p.leader[i], p.epoch[i] = -1, -1
	}
	var err error
	if p.cl, err = w.c.client(kgo.RequestRetries(0)); err == nil {
		w.atEnd(p.cl.Close)
	}
	return p, err
}

// learn asks who leads.
func (p *prober) learn(ctx context.Context) error {
	q := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &p.topic
	q.Topics = append(q.Topics, t)
	resp, err := q.RequestWith(ctx, p.cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, m := range t.Partitions {
			if int(m.Partition) < len(p.leader) && m.LeaderEpoch >= p.epoch[m.Partition] {
				p.leader[m.Partition], p.epoch[m.Partition] = m.Leader, m.LeaderEpoch
			}
		}
	}
	return nil
}

// probe asks for one partition's end, and records it.
func (p *prober) probe(ctx context.Context, part int) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if p.leader[part] < 0 && p.learn(ctx) != nil || p.leader[part] < 0 {
		return
	}
	process := history.ProcessOf(p.id, 0)
	op := history.Op{Kind: history.ListOffsets, Key: history.Key(p.topic, int32(part)), PID: -1, Offset: history.NoOffset, Timestamp: -1}
	p.w.rec.Event(process, history.Invoke, "", "", op)
	end, err := p.end(ctx, part, 0)
	if err != nil {
		p.leader[part] = -1
		p.w.rec.Event(process, history.Fail, "", name(err), op)
		return
	}
	op.Offset = end
	p.w.rec.Event(process, history.OK, "", "", op)
}

// end asks a partition's leader for its end at an isolation level.
func (p *prober) end(ctx context.Context, part int, isolation int8) (int64, error) {
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID, q.IsolationLevel = -1, isolation
	x := kmsg.NewListOffsetsRequestTopicPartition()
	x.Partition, x.Timestamp, x.CurrentLeaderEpoch = int32(part), -1, p.epoch[part]
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = p.topic, append(t.Partitions, x)
	q.Topics = append(q.Topics, t)
	resp, err := p.cl.Broker(int(p.leader[part])).Request(ctx, q)
	if err != nil {
		return -1, err
	}
	ts := resp.(*kmsg.ListOffsetsResponse).Topics
	if len(ts) != 1 || len(ts[0].Partitions) != 1 {
		return -1, fmt.Errorf("ListOffsets answers %d topics", len(ts))
	}
	return ts[0].Partitions[0].Offset, kerr.ErrorForCode(ts[0].Partitions[0].ErrorCode)
}

// ends gives where all partitions end, once they answer.
func (p *prober) ends(ctx context.Context, isolation int8) ([]int64, error) {
	ends := make([]int64, len(p.leader))
	for part := range ends {
		for {
			err := p.learn(ctx)
			if err == nil && p.leader[part] >= 0 {
				if ends[part], err = p.end(ctx, part, isolation); err == nil {
					break
				}
			}
			if pause(ctx, 100*time.Millisecond) != nil {
				return nil, fmt.Errorf("where does %s/%d end: %w", p.topic, part, err)
			}
		}
	}
	return ends, nil
}

// endsOf gives where the partitions of a topic end, once they answer.
func (w *world) endsOf(ctx context.Context, topic string, parts int) ([]int64, error) {
	ask, err := w.newProber(topic, parts)
	if err != nil {
		return nil, err
	}
	defer ask.cl.Close()
	return ask.ends(ctx, 0)
}
