package client

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
)

// throttle has all replicas of a topic throttled, and every broker send and fetch so much of it a second (KIP-73); its end takes both back.
func (o *Operator) throttle(x *Order, w *world) {
	rate, name := w.src.Between(1, 50), o.altered[x.B]
	if w.src.Permille(700) {
		rate = w.src.Between(100, 20000)
	}
	switch {
	case x.Undo && name == "":
		o.over("")
		return
	case x.Undo:
		rate = 0
	default:
		t := w.pick(x.A)
		if c := w.topic(offsetsTopic); x.A < 0 && c != nil {
			t = c
		}
		if t == nil {
			o.again()
			return
		}
		name = t.name
		o.altered[x.B] = name
	}
	o.setThrottle(name, rate, func(c kerr.Code, err error) {
		if err != nil && !x.Undo {
			o.slowed = append(o.slowed, name)
		}
		o.settled(c, err, fmt.Sprintf("%s: replication throttled to %d bytes a second", name, rate))
	})
}

// setThrottle sets what a topic's replicas are throttled to, 0: they are not.
func (o *Operator) setThrottle(topic string, rate int64, done func(kerr.Code, error)) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	add := func(t kmsg.ConfigResourceType, name, value string, settings ...string) {
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = t, name
		for _, s := range settings {
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Op, c.Value = s, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(value)
			if rate == 0 {
				c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
			}
			res.Configs = append(res.Configs, c)
		}
		req.Resources = append(req.Resources, res)
	}
	add(kmsg.ConfigResourceTypeTopic, topic, "*", "leader.replication.throttled.replicas", "follower.replication.throttled.replicas")
	add(kmsg.ConfigResourceTypeBroker, "", fmt.Sprint(rate), "leader.replication.throttled.rate", "follower.replication.throttled.rate")
	o.link.ask(req, 0, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			done(kerr.None, err)
			return
		}
		code := kerr.None
		for _, x := range r.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			gone := kerr.Code(x.ErrorCode) == kerr.UnknownTopicOrPartition && rate == 0 // the topic is, and the brokers' rates must go
			if x.ErrorCode != 0 && !gone {
				code = kerr.Code(x.ErrorCode)
				o.heard(topic, code, x.ErrorMessage)
			}
		}
		done(code, nil)
	})
}

// heard notes an answer to a throttle that no order explains.
func (o *Operator) heard(topic string, c kerr.Code, text *string) {
	if c == kerr.InvalidConfig || c == kerr.InvalidRequest {
		o.caught(0, topic, "a throttle is refused", strings.Join([]string{c.String(), kmsgText(text)}, ": "))
	}
}

func kmsgText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
