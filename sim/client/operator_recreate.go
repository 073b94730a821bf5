package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// againTopic is the operator's own topic.
const againTopic = "again"

// refill is what is written into, and read from, a topic that was made again. Produce and Fetch name it by its id: what comes late, and was
// meant for the topic that went before, must find nothing.
type refill struct {
	o     *Operator
	w     *world
	was   [16]byte // the topic that had the name before
	topic *topicState
	gen   int64
	left  int // batches to write
	read  int // the partition that is read next
	from  int64
	made  int64
}

// recreate deletes the operator's topic, and makes it again at once, with as many partitions and replicas as it draws.
func (o *Operator) recreate(_ *Order, w *world) {
	f := &refill{o: o, w: w, left: 1 + w.src.Intn(4)}
	t := TopicSpec{Name: againTopic, Partitions: int32(1 + w.src.Intn(3)), Replicas: int16(1 + w.src.Intn(min(3, max(1, len(w.brokers)))))}
	create := func() {
		o.createTopic(o.link, t, func(c kerr.Code, err error) {
			if err != nil || c != kerr.None && c != kerr.TopicAlreadyExists {
				o.again()
				return
			}
			f.find()
		})
	}
	old := w.topic(againTopic)
	if old == nil {
		create()
		return
	}
	f.was = old.id
	o.deleteTopic(o.link, againTopic, func(c kerr.Code, err error) {
		if err != nil || c != kerr.None && c != kerr.UnknownTopicOrPartition {
			o.again()
			return
		}
		create()
	})
}

// find waits until the new topic is known.
func (f *refill) find() {
	f.o.look(func(w *world) {
		f.topic = w.topic(againTopic)
		if f.topic == nil || f.topic.id == f.was {
			f.o.later(f.find)
			return
		}
		if f.gen = f.o.gens[f.topic.id]; f.gen == 0 {
			f.gen = int64(len(f.o.gens)) + 1
			f.o.gens[f.topic.id] = f.gen
		}
		f.step()
	})
}

// step writes what is left to write, then reads each partition.
func (f *refill) step() {
	n := f.read
	if f.left > 0 {
		n = f.w.src.Intn(len(f.topic.parts))
	}
	if n >= len(f.topic.parts) {
		f.o.over(fmt.Sprintf("%s made for the %d. time", againTopic, f.gen))
		return
	}
	p := &f.topic.parts[n]
	if p.leader < 1 || int(p.leader) > f.o.sh.Nodes {
		f.o.later(f.find)
		return
	}
	l := f.o.to(nodeOf(p.leader))
	if !l.open() {
		f.o.later(f.find)
		return
	}
	if f.left > 0 {
		f.write(l, p)
		return
	}
	f.fetch(l, p)
}

func (f *refill) write(l *link, p *partState) {
	count := 1 + f.w.src.Intn(5)
	recs := make([]history.Record, count)
	for i := range recs {
		recs[i] = history.Record{Offset: history.NoOffset, Value: history.MakeValue(OperatorID, f.gen<<20+f.made)}
		f.made++
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 3000
	t := kmsg.NewProduceRequestTopic()
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = p.number, appendBatch(nil, &batchSpec{pid: noProducerID, epoch: -1, seq: -1, wall: f.o.n.Wall(), values: recs})
	t.Topic, t.TopicID, t.Partitions = f.topic.name, f.topic.id, append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	l.ask(req, 13, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err == nil {
			if resp := r.(*kmsg.ProduceResponse); len(resp.Topics) == 1 && len(resp.Topics[0].Partitions) == 1 && resp.Topics[0].Partitions[0].ErrorCode == 0 {
				f.left--
				f.step()
				return
			}
		}
		f.o.later(f.find)
	})
}

func (f *refill) fetch(l *link, p *partState) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 100, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	tp := kmsg.NewFetchRequestTopicPartition()
	tp.Partition, tp.CurrentLeaderEpoch, tp.FetchOffset, tp.LastFetchedEpoch, tp.LogStartOffset, tp.PartitionMaxBytes = p.number, -1, f.from, -1, -1, 1<<18
	t.Topic, t.TopicID, t.Partitions = f.topic.name, f.topic.id, append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	l.ask(req, 13, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil || !f.took(r.(*kmsg.FetchResponse), p) {
			f.o.later(f.find)
			return
		}
		f.step()
	})
}

// took looks at what came; false: nothing can be said yet.
func (f *refill) took(resp *kmsg.FetchResponse, p *partState) bool {
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		return false
	}
	part := &resp.Topics[0].Partitions[0]
	s := readBatches(part.RecordBatches, f.from)
	if s.bad != "" {
		f.o.caught(0, againTopic, "Fetch serves a bad batch", s.bad)
	}
	for _, r := range s.records {
		if r.Value.Client() != OperatorID || r.Value.N()>>20 != f.gen {
			f.o.caught(0, history.Key(againTopic, p.number), "a topic that was made again holds a record of another", fmt.Sprintf("%v at %d in the %d. topic", r.Value, r.Offset, f.gen))
		}
	}
	f.from = s.next
	if len(s.records) == 0 || f.from >= part.HighWatermark {
		f.read, f.from = f.read+1, 0
	}
	return true
}
