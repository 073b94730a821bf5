package oracle

import (
	"fmt"
	"slices"
)

// Image is what a partition's log holds once it has been recovered.
type Image struct {
	Key        string
	TopicID    [16]byte
	Start, End int64
	Batches    []Stored // from Start on
	Producers  []Producer
	Grown      bool // more was written since, which the producers are told of
}

// Stored is one batch as a log holds it.
type Stored struct {
	Base  int64
	Sum   uint32 // of all its bytes
	Epoch int32  // that the leader epoch cache gives for Base
}

// Producer is what a log knows of an idempotent producer.
type Producer struct {
	ID, LastTimestamp, TxnFirstOffset int64
	CoordinatorEpoch                  int32
	Epoch                             int16
	Batches                           []ProducerBatch // ascending; the last one is always known
}

// ProducerBatch is one of the batches by which duplicates are found.
type ProducerBatch struct {
	LastOffset, Timestamp int64
	LastSeq, OffsetDelta  int32
}

// idempotent: a recovery that is cut short, or done again at once, comes to the same logs (I:S2), and knows no batch of a producer
// beyond a log's end. The simulator recovers copies of a
// node's disk beside the run and hands in what came of it.
type idempotent struct {
	quiet
	due bool
}

func (o *idempotent) Name() string { return "I:S2" }

// Due says that there was something to compare.
func (o *idempotent) Due() bool { return o.due }

// Rehearsed says that a disk that holds records has been recovered beside the run, so that its logs are to be compared.
func (s *Suite) Rehearsed() { s.idempotent.due = true }

// Recovered compares what one recovery of a disk and another way of recovering it have come to; both in order of keys.
func (s *Suite) Recovered(how string, once, again []Image) error {
	return s.idempotent.compare(how, once, again)
}

// Unrecoverable reports that the other way came to no end.
func (s *Suite) Unrecoverable(how string, err error) error {
	s.idempotent.checks++
	return fail(s.idempotent.Name(), how, -1, "recovered at the first time", err)
}

func (o *idempotent) compare(how string, once, again []Image) error {
	names := func(is []Image) (ks []string) {
		for i := range is {
			ks = append(ks, is[i].Key)
		}
		return ks
	}
	if a, b := names(once), names(again); !slices.Equal(a, b) {
		return fail(o.Name(), how, -1, fmt.Sprint("logs ", a), b)
	}
	for i := range once {
		o.checks++
		for _, p := range once[i].Producers {
			if once[i].Grown {
				break
			}
			if n := len(p.Batches); n > 0 && p.Batches[n-1].LastOffset >= once[i].End {
				return fail(o.Name(), once[i].Key+" recovered", -1, "a log that ends at "+itoa(once[i].End), fmt.Sprintf("a producer's batch beyond it: %+v", p))
			}
		}
		if was, is := difference(&once[i], &again[i]); was != "" {
			return fail(o.Name(), fmt.Sprintf("%s %s", once[i].Key, how), -1, was, is)
		}
	}
	return nil
}

func difference(a, b *Image) (was, is string) {
	switch {
	case a.TopicID != b.TopicID:
		return fmt.Sprintf("topic id %x", a.TopicID), fmt.Sprintf("%x", b.TopicID)
	case a.Start != b.Start || a.End != b.End:
		return fmt.Sprintf("offsets %d to %d", a.Start, a.End), fmt.Sprintf("%d to %d", b.Start, b.End)
	case len(a.Batches) != len(b.Batches):
		return fmt.Sprintf("%d batches", len(a.Batches)), fmt.Sprint(len(b.Batches))
	case a.Grown || b.Grown:
		a.Producers, b.Producers = nil, nil
	case len(a.Producers) != len(b.Producers):
		return fmt.Sprintf("producers %+v", a.Producers), fmt.Sprintf("%+v", b.Producers)
	}
	for i := range a.Batches {
		if a.Batches[i] != b.Batches[i] {
			return fmt.Sprintf("batch %+v", a.Batches[i]), fmt.Sprintf("%+v", b.Batches[i])
		}
	}
	for i := range a.Producers {
		if p, q := &a.Producers[i], &b.Producers[i]; !p.agrees(q) {
			return fmt.Sprintf("producer %+v", *p), fmt.Sprintf("%+v", *q)
		}
	}
	return "", ""
}

// agrees says whether both know the same of a producer. A recovery reads back only so far for older batches, so one may know fewer.
func (p *Producer) agrees(q *Producer) bool {
	n := min(len(p.Batches), len(q.Batches))
	if n == 0 && len(p.Batches)+len(q.Batches) > 0 {
		return false
	}
	return p.ID == q.ID && p.LastTimestamp == q.LastTimestamp && p.TxnFirstOffset == q.TxnFirstOffset &&
		p.CoordinatorEpoch == q.CoordinatorEpoch && p.Epoch == q.Epoch &&
		slices.Equal(p.Batches[len(p.Batches)-n:], q.Batches[len(q.Batches)-n:])
}
