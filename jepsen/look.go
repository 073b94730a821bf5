package jepsen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// patience is how long a cluster may take until it is whole again, on a machine that does much else; three JVMs take longer.
func (cfg *Config) patience() time.Duration {
	if cfg.System == Kafka {
		return 6 * time.Minute
	}
	return 2 * time.Minute
}

// glance is what one node knows.
type glance struct {
	brokers int
	parts   map[string]part
}

// part is what it knows of a partition.
type part struct {
	leader, epoch int32
	replicas, isr int
}

// look asks one node for all that it knows.
func (c *Cluster) look(ctx context.Context, n *Node) (*glance, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.addr), kgo.Dialer(c.dialer()), kgo.DialTimeout(time.Second), kgo.RequestRetries(0), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	q := kmsg.NewPtrMetadataRequest() // without topics: all
	resp, err := cl.SeedBrokers()[0].Request(ctx, q)
	if err != nil {
		return nil, err
	}
	m := resp.(*kmsg.MetadataResponse)
	g := &glance{brokers: len(m.Brokers), parts: map[string]part{}}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			g.parts[history.Key(*t.Topic, p.Partition)] = part{p.Leader, p.LeaderEpoch, len(p.Replicas), len(p.ISR)}
		}
	}
	return g, nil
}

// settled waits until every node that is to run knows all others and says the same of every partition: led, and each replica in sync.
func (c *Cluster) settled(ctx context.Context, within time.Duration) error {
	end := time.Now().Add(within)
	for {
		err := c.whole(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) || errors.Is(err, errFallen) {
			return fmt.Errorf("the cluster is not whole within %v: %w", within, err)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// errFallen: nobody starts a node again that has ended by itself, so waiting does not help.
var errFallen = errors.New("a node has ended by itself")

func (c *Cluster) whole(ctx context.Context) error {
	if fell := c.fallen(); len(fell) > 0 {
		return fmt.Errorf("%w: %s", errFallen, fell[0].told())
	}
	var first *glance
	want := 0
	for _, n := range c.nodes {
		if n.wanted {
			want++
		}
	}
	for _, n := range c.nodes {
		if !n.wanted {
			continue
		}
		g, err := c.look(ctx, n)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", n.name(), err)
		case g.brokers != want:
			return fmt.Errorf("%s knows %d brokers of %d", n.name(), g.brokers, want)
		case first == nil:
			first = g
		case !maps.Equal(first.parts, g.parts):
			return fmt.Errorf("%s and %s say different things of partitions", c.nodes[0].name(), n.name())
		}
		for k, p := range g.parts {
			if p.leader < 0 || p.isr < p.replicas {
				return fmt.Errorf("%s says of %s: leader %d, %d of %d replicas in sync", n.name(), k, p.leader, p.isr, p.replicas)
			}
		}
	}
	return nil
}

// pause waits, unless the run is over.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// createTopic makes one with three replicas. It is asked for again until it is there.
func (c *Cluster) createTopic(ctx context.Context, cl *kgo.Client, name string, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.patience())
	defer cancel()
	for {
		q := kmsg.NewPtrCreateTopicsRequest()
		q.TimeoutMillis = 10_000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(partitions), int16(min(3, c.cfg.Nodes))
		q.Topics = append(q.Topics, t)
		resp, err := q.RequestWith(ctx, cl)
		if err == nil && len(resp.Topics) == 1 {
			if err = kerr.ErrorForCode(resp.Topics[0].ErrorCode); err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
				return nil
			}
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
}
