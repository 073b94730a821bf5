package controller

import "github.com/seedlog/seedlog/core/metadata"

// Names of features.
const (
	FeatureMetadata     = "metadata.version"
	FeatureTransactions = "transaction.version" // the second transaction protocol (KIP-890)
	FeatureGroups       = "group.version"       // the consumer groups of KIP-848
)

// Feature is a feature that this version knows (KIP-584), its levels, and the one at which a new cluster has it, 0 if it has not.
type Feature struct {
	Name          string
	Min, Max, New int16
}

// Features are all that there are. Source: Apache Kafka 4.3, for those whose APIs are served.
var Features = []Feature{
	{FeatureGroups, 0, 1, 1},
	{FeatureMetadata, 7, 30, 30},
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
