package consumer

import (
	"slices"

	"github.com/seedlog/seedlog/core/group/assign"
)

// Migration is group.consumer.migration.policy: which groups may change their protocol while they have members.
type Migration uint8

// The policies.
const (
	Disabled Migration = iota
	Upgrade
	Downgrade
	Bidirectional
)

// MayUpgrade says whether a classic group may become one of the consumer protocol.
func (m Migration) MayUpgrade() bool { return m == Upgrade || m == Bidirectional }

// MayDowngrade says the reverse.
func (m Migration) MayDowngrade() bool { return m == Downgrade || m == Bidirectional }

// Config is the settings of consumer groups, by Kafka's names.
type Config struct {
	Default         Settings
	MaxSize         int32    // group.consumer.max.size, members
	Assignors       []string // group.consumer.assignors, of those that there are; the first is the default
	Migration       Migration
	RegexRefreshMS  int64                                   // group.consumer.regex.refresh.interval.ms
	OfGroup         func(group string, s Settings) Settings // what the group's own settings make of the default; nil: nothing
	RegexIntervalMS int64                                   // at the least between two resolutions of one group's regular expressions
}

// Settings are what one group may have of its own (KIP-848).
type Settings struct {
	SessionTimeoutMS     int32 // consumer.session.timeout.ms
	HeartbeatIntervalMS  int32 // consumer.heartbeat.interval.ms
	AssignmentIntervalMS int32 // consumer.assignment.interval.ms: at the least between two targets (KIP-1263)
}

// DefaultConfig gives Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		Default: Settings{SessionTimeoutMS: 45000, HeartbeatIntervalMS: 5000, AssignmentIntervalMS: 1000},
		MaxSize: 1<<31 - 1, Assignors: []string{"uniform", "range"}, Migration: Bidirectional, RegexRefreshMS: 10 * 60 * 1000, RegexIntervalMS: 10_000,
	}
}

// Of gives the settings of one group.
func (c *Config) Of(group string) Settings {
	if c.OfGroup == nil {
		return c.Default
	}
	return c.OfGroup(group, c.Default)
}

// Supports says whether a client may ask for an assignor.
func (c *Config) Supports(assignor string) bool { return slices.Contains(c.Assignors, assignor) }

// builtin gives an assignor by name, uniform if there is none of that name.
func builtin(name string) assign.Assignor {
	if name == "range" {
		return assign.Range
	}
	return assign.Uniform
}
