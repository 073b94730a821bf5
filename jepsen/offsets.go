package jepsen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// offsetsWorkload has groups whose committed offsets are registers: each has one who commits ever greater offsets, and some who ask. Requests
// are not repeated by the client, so that each of them is one operation.
type offsetsWorkload struct{}

const (
	offsetsTopic   = "read"
	offsetsGroups  = 6
	offsetsReaders = 3
	offsetsParts   = 2
	requestBound   = 3 * time.Second
)

func (o *offsetsWorkload) topics() map[string]int { return map[string]int{offsetsTopic: offsetsParts} }

func (o *offsetsWorkload) must() []string { return []string{"M3", "commit-regression"} }

func groupName(n int) string { return fmt.Sprintf("group-%d", n) }

func (o *offsetsWorkload) begin(w *world) error {
	for g := range offsetsGroups {
		c, err := w.newRegister("committer", groupName(g))
		if err != nil {
			return err
		}
		rnd := w.random(c.id, 0)
		w.loop(rnd, 40*time.Millisecond, func(ctx context.Context) { c.commit(ctx, int32(rnd.IntN(offsetsParts))) })
	}
	for range offsetsReaders {
		c, err := w.newRegister("asker", "")
		if err != nil {
			return err
		}
		rnd := w.random(c.id, 0)
		w.loop(rnd, 30*time.Millisecond, func(ctx context.Context) { c.draw(ctx, rnd) })
	}
	return nil
}

// finish asks for every offset once more: what was committed is there.
func (o *offsetsWorkload) finish(ctx context.Context, w *world) error {
	c, err := w.newRegister("last asker", "")
	if err != nil {
		return err
	}
	defer c.cl.Close()
	for g := range offsetsGroups {
		for p := range int32(offsetsParts) {
			for c.fetch(ctx, groupName(g), p) != nil {
				if err := pause(ctx, 100*time.Millisecond); err != nil {
					return fmt.Errorf("the last look at %s: %w", groupName(g), err)
				}
			}
		}
	}
	return nil
}

// register is one who commits offsets of a group, or asks for those of any.
type register struct {
	w     *world
	id    int
	group string
	topic [16]byte
	cl    *kgo.Client
	made  int64
}

func (w *world) newRegister(role, group string) (*register, error) {
	r := &register{w: w, id: w.client(role), group: group}
	var err error
	if r.cl, err = w.c.client(kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(requestBound)); err == nil {
		w.atEnd(r.cl.Close)
	}
	return r, err
}

// identify asks for the topic's id, which newer versions go by.
func (r *register) identify(ctx context.Context) (err error) {
	if r.topic == [16]byte{} {
		r.topic, err = topicID(ctx, r.cl, offsetsTopic)
	}
	return err
}

// commit commits a greater offset than ever before. One that was not answered may still come into force at any later time.
func (r *register) commit(ctx context.Context, part int32) {
	ctx, cancel := context.WithTimeout(ctx, requestBound)
	defer cancel()
	if r.identify(ctx) != nil {
		return
	}
	r.made++
	meta := fmt.Sprintf("c%d.%d", r.id, r.made)
	op := history.Op{Kind: history.Commit, Key: history.GroupKey(r.group, history.Key(offsetsTopic, part)), Offset: r.made, Meta: meta, Generation: -1, PID: -1}
	q, t, p := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	q.Group, q.Generation = r.group, -1
	p.Partition, p.Offset, p.Metadata = part, r.made, &meta
	t.Topic, t.TopicID, t.Partitions = offsetsTopic, r.topic, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	process := history.ProcessOf(r.id, 0)
	r.w.rec.Event(process, history.Invoke, "", "", op)
	resp, err := q.RequestWith(ctx, r.cl)
	if err == nil && (len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1) {
		err = errors.New("OffsetCommit answers other partitions than it was asked for")
	}
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	switch {
	case err == nil:
		r.w.rec.Event(process, history.OK, "", "", op)
	case refusal(err):
		r.w.rec.Event(process, history.Fail, "", name(err), op)
	default:
		r.w.rec.Event(process, history.Info, "", name(err), op)
	}
}

// refusal says that nothing was, nor will be, committed.
func refusal(err error) bool {
	return errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownTopicOrPartition) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.StaleMemberEpoch) || errors.Is(err, kerr.FencedMemberEpoch) || errors.Is(err, kerr.FencedInstanceID)
}

func (r *register) draw(ctx context.Context, rnd *rand.Rand) {
	_ = r.fetch(ctx, groupName(rnd.IntN(offsetsGroups)), int32(rnd.IntN(offsetsParts))) // a refusal is in the history
}

// fetch asks for a committed offset.
func (r *register) fetch(ctx context.Context, group string, part int32) error {
	ctx, cancel := context.WithTimeout(ctx, requestBound)
	defer cancel()
	if err := r.identify(ctx); err != nil {
		return err
	}
	op := history.Op{Kind: history.FetchOffsets, Key: history.GroupKey(group, history.Key(offsetsTopic, part)), Offset: history.NoOffset, Generation: -1, PID: -1}
	q, g, t := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = offsetsTopic, r.topic, []int32{part}
	g.Group, g.Topics = group, append(g.Topics, t)
	q.Groups = append(q.Groups, g)
	process := history.ProcessOf(r.id, 0)
	r.w.rec.Event(process, history.Invoke, "", "", op)
	resp, err := q.RequestWith(ctx, r.cl)
	if err == nil && (len(resp.Groups) != 1 || resp.Groups[0].ErrorCode == 0 && (len(resp.Groups[0].Topics) != 1 || len(resp.Groups[0].Topics[0].Partitions) != 1)) {
		err = errors.New("OffsetFetch answers other partitions than it was asked for")
	}
	if err == nil {
		if err = kerr.ErrorForCode(resp.Groups[0].ErrorCode); err == nil {
			p := &resp.Groups[0].Topics[0].Partitions[0]
			if op.Offset = p.Offset; p.Metadata != nil && p.Offset >= 0 {
				op.Meta = *p.Metadata
			}
			err = kerr.ErrorForCode(p.ErrorCode)
		}
	}
	if err != nil {
		r.w.rec.Event(process, history.Fail, "", name(err), op)
		return err
	}
	r.w.rec.Event(process, history.OK, "", "", op)
	return nil
}
