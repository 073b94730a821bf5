package controller

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs decides API 33, v0–2: the given settings replace all that a resource has. Each resource is changed or refused by itself.
//
// UNKNOWN_TOPIC_OR_PARTITION; INVALID_TOPIC_EXCEPTION; INVALID_CONFIG: of a topic, a group or client metrics; INVALID_REQUEST: of a broker, and
// everything else.
func AlterConfigs(c *Context, req *kmsg.AlterConfigsRequest) (kmsg.Response, []metadata.Record) {
	return c.alterConfigs(req, true, req.ValidateOnly)
}

// IncrementalAlterConfigs decides API 44, v0–1: SET and DELETE of any setting, APPEND and SUBTRACT of lists. Errors as AlterConfigs.
func IncrementalAlterConfigs(c *Context, req *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, []metadata.Record) {
	return c.alterConfigs(req, false, req.ValidateOnly)
}

func (c *Context) alterConfigs(req kmsg.Request, replaces, validateOnly bool) (kmsg.Response, []metadata.Record) {
	all := askedOf(req)
	times := timesOf(all)
	bad := make([]refusal, len(all))
	var records []metadata.Record
	for i, a := range all {
		if bad[i] = c.checkChanges(a, times[a.resource]); bad[i].code != kerr.None {
			continue
		}
		old, changes := c.Image.ConfigsOf(a.kind, a.name), a.changes
		for _, x := range old {
			if replaces && !slices.ContainsFunc(changes, func(ch change) bool { return ch.key == x.Key }) {
				changes = append(changes, change{x.Key, kmsg.IncrementalAlterConfigOpDelete, nil})
			}
		}
		var recs []metadata.Record
		recs, bad[i] = c.alter(a.resource, old, changes, len(records))
		records = append(records, recs...)
	}
	if validateOnly {
		records = nil
	}
	return configAnswer(req, func(i int) refusal { return bad[i] }), append(records, c.configured(records)...)
}

