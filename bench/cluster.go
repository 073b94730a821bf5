package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Scenarios of clusters run on three brokers, each a controller too; topics have three replicas and min.insync.replicas=2, records are sent with acks=all.
// CPU and memory are those of the three together.

const clusterSize = 3

// startCluster starts three of our brokers, and waits until all are ready.
func (b *bench) startCluster(ctx context.Context, s *system, path string) error {
	inner, outer := make([]string, clusterSize), make([]string, clusterSize)
	for i := range clusterSize {
		for _, to := range []*string{&inner[i], &outer[i]} {
			port, err := kafkaPort()
			if err != nil {
				return err
			}
			*to = "127.0.0.1:" + port
		}
	}
	nodes := make([]*system, clusterSize)
	s.nodes, s.topics = nil, 0
	s.stop = func() error {
		var errs []error
		for _, n := range nodes {
			if n != nil && n.stop != nil {
				errs = append(errs, n.stop())
			}
		}
		return errors.Join(errs...)
	}
	began := time.Now()
	errs := make([]error, clusterSize)
	var wg sync.WaitGroup
	for i := range clusterSize {
		nodes[i] = &system{name: s.name, flush: s.flush}
		b.brokers++
		data := filepath.Join(b.dir, strconv.Itoa(b.brokers))
		cmd, err := launch(path, data, "listeners=PLAINTEXT://"+outer[i]+",CONTROLLER://"+inner[i], "flush.policy="+s.flush, "node.id="+strconv.Itoa(i+1),
			"process.roles=broker,controller", "controller.quorum.bootstrap.servers="+strings.Join(inner, ","))
		if err != nil {
			return errors.Join(err, s.stop())
		}
		nodes[i].pid, nodes[i].addr, nodes[i].stop = cmd.Process.Pid, outer[i], func() error { return end(cmd.Cmd) }
		wg.Go(func() {
			line, err := readyLine(ctx, cmd.out)
			nodes[i].admin, errs[i] = adminOf(line), err
		})
	}
	wg.Wait()
	s.readyMS = ms(time.Since(began))
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, s.stop())
	}
	s.nodes, s.addr, s.pid = nodes, nodes[0].addr, nodes[0].pid
	return nil
}

// startKafkaCluster starts three nodes of Apache Kafka through kafka-peer.
func (b *bench) startKafkaCluster(ctx context.Context, s *system) error {
	p, err := b.kafkaPeer()
	if err != nil {
		return err
	}
	var ports []string
	for range clusterSize {
		port, err := kafkaPort()
		if err != nil {
			return err
		}
		ports = append(ports, port)
	}
	s.stop = func() error {
		var errs []error
		for _, port := range ports {
			_, err := p.call(context.Background(), "stop", "--port", port)
			errs = append(errs, err, os.RemoveAll(p.node(port)))
		}
		return errors.Join(errs...)
	}
	began := time.Now()
	out, err := p.call(ctx, "start-cluster", "--ports", strings.Join(ports, ","), "--fresh", "--set", "log.segment.delete.delay.ms=1000")
	if err != nil {
		return errors.Join(err, s.stop())
	}
	s.readyMS = ms(time.Since(began))
	pids := strings.Fields(out)
	if len(pids) != clusterSize {
		return errors.Join(fmt.Errorf("kafka-peer start-cluster said %q", out), s.stop())
	}
	s.nodes, s.topics = nil, 0
	for i, port := range ports {
		pid, err := strconv.Atoi(pids[i])
		if err != nil {
			return errors.Join(err, s.stop())
		}
		s.nodes = append(s.nodes, &system{name: s.name, flush: s.flush, addr: "127.0.0.1:" + port, pid: pid})
	}
	s.addr, s.pid = s.nodes[0].addr, s.nodes[0].pid
	return nil
}

// each gives the brokers of a system: those of a cluster, or itself.
func (s *system) each() []*system {
	if len(s.nodes) > 0 {
		return s.nodes
	}
	return []*system{s}
}

// leaders gives the broker that leads each partition of a topic, as soon as all have one and all replicas are in sync.
func (s *system) leaders(ctx context.Context, topic string, n int32) ([]*system, error) {
	c, err := dial(ctx, s, 64<<10)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		r := kmsg.NewPtrMetadataRequest()
		r.Version = 7
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		r.Topics = append(r.Topics, t)
		resp, err := c.call(r)
		if err != nil {
			return nil, err
		}
		if list := s.ledBy(resp.(*kmsg.MetadataResponse), n); list != nil {
			return list, nil
		}
	}
	return nil, ctx.Err()
}

func (s *system) ledBy(m *kmsg.MetadataResponse, n int32) []*system {
	at := map[int32]*system{}
	for _, b := range m.Brokers {
		for _, x := range s.each() {
			if strings.HasSuffix(x.addr, ":"+strconv.Itoa(int(b.Port))) {
				at[b.NodeID] = x
			}
		}
	}
	if len(m.Topics) != 1 || len(m.Topics[0].Partitions) != int(n) {
		return nil
	}
	list := make([]*system, n)
	for _, p := range m.Topics[0].Partitions {
		x := at[p.Leader]
		if kerr.ErrorForCode(p.ErrorCode) != nil || x == nil || len(p.ISR) != len(s.each()) {
			return nil
		}
		list[p.Partition] = x
	}
	return list
}

// clusterPartitions creates a topic, and produces one record to each partition as soon as it can: the time runs until all are acknowledged.
func clusterPartitions(n int32) func(context.Context, *system, float64) (*sample, error) {
	return func(ctx context.Context, s *system, _ float64) (*sample, error) {
		m, err := startMeter(s)
		if err != nil {
			return nil, err
		}
		topic, err := s.newTopic(ctx, n)
		if err != nil {
			return nil, err
		}
		x := &sample{requests: float64(n), more: map[string]float64{"created_ms": ms(time.Since(m.began))}}
		if err := s.produceEach(ctx, topic, n); err != nil {
			return nil, err
		}
		if err := m.finish(x); err != nil {
			return nil, err
		}
		x.more["all_acked_ms"] = x.seconds * 1000
		return x, s.dropTopic(ctx, topic)
	}
}

// produceEach sends one record to every partition at its leader, all leaders at once.
func (s *system) produceEach(ctx context.Context, topic string, n int32) error {
	leaders, err := s.leaders(ctx, topic, n)
	if err != nil {
		return err
	}
	led := map[*system][]int32{}
	for i, l := range leaders {
		led[l] = append(led[l], int32(i))
	}
	errs := make([]error, 0, len(led))
	var wg sync.WaitGroup
	for l, list := range led {
		errs = append(errs, nil)
		to := &errs[len(errs)-1]
		wg.Go(func() {
			c, err := dial(ctx, l, 64<<10)
			if err != nil {
				*to = err
				return
			}
			defer c.Close()
			*to = produceTo(ctx, c, topic, list)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// clusterIdle creates 3,000 partitions, waits until each has a record everywhere, and measures a while in which nothing happens.
func clusterIdle(ctx context.Context, s *system, _ float64) (*sample, error) {
	const n, span = 3000, 10 * time.Second
	topic, err := s.newTopic(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := s.produceEach(ctx, topic, n); err != nil {
		return nil, err
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, span); err != nil {
		return nil, err
	}
	x := &sample{more: map[string]float64{}}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	x.more["cpu_share"] = x.cpu / x.seconds / float64(len(s.each())) // of a broker
	return x, nil
}
