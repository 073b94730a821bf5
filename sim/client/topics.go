package client

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// attempt asks one thing and records its outcome; code reads the answer.
func (b *base) attempt(l *link, req kmsg.Request, low int16, op history.Op, code func(kmsg.Response, *history.Op) kerr.Code, done func(kerr.Code, error)) {
	b.record(0, history.Invoke, "", op)
	l.ask(req, low, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			b.record(0, history.Info, err.Error(), op)
			done(0, err)
			return
		}
		c := code(r, &op)
		switch {
		case c == kerr.None:
			b.record(0, history.OK, "", op)
		case unclear(c):
			b.record(0, history.Info, c.String(), op)
		default:
			b.record(0, history.Fail, c.String(), op)
		}
		done(c, nil)
	})
}

func (b *base) createTopic(l *link, t TopicSpec, done func(kerr.Code, error)) {
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Name, t.Partitions, max(1, t.Replicas)
	for _, c := range t.Configs {
		k, v, _ := strings.Cut(c, "=")
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, kmsg.StringPtr(v)
		rt.Configs = append(rt.Configs, rc)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
	op := history.Op{Kind: history.CreateTopic, Key: t.Name, Offset: int64(t.Partitions), Meta: strings.Join(t.Configs, ",")}
	b.attempt(l, req, 2, op, func(r kmsg.Response, _ *history.Op) kerr.Code {
		resp := r.(*kmsg.CreateTopicsResponse)
		if len(resp.Topics) != 1 || resp.Topics[0].Topic != t.Name {
			b.caught(0, t.Name, "CreateTopics answers other topics than it was asked for", strconv.Itoa(len(resp.Topics)))
			return kerr.UnknownServerError
		}
		return kerr.Code(resp.Topics[0].ErrorCode)
	}, done)
}

func (b *base) deleteTopic(l *link, name string, done func(kerr.Code, error)) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{name}
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = kmsg.StringPtr(name)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	b.attempt(l, req, 1, history.Op{Kind: history.DeleteTopic, Key: name, Offset: history.NoOffset}, func(r kmsg.Response, _ *history.Op) kerr.Code {
		resp := r.(*kmsg.DeleteTopicsResponse)
		if len(resp.Topics) != 1 {
			b.caught(0, name, "DeleteTopics answers other topics than it was asked for", strconv.Itoa(len(resp.Topics)))
			return kerr.UnknownServerError
		}
		return kerr.Code(resp.Topics[0].ErrorCode)
	}, done)
}

// alterTopic sets one setting of a topic, "name=value"; without a value the topic has it no more.
func (b *base) alterTopic(l *link, topic, set string, done func(kerr.Code, error)) {
	k, v, some := strings.Cut(set, "=")
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = k, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(v)
	if !some {
		c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
	}
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	b.attempt(l, req, 0, history.Op{Kind: history.Alter, Key: topic, Offset: history.NoOffset, Meta: set}, func(r kmsg.Response, _ *history.Op) kerr.Code {
		resp := r.(*kmsg.IncrementalAlterConfigsResponse)
		if len(resp.Resources) != 1 {
			return kerr.UnknownServerError
		}
		return kerr.Code(resp.Resources[0].ErrorCode)
	}, done)
}
