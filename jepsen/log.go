package jepsen

import (
	"context"
	"time"
)

// logWorkload is Jepsen's queue, per partition: idempotent producers with acks=all, readers, and one that asks for ends.
type logWorkload struct{ ask *prober }

const (
	logTopic     = "log"
	logParts     = 4
	logProducers = 3
	logSlots     = 3
	logReaders   = 2
)

func (l *logWorkload) topics() map[string]int { return map[string]int{logTopic: logParts} }

func (l *logWorkload) must() []string {
	return []string{"M1", "M2", "lost-write", "unseen", "duplicate", "inconsistent-offsets", "phantom-offset", "phantom-value", "nonmonotonic-poll", "nonmonotonic-send", "poll-skip", "list-offsets-regression", "stuck"}
}

func (l *logWorkload) begin(w *world) (err error) {
	for range logProducers {
		if err := newProducer(w, logTopic, logParts, logSlots, 30*time.Millisecond); err != nil {
			return err
		}
	}
	for range logReaders {
		r, err := w.newReader("reader", logTopic, logParts)
		if err != nil {
			return err
		}
		w.loop(w.random(r.id, 0), 20*time.Millisecond, r.poll)
	}
	if l.ask, err = w.newProber(logTopic, logParts); err != nil {
		return err
	}
	rnd := w.random(l.ask.id, 0)
	w.loop(rnd, 100*time.Millisecond, func(ctx context.Context) { l.ask.probe(ctx, rnd.IntN(logParts)) })
	return nil
}

func (l *logWorkload) finish(ctx context.Context, w *world) error {
	ends, err := w.endsOf(ctx, logTopic, logParts)
	if err != nil {
		return err
	}
	return w.readAll(ctx, logTopic, ends)
}
