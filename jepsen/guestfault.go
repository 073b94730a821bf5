package jepsen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// moveBound is how long replicas may take to move: they are copied while clients write.
const moveBound = 2 * time.Minute

// guestFault has one more broker join, with nothing, and take the place of another replica in some partitions, which it then leads. Afterwards all
// moves back, and it is unregistered. In one of three turns it dies in between, so that others take its replicas over without it.
var guestFault = &fault{kind: "join", begin: func(x *Nemesis) (string, func() error, error) {
	g := x.c.guest
	what := g.name() + " joins"
	if err := x.invite(); err != nil {
		return what, nil, err
	}
	was, err := x.c.replicas(x.ctx)
	if err != nil {
		return what, nil, err
	}
	to := map[string][]int32{}
	for _, k := range x.keys {
		if have := was[k]; len(have) > 1 && x.rnd.IntN(2) == 0 {
			to[k] = slices.Clone(have)
			to[k][x.rnd.IntN(len(have))] = to[k][0]
			to[k][0] = int32(g.id + 1) // the preferred leader
		}
	}
	dies := x.rnd.IntN(3) == 0
	what += fmt.Sprintf(" and takes over %d replicas", len(to))
	if dies {
		what += ", then dies"
	}
	if err := x.c.move(x.ctx, to); err != nil {
		return what, nil, err
	}
	if dies {
		g.kill(x.c)
	}
	return what, func() error {
		back := map[string][]int32{}
		for k := range to {
			back[k] = was[k]
		}
		if err := x.c.move(x.ctx, back); err != nil {
			return err
		}
		if !dies {
			if err := g.term(x.c, stopBound); err != nil {
				x.Wrong = append(x.Wrong, err.Error())
			}
		}
		return x.dismiss()
	}, nil
}}

// invite starts the guest with nothing.
func (x *Nemesis) invite() (err error) {
	g := x.c.guest
	g.thread.Do(func() { err = os.RemoveAll(g.dir) })
	if err == nil {
		err = x.c.sys.prepare(x.c, g)
	}
	if err == nil {
		err = g.start(x.c)
	}
	if err == nil {
		err = x.settled()
	}
	return err
}

// dismiss unregisters the guest, which has stopped, and waits until nobody knows it any more.
func (x *Nemesis) dismiss() error {
	q := kmsg.NewPtrUnregisterBrokerRequest()
	q.BrokerID = int32(x.c.guest.id + 1)
	if err := x.c.change(x.ctx, q, kerr.BrokerIDNotRegistered, func(r kmsg.Response) int16 { return r.(*kmsg.UnregisterBrokerResponse).ErrorCode }); err != nil {
		return err
	}
	return x.settled()
}

// replicas gives those of all partitions.
func (c *Cluster) replicas(ctx context.Context) (map[string][]int32, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	all := map[string][]int32{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			all[history.Key(*t.Topic, p.Partition)] = p.Replicas
		}
	}
	return all, nil
}

// move gives partitions other replicas, waits until they have them, and has the preferred ones lead.
func (c *Cluster) move(ctx context.Context, to map[string][]int32) error {
	ctx, cancel := context.WithTimeout(ctx, moveBound)
	defer cancel()
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(to) > 0 {
		err := c.ask(ctx, cl, to)
		if err == nil {
			if err = c.moved(ctx, to); err == nil {
				break
			}
		}
		if pause(ctx, 300*time.Millisecond) != nil {
			return fmt.Errorf("replicas do not move: %w", err)
		}
	}
	q := kmsg.NewPtrElectLeadersRequest()
	q.TimeoutMillis = 5000
	_, _ = q.RequestWith(ctx, cl) // one that cannot lead now does not
	return nil
}

func (c *Cluster) ask(ctx context.Context, cl *kgo.Client, to map[string][]int32) error {
	q := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	q.TimeoutMillis = 10_000
	for _, k := range sortedKeys(to) {
		topic, part := history.SplitKey(k)
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = part, to[k]
		t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		t.Topic, t.Partitions = topic, append(t.Partitions, p)
		if n := len(q.Topics); n > 0 && q.Topics[n-1].Topic == topic {
			q.Topics[n-1].Partitions = append(q.Topics[n-1].Partitions, p)
			continue
		}
		q.Topics = append(q.Topics, t)
	}
	resp, err := q.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return err
}

// moved waits until no partition is on its way, and says whether all have what they are to have.
func (c *Cluster) moved(ctx context.Context, to map[string][]int32) error {
	for {
		have, err := c.replicas(ctx)
		if err == nil {
			for k, want := range to {
				if !slices.Equal(have[k], want) {
					err = fmt.Errorf("%s has replicas %v, is to have %v", k, have[k], want)
				}
			}
		}
		if err == nil || pause(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}
