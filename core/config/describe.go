package config

import "strings"

// Source says where a value comes from (DescribeConfigsResponse.ConfigSource).
type Source int8

// The sources.
const (
	Unknown              Source = 0
	DynamicTopic         Source = 1
	DynamicBroker        Source = 2
	DynamicDefaultBroker Source = 3
	StaticBroker         Source = 4
	Default              Source = 5
	DynamicBrokerLogger  Source = 6
	ClientMetricsConfig  Source = 7
	GroupConfig          Source = 8
)

// Synonym is one place that a setting's value could come from.
type Synonym struct {
	Name   string
	Value  *string // nil: sensitive
	Source Source
}

// Described is one setting as DescribeConfigs answers it. Before v1 its Default is Source == Default.
type Described struct {
	Name      string
	Value     *string // nil: none, or sensitive
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Kind      Kind
	Synonyms  []Synonym // strongest first
	Doc       string
}

// DescribeTopic gives every setting of a topic by name, or those of keys if there are any.
func DescribeTopic(n *Node, overrides Pairs, keys []string) []Described {
	var out []Described
	for _, s := range allTopic {
		own, isOwn := overrides.Get(s.Name)
		if !wanted(keys, s.Name) || s.Flags&internal != 0 && !isOwn {
			continue
		}
		d := Described{Name: s.Name, Kind: s.Kind, Sensitive: s.Sensitive(), Doc: s.Doc}
		if isOwn && s.Check(own) == nil {
			v := s.canonical(own)
			d.Value = show(s, v)
			d.Synonyms = append(d.Synonyms, Synonym{s.Name, d.Value, DynamicTopic})
		} else {
			d.Value = show(s, n.topicDefault(s))
		}
		if syn := topicSynonyms[s.Name]; len(syn) > 0 {
			d.Synonyms = append(d.Synonyms, n.synonyms(Broker(syn[0].name))...)
		}
		d.Source = first(d.Synonyms)
		out = append(out, d)
	}
	return out
}

// DescribeCreated gives the settings of a topic as the answer to CreateTopics carries them, from v5 on. Unlike DescribeTopic it says
// of a value that log.retention.hours gave that it is the broker's (KafkaConfigSchema.resolveEffectiveTopicConfigs).
func DescribeCreated(n *Node, overrides Pairs) []Described {
	out := DescribeTopic(n, overrides, nil)
	for i := range out {
		if out[i].Source == DynamicTopic {
			v, _ := overrides.Get(out[i].Name)
			out[i].Value = &v
			continue
		}
		out[i].Source = n.sourceOf(out[i].Name)
	}
	return out
}

// sourceOf gives the strongest layer that any synonym of a topic setting is set in.
func (n *Node) sourceOf(topicSetting string) Source {
	for _, layer := range n.layers() {
		for _, syn := range topicSynonyms[topicSetting] {
			if _, ok := layer.pairs.Get(syn.name); ok {
				return layer.source
			}
		}
	}
	return Default
}

type layer struct {
	pairs  Pairs
	source Source
}

func (n *Node) layers() [3]layer {
	return [3]layer{{n.dynamic, DynamicBroker}, {n.dynamicDefault, DynamicDefaultBroker}, {n.static, StaticBroker}}
}

// DescribeBroker gives every setting of this broker by name, or those of keys if there are any.
func DescribeBroker(n *Node, keys []string) []Described {
	var out []Described
	for _, s := range allBroker {
		if !wanted(keys, s.Name) {
			continue
		}
		v, ok := n.value(s)
		syn := n.synonyms(s)
		src := first(syn)
		if s.Flags&internal != 0 && src == Default {
			continue
		}
		d := Described{Name: s.Name, Source: src, ReadOnly: s.ReadOnly(), Sensitive: s.Sensitive(), Kind: s.Kind, Synonyms: syn, Doc: s.Doc}
		if ok {
			d.Value = show(s, v)
		}
		out = append(out, d)
	}
	return out
}

// DescribeClusterDefault gives what AlterConfigs set for all brokers: the answer for a broker resource without a name.
func DescribeClusterDefault(n *Node, keys []string) []Described {
	var out []Described
	for _, x := range n.dynamicDefault {
		if s := Broker(x.Key); wanted(keys, x.Key) {
			v := show(s, s.canonical(x.Value))
			out = append(out, Described{Name: x.Key, Value: v, Source: DynamicDefaultBroker, ReadOnly: s.ReadOnly(), Sensitive: s.Sensitive(),
				Kind: s.Kind, Synonyms: []Synonym{{x.Key, v, DynamicDefaultBroker}}, Doc: s.Doc})
		}
	}
	return out
}

func wanted(keys []string, name string) bool {
	for _, k := range keys {
		if k == name {
			return true
		}
	}
	return len(keys) == 0
}

func show(s *Setting, v string) *string {
	if s.Sensitive() {
		return nil
	}
	return &v
}

func first(syn []Synonym) Source {
	if len(syn) == 0 {
		return Default
	}
	return syn[0].Source
}

// synonyms gives all values that a broker setting's family has, strongest first, from the first of the setting's own name on
// (ConfigHelper.configSynonyms): so a topic's retention.ms names no source where only log.retention.hours gave it.
func (n *Node) synonyms(s *Setting) []Synonym {
	family := brokerSynonyms(s.Name)
	var out []Synonym
	add := func(name, v string, src Source) {
		if len(out) == 0 && name != s.Name {
			return
		}
		out = append(out, Synonym{name, show(s, v), src})
	}
	for _, l := range n.layers() {
		for _, name := range family {
			if v, ok := l.pairs.Get(name); ok {
				add(name, strings.TrimSpace(v), l.source)
			}
		}
	}
	for _, name := range family {
		if b := Broker(name); b.Flags&null == 0 {
			add(name, b.Default, Default)
		}
	}
	return out
}
