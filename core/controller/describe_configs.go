package controller

import (
	"slices"
	"strconv"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs answers API 32, v1–4, from a broker's own settings and image; any broker can. It changes nothing.
//
// UNKNOWN_TOPIC_OR_PARTITION; INVALID_TOPIC_EXCEPTION; INVALID_REQUEST: another broker, or a kind of resource that is not known.
func DescribeConfigs(n *config.Node, img *metadata.Image, req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range req.Resources {
		r := &req.Resources[i]
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		found, bad := describe(n, img, r)
		out.ErrorCode = int16(bad.code)
		out.ErrorMessage = kmsg.StringPtr(bad.text)
		out.Configs = make([]kmsg.DescribeConfigsResponseResourceConfig, 0, len(found))
		for j := range found {
			out.Configs = append(out.Configs, described(&found[j], req))
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func describe(n *config.Node, img *metadata.Image, r *kmsg.DescribeConfigsRequestResource) ([]config.Described, refusal) {
	switch int8(r.ResourceType) {
	case metadata.ResourceTopic:
		if text := ValidName(r.ResourceName); text != "" {
			return nil, refusal{kerr.InvalidTopicException, text}
		}
		t := img.TopicByName(r.ResourceName)
		if t == nil {
			return nil, refusal{code: kerr.UnknownTopicOrPartition}
		}
		return config.DescribeTopic(n, t.Configs, r.ConfigNames), refusal{}
	case metadata.ResourceBroker:
		if r.ResourceName == "" {
			return config.DescribeClusterDefault(n, r.ConfigNames), refusal{}
		}
		if bad := describedHere(n, r.ResourceName, " or empty string,"); bad.code != kerr.None {
			return nil, bad
		}
		return config.DescribeBroker(n, r.ConfigNames), refusal{}
	case resourceLogger:
		if r.ResourceName == "" {
			return nil, refuse(kerr.InvalidRequest, "Broker id must not be empty")
		}
		if bad := describedHere(n, r.ResourceName, ""); bad.code != kerr.None {
			return nil, bad
		}
		return loggers(r.ConfigNames), refusal{}
	}
	return nil, refuse(kerr.InvalidRequest, "Unsupported resource type: %d", r.ResourceType)
}

// describedHere refuses to describe another broker. or is what the resource's name may be besides this broker's id.
func describedHere(n *config.Node, name, or string) refusal {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return refuse(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	}
	if int32(id) != n.NodeID {
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d%s but received %s", n.NodeID, or, name)
	}
	return refusal{}
}

// loggers are those of this broker: one, which writes lines of INFO and above and cannot be changed.
func loggers(names []string) []config.Described {
	if len(names) > 0 && !slices.Contains(names, "root") {
		return nil
	}
	level := "INFO"
	return []config.Described{{Name: "root", Value: &level, ReadOnly: true, Source: config.DynamicBrokerLogger}}
}

func described(d *config.Described, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	x := kmsg.NewDescribeConfigsResponseResourceConfig()
	x.Name, x.Value, x.ReadOnly, x.IsSensitive = d.Name, d.Value, d.ReadOnly, d.Sensitive
	x.Source, x.ConfigType = kmsg.ConfigSource(d.Source), kmsg.ConfigType(d.Kind)
	x.IsDefault = d.Source == config.Default
	x.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if req.IncludeSynonyms {
		for _, s := range d.Synonyms {
			y := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			y.Name, y.Value, y.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			x.ConfigSynonyms = append(x.ConfigSynonyms, y)
		}
	}
	if req.IncludeDocumentation {
		x.Documentation = kmsg.StringPtr(d.Doc)
	}
	return x
}
