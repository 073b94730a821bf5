package controller

import (
	"slices"
	"strconv"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs answers API 32, v1–4, from a broker's own settings, image and log level; any broker can. It changes nothing.
//
// UNKNOWN_TOPIC_OR_PARTITION; INVALID_TOPIC_EXCEPTION; INVALID_REQUEST: another broker, a name that is empty; for all that is asked, if one is of a
// kind that has no settings.
func DescribeConfigs(n *config.Node, img *metadata.Image, logLevel string, req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	strange := slices.ContainsFunc(req.Resources, func(r kmsg.DescribeConfigsRequestResource) bool { return !configurable(int8(r.ResourceType)) })
	for i := range req.Resources {
		r := &req.Resources[i]
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		var found []config.Described
		bad := refusal{kerr.InvalidRequest, malformed}
		if !strange {
			found, bad = describe(n, img, logLevel, r)
		}
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

// malformed is what Kafka says of a request that it refuses as a whole without a better reason (Errors.INVALID_REQUEST).
const malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."

// configurable says whether resources of a kind have settings.
func configurable(kind int8) bool {
	switch kind {
	case metadata.ResourceTopic, metadata.ResourceBroker, metadata.ResourceBrokerLogger, metadata.ResourceClientMetrics, metadata.ResourceGroup:
		return true
	}
	return false
}

func describe(n *config.Node, img *metadata.Image, logLevel string, r *kmsg.DescribeConfigsRequestResource) ([]config.Described, refusal) {
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
	case metadata.ResourceClientMetrics:
		if r.ResourceName == "" {
			return nil, refuse(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(img.ConfigsOf(metadata.ResourceClientMetrics, r.ResourceName), r.ConfigNames), refusal{}
	case metadata.ResourceGroup:
		if r.ResourceName == "" {
			return nil, refuse(kerr.InvalidRequest, "Group name must not be empty")
		}
		return config.DescribeGroup(n, img.ConfigsOf(metadata.ResourceGroup, r.ResourceName), r.ConfigNames), refusal{}
	case metadata.ResourceBrokerLogger:
		if r.ResourceName == "" {
			return nil, refuse(kerr.InvalidRequest, "Broker id must not be empty")
		}
		if bad := describedHere(n, r.ResourceName, ""); bad.code != kerr.None {
			return nil, bad
		}
		return describedLoggers(logLevel, r.ConfigNames), refusal{}
	}
	assert.Never("controller: settings of a resource that has none")
	return nil, refusal{}
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