// checkChanges refuses what needs no look at present values (ConfigAdminManager.preprocess).
func (c *Context) checkChanges(a asked, times int) refusal {
	if bad := wellFormed(a, times); bad.code != kerr.None {
		return bad
	}
	switch a.kind {
	case metadata.ResourceTopic:
		if text := ValidName(a.name); text != "" {
			return refusal{kerr.InvalidTopicException, text}
		}
		if c.Image.TopicByName(a.name) == nil {
			return refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", a.name)
		}
		return refusal{}
	case metadata.ResourceBroker:
		return c.checkBroker(a.name, a.changes)
	case metadata.ResourceGroup:
		if a.name == "" {
			return refuse(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		return refusal{}
	case metadata.ResourceClientMetrics:
		return refusal{}
	}
	return refuse(kerr.InvalidRequest, "Unknown resource type %d", a.kind)
}

// wellFormed refuses what cannot be meant. times is how often the request names the resource.
func wellFormed(a asked, times int) refusal {
	if times > 1 {
		return refuse(kerr.InvalidRequest, "Each resource must appear at most once.")
	}
	if len(a.changes) > maxRecords {
		return refuse(kerr.PolicyViolation, "Excessively large number of settings per request.")
	}
	keys := make(map[string]bool, len(a.changes))
	var nulls []string
	for _, ch := range a.changes {
		if keys[ch.key] {
			return refuse(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		keys[ch.key] = true
		if ch.value == nil && ch.op != kmsg.IncrementalAlterConfigOpDelete {
			nulls = append(nulls, ch.key)
		}
	}
	if len(nulls) > 0 {
		return refuse(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(nulls, ", "))
	}
	for _, ch := range a.changes {
		if a.kind != metadata.ResourceBrokerLogger && (ch.op < kmsg.IncrementalAlterConfigOpSet || ch.op > kmsg.IncrementalAlterConfigOpSubtract) {
			return refuse(kerr.InvalidRequest, "Unknown operations type %d", ch.op)
		}
	}
	return refusal{}
}

func (c *Context) checkBroker(name string, changes []change) refusal {
	if name != "" {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", name)
		}
		if c.Image.Broker(int32(id)) == nil || fmt.Sprint(id) != name {
			return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", c.Node.NodeID, name)
		}
	}
	for _, ch := range changes {
		if ch.op == kmsg.IncrementalAlterConfigOpDelete {
			continue
		}
		s := config.Broker(ch.key)
		switch {
		case s == nil:
			return refuse(kerr.InvalidRequest, "Unknown broker config name: %s", ch.key)
		case name == "" && s.PerBroker():
			return refuse(kerr.InvalidRequest, "Cannot update these configs at default cluster level, broker id must be specified: [%s]", ch.key)
		case s.ReadOnly() || s.PerBroker(): // listeners and what belongs to them are read at start
			return refuse(kerr.InvalidRequest, "Cannot update these configs dynamically: [%s]", ch.key)
		}
	}
	return refusal{}
}

// alter gives the records of a resource's changes, if what they leave is valid as a whole.
func (c *Context) alter(id resource, old config.Pairs, changes []change, have int) ([]metadata.Record, refusal) {
	next := old
	for _, ch := range changes {
		v, bad := c.apply(id, old, ch)
		if bad.code != kerr.None {
			return nil, bad
		}
		next = next.With(ch.key, v)
	}
	if bad := c.validate(id, next); bad.code != kerr.None {
		return nil, bad
	}
	var out []metadata.Record
	for _, ch := range changes {
		v, set := next.Get(ch.key)
		was, had := old.Get(ch.key)
		if set == had && v == was {
			continue
		}
		r := &metadata.ConfigRecord{ResourceType: id.kind, Name: id.name, Key: ch.key}
		if set {
			r.Value = &v
		}
		out = append(out, r)
	}
	if have+len(out) > maxRecords {
		return nil, refuse(kerr.PolicyViolation, "Excessively large number of settings per request.")
	}
	if bad := c.checkMinISR(id, out); bad.code != kerr.None {
		return nil, bad
	}
	return out, refusal{}
}

// validate refuses what a resource's settings may not be as a whole.
func (c *Context) validate(id resource, next config.Pairs) refusal {
	code, err := kerr.InvalidConfig, error(nil)
	switch id.kind {
	case metadata.ResourceTopic:
		err = config.ValidateTopic(c.Node, next)
	case metadata.ResourceGroup:
		err = config.ValidateGroup(c.Node, next)
	case metadata.ResourceClientMetrics:
		err = config.ValidateClientMetrics(id.name, next)
	default:
		code = kerr.InvalidRequest
		for _, x := range next {
			if s := config.Broker(x.Key); s != nil && err == nil {
				err = s.Check(x.Value)
			}
		}
	}
	var request *config.BadRequest
	if errors.As(err, &request) {
		code = kerr.InvalidRequest
	}
	if err != nil {
		return refusal{code, err.Error()}
	}
	return refusal{}
}

// apply gives the value of a setting after a change, nil for none.
func (c *Context) apply(id resource, old config.Pairs, ch change) (*string, refusal) {
	switch ch.op {
	case kmsg.IncrementalAlterConfigOpSet:
		return ch.value, refusal{}
	case kmsg.IncrementalAlterConfigOpDelete:
		return nil, refusal{}
	}
	verb := "APPEND"
	if ch.op == kmsg.IncrementalAlterConfigOpSubtract {
		verb = "SUBTRACT"
	}
	var s *config.Setting // nil: neither groups nor client metrics have lists that can be changed so
	switch id.kind {
	case metadata.ResourceTopic:
		s = config.ForTopic(ch.key)
	case metadata.ResourceBroker:
		s = config.Broker(ch.key)
	}
	if s == nil || s.Kind != config.List {
		return nil, refuse(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", verb, ch.key)
	}
	list := config.Split(c.present(id, old, s))
	for _, x := range config.Split(*ch.value) {
		i := slices.Index(list, x)
		switch {
		case ch.op == kmsg.IncrementalAlterConfigOpAppend && i < 0:
			list = append(list, x)
		case ch.op == kmsg.IncrementalAlterConfigOpSubtract && i >= 0:
			list = slices.Delete(list, i, i+1)
		}
	}
	v := strings.Join(list, ",")
	return &v, refusal{}
}

// present is the list that APPEND and SUBTRACT start from: what is set, or the default.
func (c *Context) present(id resource, old config.Pairs, s *config.Setting) string {
	if v, ok := old.Get(s.Name); ok {
		return v
	}
	var d []config.Described
	if id.kind == metadata.ResourceTopic {
		d = config.DescribeTopic(c.Node, nil, []string{s.Name})
	} else {
		d = config.DescribeBroker(c.Node, []string{s.Name})
	}
	if len(d) == 1 && d[0].Value != nil {
		return *d[0].Value
	}
	return ""
}
