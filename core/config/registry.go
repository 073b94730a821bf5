package config

import (
	"slices"
	"strings"
)

// Kind is the type of a setting's value, numbered as in DescribeConfigs (ConfigResponse.ConfigType).
type Kind int8

// The kinds.
const (
	Boolean Kind = iota + 1
	String
	Int
	Short
	Long
	Double
	List
	Class
	Password
)

// Flags of a Setting.
type Flags uint8

// The flags.
const (
	null      Flags = 1 << iota // the default is no value
	internal                    // not shown to clients unless it is set
	cluster                     // AlterConfigs may set it for all brokers, or for one
	perBroker                   // AlterConfigs may set it for one broker only
	supported                   // it does something here
)

// Setting is one name that the broker knows.
type Setting struct {
	Name    string
	Kind    Kind
	Default string // "" with flag null: no value
	Rule    string // which values are allowed: "" all of the kind, "1..", "0..1", "a|b", "any case: a|b", "nonempty", "1..9 or -1", "replicas", "reset"
	Flags   Flags
	Doc     string
}

// Supported says whether the setting does something.
func (s *Setting) Supported() bool { return s.Flags&supported != 0 }

// ReadOnly says that AlterConfigs cannot change it (of a broker; every topic setting can be changed).
func (s *Setting) ReadOnly() bool { return s.Flags&(cluster|perBroker) == 0 }

// Sensitive says that its value is never shown.
func (s *Setting) Sensitive() bool { return s.Kind == Password }

// Broker gives a broker setting, or nil.
func Broker(name string) *Setting { return brokerIndex[name] }

// ForTopic gives a topic setting, or nil.
func ForTopic(name string) *Setting { return topicIndex[name] }

var (
	allBroker   = sorted(brokerSettings, ownSettings)
	allTopic    = sorted(topicSettings)
	brokerIndex = index(allBroker)
	topicIndex  = index(allTopic)
)

func sorted(tables ...[]Setting) []*Setting {
	var all []*Setting
	for _, t := range tables {
		for i := range t {
			all = append(all, &t[i])
		}
	}
	slices.SortFunc(all, func(a, b *Setting) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func index(all []*Setting) map[string]*Setting {
	m := make(map[string]*Setting, len(all))
	for _, s := range all {
		m[s.Name] = s
	}
	return m
}

// topicSynonyms gives for each topic setting the broker settings that are its default, strongest first, with the factor to the
// topic's unit (ServerTopicConfigSynonyms).
var topicSynonyms = map[string][]synonym{
	"cleanup.policy":                  {{"log.cleanup.policy", 1}},
	"compression.gzip.level":          {{"compression.gzip.level", 1}},
	"compression.lz4.level":           {{"compression.lz4.level", 1}},
	"compression.type":                {{"compression.type", 1}},
	"compression.zstd.level":          {{"compression.zstd.level", 1}},
	"delete.retention.ms":             {{"log.cleaner.delete.retention.ms", 1}},
	"file.delete.delay.ms":            {{"log.segment.delete.delay.ms", 1}},
	"flush.messages":                  {{"log.flush.interval.messages", 1}},
	"flush.ms":                        {{"log.flush.interval.ms", 1}, {"log.flush.scheduler.interval.ms", 1}},
	"index.interval.bytes":            {{"log.index.interval.bytes", 1}},
	"internal.segment.bytes":          {{"internal.log.segment.bytes", 1}},
	"local.retention.bytes":           {{"log.local.retention.bytes", 1}},
	"local.retention.ms":              {{"log.local.retention.ms", 1}},
	"max.compaction.lag.ms":           {{"log.cleaner.max.compaction.lag.ms", 1}},
	"max.message.bytes":               {{"message.max.bytes", 1}},
	"message.timestamp.after.max.ms":  {{"log.message.timestamp.after.max.ms", 1}},
	"message.timestamp.before.max.ms": {{"log.message.timestamp.before.max.ms", 1}},
	"message.timestamp.type":          {{"log.message.timestamp.type", 1}},
	"min.cleanable.dirty.ratio":       {{"log.cleaner.min.cleanable.ratio", 1}},
	"min.compaction.lag.ms":           {{"log.cleaner.min.compaction.lag.ms", 1}},
	"min.insync.replicas":             {{"min.insync.replicas", 1}},
	"preallocate":                     {{"log.preallocate", 1}},
	"retention.bytes":                 {{"log.retention.bytes", 1}},
	"retention.ms":                    {{"log.retention.ms", 1}, {"log.retention.minutes", 60_000}, {"log.retention.hours", 3_600_000}},
	"segment.bytes":                   {{"log.segment.bytes", 1}},
	"segment.index.bytes":             {{"log.index.size.max.bytes", 1}},
	"segment.jitter.ms":               {{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", 3_600_000}},
	"segment.ms":                      {{"log.roll.ms", 1}, {"log.roll.hours", 3_600_000}},
	"unclean.leader.election.enable":  {{"unclean.leader.election.enable", 1}},
}

type synonym struct {
	name   string
	factor int64
}

// brokerSynonyms gives the names that are tried for a broker setting, strongest first; most settings have only their own.
func brokerSynonyms(name string) []string {
	for _, family := range families {
		for i, n := range family {
			if n == name && (i == 0 || name != "log.flush.scheduler.interval.ms") {
				return family
			}
		}
	}
	return []string{name}
}

var families = [][]string{
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
}

// PerBroker says that AlterConfigs may set it for one broker only, not for all.
func (s *Setting) PerBroker() bool { return s.Flags&perBroker != 0 }
