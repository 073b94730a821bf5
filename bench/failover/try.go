package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producer sends a small record to each partition every few milliseconds and notes for each partition which sends were answered.
type producer struct {
	cl    *kgo.Client
	stop  chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	waits [partitions]time.Time // acknowledgements of records sent after this moment are waited for
	first [partitions]time.Time // the first of them
	acked int
	bad   []error
}

func (c *cluster) produce() (*producer, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.clients...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.ProduceRequestTimeout(time.Second), kgo.RequestTimeoutOverhead(500*time.Millisecond), kgo.ProducerLinger(0),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }))
	if err != nil {
		return nil, err
	}
	p := &producer{cl: cl, stop: make(chan struct{})}
	p.done.Add(1)
	go p.send()
	return p, nil
}

func (p *producer) send() {
	defer p.done.Done()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := uint64(0); ; n++ {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		for i := range int32(partitions) {
			sent := time.Now()
			p.cl.Produce(context.Background(), &kgo.Record{Partition: i, Value: binary.BigEndian.AppendUint64(nil, n)}, func(_ *kgo.Record, err error) { p.answered(i, sent, err) })
		}
	}
}

func (p *producer) answered(i int32, sent time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.bad = append(p.bad, err)
		return
	}
	p.acked++
	if w := p.waits[i]; !w.IsZero() && sent.After(w) && p.first[i].IsZero() {
		p.first[i] = time.Now()
	}
}

// from waits anew, for records sent after now.
func (p *producer) from(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range partitions {
		p.waits[i], p.first[i] = now, time.Time{}
	}
}

// since is how long the slowest of some partitions waited; false: it still does.
func (p *producer) since(now time.Time, of []int32) (longest time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range of {
		if p.first[i].IsZero() {
			return 0, false
		}
		longest = max(longest, p.first[i].Sub(now))
	}
	return longest, true
}

func (p *producer) end() (acked, refused int) {
	close(p.stop)
	p.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.cl.Flush(ctx); err != nil {
		p.bad = append(p.bad, err)
	}
	p.cl.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, err := range p.bad {
		fmt.Fprintln(os.Stderr, "failover: a record was refused:", err)
		break
	}
	return p.acked, len(p.bad)
}

// try fails one node, measures, and brings it back. A node that is to be no controller is the next one after the controller.
func (c *cluster) try(ctx context.Context, p *producer, sig syscall.Signal, onController bool) (*try, error) {
	if err := c.settle(ctx); err != nil {
		return nil, fmt.Errorf("settling: %w", err)
	}
	controller, parts, err := c.describe(ctx, 0)
	if err != nil {
		return nil, err
	}
	victim := controller
	if !onController {
		victim = (controller + 1) % nodes
	}
	var led []int32
	for _, x := range parts {
		if int(x.Leader) == victim+1 {
			led = append(led, x.Partition)
		}
	}
	if len(led) == 0 {
		return nil, errors.New("the node leads nothing")
	}
	now := time.Now()
	if err := c.procs[victim].Process.Signal(sig); err != nil {
		return nil, err
	}
	p.from(now)
	x := &try{Controller: onController, Partitions: len(led)}
	if err := c.watch(ctx, p, x, now, victim, led); err != nil {
		return nil, err
	}
	if sig == syscall.SIGSTOP {
		return x, c.procs[victim].Process.Signal(syscall.SIGCONT)
	}
	_ = c.procs[victim].Wait() // says that it was killed
	ready, err := c.start(victim)
	if err != nil {
		return nil, err
	}
	return x, wait(ctx, ready)
}

// watch waits for other leaders and for acknowledgements.
func (c *cluster) watch(ctx context.Context, p *producer, x *try, now time.Time, victim int, led []int32) error {
	each := time.NewTicker(5 * time.Millisecond)
	defer each.Stop()
	fresh := make(chan time.Duration, 1)
	for {
		if x.LeaderMS == 0 && c.moved(ctx, victim) {
			x.LeaderMS = ms(time.Since(now))
			go func() { fresh <- c.fresh(ctx, victim, led, now) }()
		}
		if longest, ok := p.since(now, led); ok && x.LeaderMS > 0 {
			x.AckMS, x.FreshMS = ms(longest), ms(<-fresh)
			return nil
		}
		if time.Since(now) > time.Minute {
			return errors.New("no acknowledgement within a minute")
		}
		select {
		case <-each.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fresh has a new producer, which knows only the nodes that are left, send one record to each of some partitions.
func (c *cluster) fresh(ctx context.Context, victim int, led []int32, now time.Time) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.clients[(victim+1)%nodes], c.clients[(victim+2)%nodes]), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return -1
	}
	defer cl.Close()
	for _, i := range led {
		if err := cl.ProduceSync(ctx, &kgo.Record{Partition: i, Value: []byte("fresh")}).FirstErr(); err != nil {
			fmt.Fprintln(os.Stderr, "failover: the fresh producer:", err)
			return -1
		}
	}
	return time.Since(now)
}

// moved says whether a surviving node knows other leaders for all that one led.
func (c *cluster) moved(ctx context.Context, victim int) bool {
	_, parts, err := c.describe(ctx, (victim+1)%nodes)
	if err != nil {
		return false
	}
	for _, x := range parts {
		if x.Leader < 0 || int(x.Leader) == victim+1 {
			return false
		}
	}
	return true
}
