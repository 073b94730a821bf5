package controller

import (
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// changing is a request of one change of one setting; nil deletes it.
func changing(kind kmsg.ConfigResourceType, name, key string, value *string) *kmsg.IncrementalAlterConfigsRequest {
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Version = 1
	q.Resources = append(q.Resources, changed(kind, name, key, value))
	return q
}

func changed(kind kmsg.ConfigResourceType, name, key string, value *string) kmsg.IncrementalAlterConfigsRequestResource {
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kind, name
	y := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	y.Name, y.Value = key, value
	if value == nil {
		y.Op = kmsg.IncrementalAlterConfigOpDelete
	}
	x.Configs = append(x.Configs, y)
	return x
}

func TestARefusedChangeOfMinInsyncReplicasChangesNothing(t *testing.T) {
	c := newCluster(t, 3, "min.insync.replicas=2")
	for name, q := range map[string]*kmsg.IncrementalAlterConfigsRequest{
		"taken away":   changing(kmsg.ConfigResourceTypeBroker, "", minISR, nil),
		"of one alone": changing(kmsg.ConfigResourceTypeBroker, "1", minISR, s("1")),
	} {
		before := slices.Clone(c.img().Resources())
		got := do[*kmsg.IncrementalAlterConfigsResponse](c, q).Resources[0]
		want(t, name, kerr.Code(got.ErrorCode), kerr.InvalidConfig)
		if v, _ := c.img().ConfigsOf(metadata.ResourceBroker, "").Get(minISR); v != "2" || len(c.img().Resources()) != len(before) {
			t.Errorf("%s: was refused, and min.insync.replicas of the cluster is %q; %d resources have settings, before %d", name, v, len(c.img().Resources()), len(before))
		}
	}
}

func TestABrokerRefusesWhatConcernsAnotherBrokerAndTheRestIsDecided(t *testing.T) {
	c := newCluster(t, 3)
	c.topic("a", []int32{1, 2, 3})
	q := changing(kmsg.ConfigResourceTypeBroker, "2", "log.retention.ms", s("1000")) // broker 1 is asked
	q.Resources = append(q.Resources,
		changed(kmsg.ConfigResourceTypeTopic, "a", "retention.ms", s("2000")),
		changed(kmsg.ConfigResourceTypeBrokerLogger, "1", "root", s("DEBUG")),
		changed(kmsg.ConfigResourceTypeBroker, "1", "log.retention.ms", s("3000")),
		changed(kmsg.ConfigResourceTypeTopic, "none", "retention.ms", s("4000")),
		changed(kmsg.ConfigResourceTypeBroker, "x", "log.retention.ms", s("5000")),
		changed(kmsg.ConfigResourceTypeBrokerLogger, "2", "root", s("DEBUG")))
	p := Preprocess(c.m.node, q)
	resp := p.Answer(do[*kmsg.IncrementalAlterConfigsResponse](c, p.Rest)).(*kmsg.IncrementalAlterConfigsResponse)
	for i, want := range []struct {
		code kerr.Code
		text string
	}{
		{kerr.InvalidRequest, "Unexpected broker id, expected 1, but received 2"},
		{},
		{},
		{},
		{kerr.UnknownTopicOrPartition, "The topic 'none' does not exist."},
		{kerr.InvalidRequest, "Node id must be an integer, but it is: x"},
		{kerr.InvalidRequest, "Unexpected node id. Expected 1, but received 2"},
	} {
		got := resp.Resources[i]
		if got.ResourceName != q.Resources[i].ResourceName || got.ResourceType != q.Resources[i].ResourceType || kerr.Code(got.ErrorCode) != want.code || want.text != "" && *got.ErrorMessage != want.text {
			t.Errorf("resource %d: want %v %q, got %+v", i, want.code, want.text, got)
		}
	}
	if v, _ := c.img().ConfigsOf(metadata.ResourceBroker, "1").Get("log.retention.ms"); v != "3000" {
		t.Errorf("of broker 1: %q", v)
	}
	if got := c.img().ConfigsOf(metadata.ResourceBroker, "2"); len(got) != 0 {
		t.Errorf("of broker 2: %v", got)
	}
	if v, _ := c.img().TopicByName("a").Configs.Get("retention.ms"); v != "2000" {
		t.Errorf("of the topic: %q", v)
	}
	if p.LogLevel != "DEBUG" {
		t.Errorf("the log level is to be %q", p.LogLevel)
	}
	dry := changing(kmsg.ConfigResourceTypeBrokerLogger, "1", "root", s("WARN"))
	dry.ValidateOnly = true
	if p := Preprocess(c.m.node, dry); p.Rest != nil || p.LogLevel != "" {
		t.Errorf("a dry run is to set the log level to %q", p.LogLevel)
	}
	if p := Preprocess(c.m.node, changing(kmsg.ConfigResourceTypeBroker, "2", "log.retention.ms", s("1"))); p.Rest != nil {
		t.Error("the controller is asked for nothing")
	}
	if q := changing(kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", s("1")); Preprocess(c.m.node, q).Rest != kmsg.Request(q) {
		t.Error("a request that no broker refuses is copied")
	}
}

func TestWhatNoControllerDecidedSaysWhatMayBeDone(t *testing.T) {
	topic := kmsg.NewPtrCreateTopicsRequest()
	topic.Topics = append(topic.Topics, kmsg.NewCreateTopicsRequestTopic())
	gone := kmsg.NewPtrDeleteTopicsRequest()
	gone.Version, gone.Topics = 6, append(gone.Topics, kmsg.NewDeleteTopicsRequestTopic())
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.Topics = append(more.Topics, kmsg.NewCreatePartitionsRequestTopic())
	for _, code := range []kerr.Code{kerr.NotController, kerr.RequestTimedOut, kerr.ThrottlingQuotaExceeded, kerr.KafkaStorageError} {
		for _, text := range []*string{
			Refuse(topic, code).(*kmsg.CreateTopicsResponse).Topics[0].ErrorMessage,
			Refuse(gone, code).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorMessage,
			Refuse(more, code).(*kmsg.CreatePartitionsResponse).Topics[0].ErrorMessage,
			Refuse(changing(4, "", "k", nil), code).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorMessage,
			Refuse(kmsg.NewPtrAlterPartitionAssignmentsRequest(), code).(*kmsg.AlterPartitionAssignmentsResponse).ErrorMessage,
			Refuse(kmsg.NewPtrListPartitionReassignmentsRequest(), code).(*kmsg.ListPartitionReassignmentsResponse).ErrorMessage,
			Refuse(kmsg.NewPtrUnregisterBrokerRequest(), code).(*kmsg.UnregisterBrokerResponse).ErrorMessage,
			Refuse(kmsg.NewPtrUpdateFeaturesRequest(), code).(*kmsg.UpdateFeaturesResponse).ErrorMessage,
			Refuse(kmsg.NewPtrDescribeQuorumRequest(), code).(*kmsg.DescribeQuorumResponse).ErrorMessage,
		} {
			if text == nil || *text == "" {
				t.Errorf("code %d has no text", code)
			}
		}
	}
}
