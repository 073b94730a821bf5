package controller

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// raising asks for one upgrade.
func raising(feature string, level int16) *kmsg.UpdateFeaturesRequest {
	q := kmsg.NewPtrUpdateFeaturesRequest()
	q.Version = 2
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.UpgradeType = feature, level, upgrade
	q.FeatureUpdates = append(q.FeatureUpdates, u)
	return q
}

func TestALevelThatSomeBrokerDoesNotSupportIsRefused(t *testing.T) {
	all := []metadata.FeatureRange{{Name: FeatureGroups, Max: 1}, {Name: FeatureTransactions, Max: 1}}
	p := newPeer(t)
	p.fold([]metadata.Record{&metadata.RegisterBrokerRecord{NodeID: 1, BrokerEpoch: -1, LogDirs: [][16]byte{{9}}, Features: all},
		&metadata.RegisterBrokerRecord{NodeID: 2, BrokerEpoch: -1, LogDirs: [][16]byte{{8}}}})
	c := &Context{Image: p.img, Node: p.node}
	const head = "The update failed for all features since the following feature had an error: Invalid update version "
	for _, x := range []struct {
		feature string
		level   int16
		text    string
	}{
		{FeatureGroups, 1, head + "1 for feature group.version. Broker 2 does not support this feature."}, // it is of a version that said nothing
		{FeatureTransactions, 2, head + "2 for feature transaction.version. Broker 1 only supports versions 0-1"},
		{FeatureTransactions, 1, ""},
		{FeatureMetadata, 30, head + "30 for feature metadata.version. Broker 1 does not support this feature."},
	} {
		got, records := UpdateFeatures(c, raising(x.feature, x.level))
		text := ""
		if got.ErrorMessage != nil {
			text = *got.ErrorMessage
		}
		if text != x.text || (len(records) == 1) != (text == "") {
			t.Errorf("%s to %d: %q, want %q; %d records", x.feature, x.level, text, x.text, len(records))
		}
	}
}

func TestABrokerThatDoesNotSupportWhatIsFinalizedIsNotRegistered(t *testing.T) {
	c := newCluster(t, 1)
	if r := do[*kmsg.UpdateFeaturesResponse](c, raising(FeatureTransactions, 2)); r.ErrorCode != 0 {
		t.Fatalf("%v %s", kerr.Code(r.ErrorCode), *r.ErrorMessage)
	}
	told := func(name string, max int16) func(*kmsg.BrokerRegistrationRequest) {
		return func(q *kmsg.BrokerRegistrationRequest) {
			q.Features = []kmsg.BrokerRegistrationRequestFeature{{Name: FeatureMetadata, MinSupportedVersion: 1, MaxSupportedVersion: 30}, {Name: name, MaxSupportedVersion: max}}
		}
	}
	want(t, "one that does not name it", c.register(2, -1, told(FeatureGroups, 1)), kerr.UnsupportedVersion)
	want(t, "one that is too old", c.register(2, -1, told(FeatureTransactions, 1)), kerr.UnsupportedVersion)
	want(t, "one that supports it", c.register(2, -1, told(FeatureTransactions, 2)), kerr.None)
	if got := c.img().Broker(2).Features; len(got) != 2 || got[1] != (metadata.FeatureRange{Name: FeatureTransactions, Max: 2}) {
		t.Errorf("the image says %v", got)
	}
	want(t, "one of before brokers said so", c.register(3, -1), kerr.None)
}
