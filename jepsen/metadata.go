package jepsen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// metadataWorkload has administrators make, change and delete a few topics, all of them the same ones, and asks every broker for itself what it
// knows of them.
type metadataWorkload struct {
	mu    sync.Mutex
	names []string // all that there ever were; the last of them are in use
	seen  map[string]string
}

const (
	metadataAdmins  = 3
	metadataReaders = 2 // of each node
	metadataTopics  = 3 // in use
	metadataParts   = 6 // at most
	metadataSetting = "retention.ms"
	metadataPrefix  = "made-"
)

func (m *metadataWorkload) topics() map[string]int { return nil }

func (m *metadataWorkload) must() []string { return []string{"M5"} }

func (m *metadataWorkload) begin(w *world) error {
	m.seen, w.c.flux = map[string]string{}, metadataPrefix
	for range metadataTopics {
		m.names = append(m.names, m.fresh())
	}
	for i := range metadataAdmins {
		a := &direct{w: w, id: w.client("administrator")}
		rnd := w.random(a.id, i)
		w.loop(rnd, 150*time.Millisecond, func(ctx context.Context) { m.change(ctx, a, rnd) })
	}
	for _, n := range w.c.nodes {
		for i := range metadataReaders {
			r := &direct{w: w, id: w.client("asks " + n.name())}
			rnd := w.random(r.id, i)
			w.loop(rnd, 40*time.Millisecond, func(ctx context.Context) { m.look(ctx, r, n, rnd, "") })
		}
	}
	return nil
}

// finish asks everybody for everything, once all say the same.
func (m *metadataWorkload) finish(ctx context.Context, w *world) error {
	w.c.flux = ""
	if err := errors.Join(pause(ctx, time.Second), w.c.settled(ctx, w.c.cfg.patience())); err != nil {
		return err
	}
	r := &direct{w: w, id: w.client("last asker")}
	for _, n := range w.c.nodes {
		for _, name := range m.names {
			for _, ask := range []func() error{func() error { return m.parts(ctx, r, n, []string{name}, "whole") }, func() error { return m.setting(ctx, r, n, name, "whole") }} {
				for err := ask(); err != nil; err = ask() {
					if pause(ctx, 100*time.Millisecond) != nil {
						return fmt.Errorf("the last look at %s of %s: %w", name, n.name(), err)
					}
				}
			}
		}
	}
	return nil
}

func (m *metadataWorkload) fresh() string { return metadataPrefix + strconv.Itoa(len(m.names)) }

// inUse gives the topics that are changed now.
func (m *metadataWorkload) inUse() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.names[len(m.names)-metadataTopics:])
}

// retire takes a topic out of use of which nobody knows what may still become of it, so that there are few orders to look for.
func (m *metadataWorkload) retire(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.names, name); i >= len(m.names)-metadataTopics {
		next := m.fresh()
		m.names = append(append([]string{name}, slices.Delete(m.names, i, i+1)...), next)
	}
}

// direct asks one node and no other, once.
type direct struct {
	w    *world
	id   int
	mu   sync.Mutex
	node map[int]*kgo.Client
}

func (d *direct) ask(ctx context.Context, n *Node, q kmsg.Request) (kmsg.Response, error) {
	d.mu.Lock()
	cl := d.node[n.id]
	if cl == nil {
		var err error
		if cl, err = kgo.NewClient(kgo.SeedBrokers(n.addr), kgo.Dialer(d.w.c.dialer()), kgo.DialTimeout(time.Second), kgo.RequestRetries(0), kgo.DisableClientMetrics()); err != nil {
			d.mu.Unlock()
			return nil, err
		}
		if d.node == nil {
			d.node = map[int]*kgo.Client{}
		}
		d.node[n.id] = cl
		d.w.atEnd(cl.Close)
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*requestBound)
	defer cancel()
	return cl.SeedBrokers()[0].Request(ctx, q)
}

// change draws a change, and asks any node for it.
func (m *metadataWorkload) change(ctx context.Context, a *direct, rnd *rand.Rand) {
	name, n := m.inUse()[rnd.IntN(metadataTopics)], a.w.c.nodes[rnd.IntN(len(a.w.c.nodes))]
	op := history.Op{Key: name, Offset: history.NoOffset, PID: -1}
	var q kmsg.Request
	switch k := rnd.IntN(10); {
	case k < 3:
		op.Kind, op.Offset = history.CreateTopic, 1+rnd.Int64N(3)
		q = creation(name, op.Offset, int16(min(3, a.w.c.cfg.Nodes)))
	case k < 5:
		op.Kind, op.Offset = history.CreatePartitions, 2+rnd.Int64N(metadataParts-1)
		q = growth(name, op.Offset)
	case k < 8:
		op.Kind, op.Meta = history.Alter, metadataSetting
		value := ""
		if rnd.IntN(4) > 0 {
			value = strconv.Itoa(3_600_000 * (1 + rnd.IntN(1000)))
			op.Meta += "=" + value
		}
		q = alteration(name, value)
	default:
		op.Kind = history.DeleteTopic
		q = deletion(name)
	}
	process := history.ProcessOf(a.id, 0)
	a.w.rec.Event(process, history.Invoke, "", "", op)
	t, why := a.outcome(a.ask(ctx, n, q))
	if a.w.rec.Event(process, t, "", why, op); t == history.Info {
		m.retire(name)
	}
}

func creation(name string, parts int64, replicas int16) kmsg.Request {
	q, t := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(parts), replicas
	q.Topics, q.TimeoutMillis = append(q.Topics, t), 4000
	return q
}

