package controller

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// Names of features.
const (
	FeatureMetadata     = "metadata.version"
	FeatureTransactions = "transaction.version" // the second transaction protocol (KIP-890)
	FeatureGroups       = "group.version"       // the consumer groups of KIP-848
)

// oldestMetadata is the lowest metadata.version that Kafka 4 has.
const oldestMetadata = 7

// Feature is a feature that this version knows (KIP-584), its levels, and the one at which a new cluster has it, 0 if it has not.
type Feature struct {
	Name          string
	Min, Max, New int16
}

// Features are all that there are. Source: Apache Kafka 4.3, for those whose APIs are served.
var Features = []Feature{
	{FeatureGroups, 0, 1, 1},
	{FeatureMetadata, oldestMetadata, 30, 30},
	{FeatureTransactions, 0, 2, 2},
}

// NewFeatures are the records that finalize the features of a new cluster.
func NewFeatures() []metadata.FeatureLevelRecord {
	var out []metadata.FeatureLevelRecord
	for _, f := range Features {
		if f.New > 0 {
			out = append(out, metadata.FeatureLevelRecord{Name: f.Name, Level: f.New})
		}
	}
	return out
}

// silent is what brokers support that do not say so: those built before brokers told it.
var silent = []metadata.FeatureRange{{Name: FeatureMetadata, Min: oldestMetadata, Max: 30}, {Name: FeatureTransactions, Min: 0, Max: 2}}

// TellFeatures says in a registration what this version supports.
func TellFeatures(req *kmsg.BrokerRegistrationRequest) {
	for _, f := range Features {
		x := kmsg.NewBrokerRegistrationRequestFeature()
		x.Name, x.MinSupportedVersion, x.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, x)
	}
}

func toldFeatures(req *kmsg.BrokerRegistrationRequest) (out []metadata.FeatureRange) {
	for i := range req.Features {
		f := &req.Features[i]
		out = append(out, metadata.FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion})
	}
	return out
}

// rangeOf gives the levels of a feature that ranges allow; 0 alone if they do not name it.
func rangeOf(ranges []metadata.FeatureRange, name string) metadata.FeatureRange {
	if ranges == nil {
		ranges = silent
	}
	for _, f := range ranges {
		if f.Name == name {
			return f
		}
	}
	return metadata.FeatureRange{Name: name}
}

// checkFeatures refuses a broker that does not work at a level that is finalized, or only at one that is not.
func (c *Context) checkFeatures(ranges []metadata.FeatureRange) kerr.Code {
	for _, r := range ranges {
		if level := c.level(r.Name); level < r.Min || level > r.Max {
			return kerr.UnsupportedVersion
		}
	}
	for _, f := range c.Image.Features() {
		if r := rangeOf(ranges, f.Name); f.Level < r.Min || f.Level > r.Max {
			return kerr.UnsupportedVersion
		}
	}
	return kerr.None
}

// level is what a feature is finalized at; of metadata.version at least the lowest that there is.
func (c *Context) level(name string) int16 {
	for _, f := range c.Image.Features() {
		if f.Name == name {
			return f.Level
		}
	}
	if name == FeatureMetadata {
		return oldestMetadata
	}
	return 0
}

// Kinds of an update (FeatureUpdate.UpgradeType).
const (
	upgrade         int8 = 1
	safeDowngrade   int8 = 2
	unsafeDowngrade int8 = 3
)

// UpdateFeatures decides API 57, v0–2 (KIP-584, KIP-778): all updates or none. Before v1 each is an upgrade, whatever it allows.
//
// INVALID_UPDATE_VERSION: a level that this controller or a registered broker does not support, a downgrade that does not say so, any downgrade of
// metadata.version.
func UpdateFeatures(c *Context, req *kmsg.UpdateFeaturesRequest) (*kmsg.UpdateFeaturesResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	var records []metadata.Record
	for i := range req.FeatureUpdates {
		u := req.FeatureUpdates[i]
		if req.Version == 0 {
			u.UpgradeType = upgrade
		}
		if bad := c.checkUpdate(&u); bad.code != kerr.None {
			bad.text = "The update failed for all features since the following feature had an error: " + bad.text
			resp.ErrorCode, resp.ErrorMessage, resp.Results = int16(bad.code), bad.message(), nil
			return resp, nil
		}
		records = append(records, &metadata.FeatureLevelRecord{Name: u.Feature, Level: u.MaxVersionLevel})
		if req.Version < 2 {
			x := kmsg.NewUpdateFeaturesResponseResult()
			x.Feature, x.ErrorMessage = u.Feature, kmsg.StringPtr("NONE")
			resp.Results = append(resp.Results, x)
		}
	}
	if req.ValidateOnly {
		records = nil
	}
	return resp, records
}

// checkUpdate refuses one update (FeatureControlManager.updateFeature).
func (c *Context) checkUpdate(u *kmsg.UpdateFeaturesRequestFeatureUpdate) refusal {
	invalid := func(format string, args ...any) refusal {
		return refuse(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s", u.MaxVersionLevel, u.Feature, fmt.Sprintf(format, args...))
	}
	if u.UpgradeType < upgrade || u.UpgradeType > unsafeDowngrade {
		return invalid("The controller does not support the given upgrade type.")
	}
	if u.MaxVersionLevel < 0 {
		return invalid("A feature version cannot be less than 0.")
	}
	if why := c.unsupported(u.Feature, u.MaxVersionLevel); why != "" {
		return invalid("%s", why)
	}
	now := c.level(u.Feature)
	switch {
	case u.MaxVersionLevel < now && u.UpgradeType == upgrade:
		return invalid("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case u.MaxVersionLevel > now && u.UpgradeType != upgrade:
		return invalid("Can't downgrade to a newer version.")
	case !slices.ContainsFunc(Features, func(f Feature) bool { return f.Name == u.Feature }):
		return invalid("Feature %s not found.", u.Feature)
	case u.Feature != FeatureMetadata || u.MaxVersionLevel >= now:
		return refusal{}
	}
	why := "Refusing to perform the requested downgrade because it might delete metadata information."
	if u.UpgradeType == unsafeDowngrade {
		why = "Unsafe metadata downgrade is not supported in this version."
	}
	return refuse(kerr.InvalidUpdateVersion, "Unsupported metadata.version downgrade from %d to %d. %s", now, u.MaxVersionLevel, why)
}

// unsupported says which node does not work at a level, "" if all do.
func (c *Context) unsupported(name string, level int16) string {
	own := metadata.FeatureRange{Name: name}
	for _, f := range Features {
		if f.Name == name {
			own.Min, own.Max = f.Min, f.Max
		}
	}
	if why := outside(own, level); why != "" {
		return fmt.Sprintf("Local controller %d %s", c.Node.NodeID, why)
	}
	for _, b := range c.Image.Brokers() {
		if why := outside(rangeOf(b.Features, name), level); why != "" {
			return fmt.Sprintf("Broker %d %s", b.ID, why)
		}
	}
	return ""
}

func outside(r metadata.FeatureRange, level int16) string {
	switch {
	case level >= r.Min && level <= r.Max:
		return ""
	case r.Max == 0:
		return "does not support this feature."
	}
	return fmt.Sprintf("only supports versions %d-%d", r.Min, r.Max)
}
