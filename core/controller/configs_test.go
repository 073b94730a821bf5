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
