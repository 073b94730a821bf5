package jepsen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/sim/history"
)

// reader reads all partitions of a topic from their start, and goes on.
type reader struct {
	w     *world
	id    int
	topic string
	at    []int64 // next offset, by partition
	cl    *kgo.Client
}

func (w *world) newReader(role, topic string, parts int, more ...kgo.Opt) (*reader, error) {
	r := &reader{w: w, id: w.client(role), topic: topic, at: make([]int64, parts)}
	from := map[int32]kgo.Offset{}
	for p := range parts {
		from[int32(p)] = kgo.NewOffset().At(0)
	}
	opts := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchMaxWait(200 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NoResetOffset())}
	var err error
	if r.cl, err = w.c.client(append(opts, more...)...); err == nil {
		w.atEnd(r.cl.Close)
	}
	return r, err
}

// poll is one of the client's own: what it brings may have been fetched before, which reads that only look back bear.
func (r *reader) poll(ctx context.Context) {
	process := history.ProcessOf(r.id, 0)
	r.w.rec.Event(process, history.Invoke, "poll", "")
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fs := r.cl.PollFetches(ctx)
	var ops []history.Op
	fs.EachPartition(func(p kgo.FetchTopicPartition) {
		key := history.Key(p.Topic, p.Partition)
		r.w.failed(r.id, key, p.Err)
		if len(p.Records) == 0 {
			return
		}
		op := history.Op{Kind: history.Poll, Key: key, PID: -1, Offset: history.NoOffset, From: r.from(&p), HW: p.HighWatermark, Start: p.LogStartOffset, Batches: 1}
		op.Records = r.w.values(r.id, key, p.Records)
		r.at[p.Partition] = p.Records[len(p.Records)-1].Offset + 1
		ops = append(ops, op)
	})
	r.w.rec.Event(process, history.OK, "poll", "", ops...)
}

// from is where what a poll brings of a partition begins: where the last one ended, unless the client went back.
func (r *reader) from(p *kgo.FetchTopicPartition) int64 {
	return min(r.at[p.Partition], p.Records[0].Offset)
}

// values gives the records of a partition as the history has them.
func (w *world) values(client int, key string, records []*kgo.Record) (all []history.Record) {
	for _, rec := range records {
		v, ok := history.ParseValue(rec.Value)
		if !ok {
			w.caught(client, key, "a value that nobody makes", fmt.Sprintf("offset %d: %.100q", rec.Offset, rec.Value))
			continue
		}
		all = append(all, history.Record{Offset: rec.Offset, Value: v})
	}
	return all
}

// failed judges an error that the client shows instead of trying again.
func (w *world) failed(client int, key string, err error) {
	var loss *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	switch {
	case err == nil, errors.As(err, &session), // the member joins once more
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
	case errors.As(err, &loss):
		w.caught(client, key, "what was read is gone from the log", fmt.Sprintf("read to %d, the log goes back to %d", loss.ConsumedTo, loss.ResetTo))
	default:
		w.caught(client, key, "a fetch fails for good", text(err))
	}
}

// toEnds reads until every partition is read to an offset, and says so.
func (r *reader) toEnds(ctx context.Context, ends []int64) error {
	for {
		behind := ""
		for p, end := range ends {
			if r.at[p] < end {
				behind = fmt.Sprintf("partition %d to %d of %d", p, r.at[p], end)
			}
		}
		if behind == "" {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the last reading of %s came in %s", r.topic, behind)
		}
		r.poll(ctx)
	}
	for p, end := range ends {
		r.w.rec.Note(history.ProcessOf(r.id, 0), history.Op{Kind: history.CaughtUp, Key: history.Key(r.topic, int32(p)), Offset: end, PID: -1})
	}
	return nil
}

// readAll has somebody read a topic from its start to where it ends.
func (w *world) readAll(ctx context.Context, topic string, ends []int64) error {
	r, err := w.newReader("last reader", topic, len(ends))
	if err != nil {
		return err
	}
	defer r.cl.Close()
	return r.toEnds(ctx, ends)
}
