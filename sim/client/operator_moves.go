package client

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// verbs are what an order may be.
//
//	F:M1  add, remove, swap, any: a partition gets other replicas; order: the same in another order, so that another one is preferred;
//	      cancel: back to those that it had    grow: a topic gets partitions    preferred: every leader is the preferred one
//	      recreate: the operator's topic is deleted and made again    unclean: the operator's topic allows unclean elections, and is asked to have them
var verbs map[string]func(*Operator, *Order, *world)

func init() {
	verbs = map[string]func(*Operator, *Order, *world){
		"add": (*Operator).reassign, "remove": (*Operator).reassign, "swap": (*Operator).reassign, "any": (*Operator).reassign,
		"order": (*Operator).reassign, "cancel": (*Operator).reassign,
		"grow": (*Operator).grow, "preferred": (*Operator).preferred, "recreate": (*Operator).recreate, "unclean": (*Operator).unclean,
		"voter": (*Operator).voter, "throttle": (*Operator).throttle,
	}
	for verb, set := range settings {
		verbs[verb] = func(o *Operator, x *Order, w *world) { o.set(x, w, set) }
	}
}

// maxReplicas bounds how many replicas an order gives a partition.
const maxReplicas = 4

// target draws the replicas that an order wants. Where what it asks for cannot be, it changes their order.
func (w *world) target(verb string, have []int32) []int32 {
	to := slices.Clone(have)
	var free []int32
	for _, b := range w.brokers {
		if !slices.Contains(have, b) {
			free = append(free, b)
		}
	}
	switch {
	case verb == "cancel":
		return nil
	case verb == "any":
		to = slices.Clone(w.brokers)
		w.shuffle(to)
		return to[:1+w.src.Intn(min(len(to), maxReplicas))]
	case verb == "add" && len(free) > 0 && len(have) < maxReplicas:
		return append(to, free[w.src.Intn(len(free))])
	case verb == "remove" && len(to) > 1:
		i := w.src.Intn(len(to))
		return slices.Delete(to, i, i+1)
	case verb == "swap" && len(free) > 0:
		to[w.src.Intn(len(to))] = free[w.src.Intn(len(free))]
		return to
	}
	w.shuffle(to)
	return to
}

func (w *world) shuffle(v []int32) {
	for i := len(v) - 1; i > 0; i-- {
		j := w.src.Intn(i + 1)
		v[i], v[j] = v[j], v[i]
	}
}

func (o *Operator) reassign(x *Order, w *world) {
	p := w.partition(x.A)
	if p == nil || len(w.brokers) == 0 {
		o.again()
		return
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	tp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	tp.Partition, tp.Replicas = p.number, w.target(x.Verb, p.replicas)
	t.Topic, t.Partitions = p.topic.name, append(t.Partitions, tp)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	o.ask(req, fmt.Sprintf("%s %s/%d: %v to %v", x.Verb, p.topic.name, p.number, p.replicas, tp.Replicas), func(r kmsg.Response) int16 {
		resp := r.(*kmsg.AlterPartitionAssignmentsResponse)
		if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return resp.ErrorCode
		}
		return resp.Topics[0].Partitions[0].ErrorCode
	})
}

// maxGrown bounds how many partitions an order gives a topic.
const maxGrown = 8

func (o *Operator) grow(x *Order, w *world) {
	t := w.pick(x.A)
	switch {
	case t == nil:
		o.again()
		return
	case len(t.parts) >= maxGrown:
		o.over("")
		return
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = t.name, int32(len(t.parts)+1+w.src.Intn(2))
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
	op := history.Op{Kind: history.CreatePartitions, Key: t.name, Offset: int64(rt.Count)}
	o.attempt(o.link, req, 0, op, func(r kmsg.Response, _ *history.Op) kerr.Code {
		resp := r.(*kmsg.CreatePartitionsResponse)
		if len(resp.Topics) != 1 {
			return kerr.UnknownServerError
		}
		return kerr.Code(resp.Topics[0].ErrorCode)
	}, func(c kerr.Code, err error) {
		o.settled(c, err, fmt.Sprintf("%s has %d partitions, was %d", t.name, rt.Count, len(t.parts)))
	})
}

func (o *Operator) preferred(*Order, *world) { o.elect(0, "") }

// elect asks for preferred leaders everywhere (0), or for any leader of a topic that has none (1).
func (o *Operator) elect(kind int8, topic string) {
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = kind, 5000
	if topic != "" {
		t := kmsg.NewElectLeadersRequestTopic()
		t.Topic = topic
		for n := range int32(maxGrown) {
			t.Partitions = append(t.Partitions, n)
		}
		req.Topics = append(req.Topics, t)
	}
	what := "preferred leaders"
	if kind == 1 {
		what = "unclean leaders of " + topic
	}
	o.link.ask(req, 1, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		c := kerr.Code(0)
		if err == nil {
			c = kerr.Code(r.(*kmsg.ElectLeadersResponse).ErrorCode)
		}
		o.settled(c, err, what)
	})
}

// unclean lets the operator's topic have unclean elections, and asks for them at once. No client's topic: a leader that was deposed so goes
// on to acknowledge, and to show, what will be lost, which no history can tell from a fault.
func (o *Operator) unclean(x *Order, w *world) {
	if w.topic(againTopic) == nil {
		if x.Undo {
			o.over("")
			return
		}
		o.createTopic(o.link, TopicSpec{Name: againTopic, Partitions: 2, Replicas: int16(min(3, max(1, len(w.brokers))))}, func(kerr.Code, error) { o.again() })
		return
	}
	set := "unclean.leader.election.enable=true"
	if x.Undo {
		set = "unclean.leader.election.enable"
	}
	o.alterTopic(o.link, againTopic, set, func(c kerr.Code, err error) {
		if err != nil || c != kerr.None || x.Undo {
			o.settled(c, err, againTopic+": "+set)
			return
		}
		o.elect(1, againTopic)
	})
}