func growth(name string, parts int64) kmsg.Request {
	q, t := kmsg.NewPtrCreatePartitionsRequest(), kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = name, int32(parts)
	q.Topics, q.TimeoutMillis = append(q.Topics, t), 4000
	return q
}

// alteration sets the setting, or takes it away ("").
func alteration(name, value string) kmsg.Request {
	q, r, c := kmsg.NewPtrIncrementalAlterConfigsRequest(), kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = metadataSetting, kmsg.IncrementalAlterConfigOpSet, &value
	if value == "" {
		c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
	}
	r.ResourceType, r.ResourceName, r.Configs = kmsg.ConfigResourceTypeTopic, name, append(r.Configs, c)
	q.Resources = append(q.Resources, r)
	return q
}

func deletion(name string) kmsg.Request {
	q, t := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &name
	q.Topics, q.TopicNames, q.TimeoutMillis = append(q.Topics, t), []string{name}, 4000
	return q
}

// outcome says how a change ended.
func (d *direct) outcome(r kmsg.Response, err error) (history.Type, string) {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return history.Fail, "not sent"
	}
	if err != nil {
		return history.Info, text(err)
	}
	var codes []int16
	switch r := r.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			codes = append(codes, t.ErrorCode)
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range r.Topics {
			codes = append(codes, t.ErrorCode)
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			codes = append(codes, t.ErrorCode)
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, t := range r.Resources {
			codes = append(codes, t.ErrorCode)
		}
	}
	if len(codes) != 1 {
		return history.Info, fmt.Sprintf("%d answers to one question", len(codes))
	}
	if errors.Is(kerr.ErrorForCode(codes[0]), kerr.NotController) { // what it had begun may still be committed
		return history.Info, codeName(codes[0])
	}
	return concluded(codes[0])
}

// look asks a node one thing.
func (m *metadataWorkload) look(ctx context.Context, r *direct, n *Node, rnd *rand.Rand, want string) {
	names := m.inUse()
	switch name := names[rnd.IntN(len(names))]; rnd.IntN(3) {
	case 0:
		_ = m.parts(ctx, r, n, names, want) // who does not answer says nothing
	case 1:
		_ = m.described(ctx, r, n, name)
	default:
		_ = m.setting(ctx, r, n, name, want)
	}
}

// told notes what a node says, unless it said the same to this client the last time.
func (m *metadataWorkload) told(r *direct, n *Node, asked int64, op history.Op) {
	op.Member, op.Generation, op.PID = history.NodeName(n.id), int32(asked), -1
	at, is := fmt.Sprint(r.id, n.id, op.Kind, op.Key), fmt.Sprint(op.Offset, op.Meta, op.Got)
	m.mu.Lock()
	same := m.seen[at] == is
	m.seen[at] = is
	m.mu.Unlock()
	if !same || op.Want != "" {
		r.w.rec.Note(history.ProcessOf(r.id, 0), op)
	}
}

// parts is Metadata.
func (m *metadataWorkload) parts(ctx context.Context, r *direct, n *Node, names []string, want string) error {
	q := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		q.Topics = append(q.Topics, t)
	}
	asked := r.w.rec.Next()
	resp, err := r.ask(ctx, n, q)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if parts, ok := countOf(t.ErrorCode, len(t.Partitions)); ok && t.Topic != nil {
			m.told(r, n, asked, history.Op{Kind: history.ReadTopic, Key: *t.Topic, Offset: parts, Want: want})
		}
	}
	return nil
}

// countOf gives the partitions that an answer tells of.
func countOf(code int16, parts int) (int64, bool) {
	if errors.Is(kerr.ErrorForCode(code), kerr.UnknownTopicOrPartition) {
		return history.NoOffset, true
	}
	return int64(parts), code == 0 && parts > 0
}

// described is DescribeTopicPartitions.
func (m *metadataWorkload) described(ctx context.Context, r *direct, n *Node, name string) error {
	q, t := kmsg.NewPtrDescribeTopicPartitionsRequest(), kmsg.NewDescribeTopicPartitionsRequestTopic()
	t.Topic = name
	q.Topics = append(q.Topics, t)
	asked := r.w.rec.Next()
	resp, err := r.ask(ctx, n, q)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.DescribeTopicPartitionsResponse).Topics {
		if parts, ok := countOf(t.ErrorCode, len(t.Partitions)); ok && t.Topic != nil {
			m.told(r, n, asked, history.Op{Kind: history.ReadTopic, Key: *t.Topic, Offset: parts})
		}
	}
	return nil
}

// setting is DescribeConfigs.
func (m *metadataWorkload) setting(ctx context.Context, r *direct, n *Node, name, want string) error {
	q, x := kmsg.NewPtrDescribeConfigsRequest(), kmsg.NewDescribeConfigsRequestResource()
	x.ResourceType, x.ResourceName, x.ConfigNames = kmsg.ConfigResourceTypeTopic, name, []string{metadataSetting}
	q.Resources = append(q.Resources, x)
	asked := r.w.rec.Next()
	resp, err := r.ask(ctx, n, q)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		op := history.Op{Kind: history.ReadConfig, Key: name, Offset: history.NoOffset, Meta: metadataSetting, Want: want}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			op.Got = "absent"
		case err != nil:
			return err
		}
		for _, c := range t.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
				op.Meta += "=" + *c.Value
			}
		}
		m.told(r, n, asked, op)
	}
	return nil
}
