package jepsen

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/sim/history"
)

// producer is an idempotent one with acks=all, as franz-go has it by default. Each of its slots sends one record and waits for the answer.
type producer struct {
	w     *world
	id    int
	topic string
	parts int
	cl    *kgo.Client
	sent  *sent
	mu    sync.Mutex // invocations are in the order in which the client takes the records
	made  int64
}

// newProducer makes one that sends about every mean in each of its slots.
func newProducer(w *world, topic string, parts, slots int, mean time.Duration) error {
	p := &producer{w: w, id: w.client("producer"), topic: topic, parts: parts, sent: newSent()}
	var err error
	p.cl, err = w.c.client(kgo.Dialer(newWire(w.c.dialer(), p.sent.hearers()).Dial), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(3*time.Second))
	if err != nil {
		return err
	}
	w.atEnd(p.cl.Close)
	for slot := range slots {
		rnd := w.random(p.id, slot)
		w.loop(rnd, mean, func(ctx context.Context) { p.send(ctx, slot, rnd) })
	}
	return nil
}

func (p *producer) send(ctx context.Context, slot int, rnd *rand.Rand) {
	process, part := history.ProcessOf(p.id, slot), int32(rnd.IntN(p.parts))
	var err error
	done := make(chan struct{})
	p.mu.Lock()
	v := history.MakeValue(p.id, p.made)
	p.made++
	op := history.Op{Kind: history.Send, Key: history.Key(p.topic, part), Acks: -1, PID: -1, Offset: history.NoOffset, Records: []history.Record{{Offset: history.NoOffset, Value: v}}}
	p.w.rec.Event(process, history.Invoke, "", "", op)
	r := &kgo.Record{Topic: p.topic, Partition: part, Value: v.AppendText(nil)}
	p.cl.Produce(context.Background(), r, func(_ *kgo.Record, e error) { err = e; close(done) })
	p.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return // never answered: the history has no completion
	}
	how := p.sent.take(v)
	how.fill(&op)
	switch {
	case err == nil:
		op.Records = []history.Record{{Offset: r.Offset, Value: v}}
		p.w.rec.Event(process, history.OK, "", "", op)
	case how.attempts == 0:
		p.w.rec.Event(process, history.Fail, "", name(err), op)
	default:
		p.w.rec.Event(process, history.Info, "", name(err), op)
	}
}

// name gives an error's name as the protocol has it, or its text.
func name(err error) string {
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Message
	}
	return text(err)
}
