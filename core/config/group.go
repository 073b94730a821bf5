package config

import (
	"strconv"
	"strings"
)

// Group is what a group's settings come to, of those that do something here.
type Group struct {
	ConsumerSessionTimeoutMS     int32
	ConsumerHeartbeatIntervalMS  int32
	ConsumerAssignmentIntervalMS int32
}

// ResolveGroup gives a group's effective settings: its own over the node's. What lies outside the node's bounds, since another node took it or
// the bounds were others then, counts as the bound (GroupConfig.evaluate). Own values that are not valid are skipped, see With.
func ResolveGroup(n *Node, overrides Pairs) Group {
	get := func(name string) int32 {
		v, err := strconv.ParseInt(n.groupValue(ForGroup(name), overrides), 10, 32)
		if err != nil {
			return 0
		}
		if lo := n.groupBound(name, "min"); lo != nil {
			v = max(v, *lo)
		}
		if hi := n.groupBound(name, "max"); hi != nil {
			v = min(v, *hi)
		}
		return int32(v)
	}
	return Group{
		ConsumerSessionTimeoutMS:     get("consumer.session.timeout.ms"),
		ConsumerHeartbeatIntervalMS:  get("consumer.heartbeat.interval.ms"),
		ConsumerAssignmentIntervalMS: get("consumer.assignment.interval.ms"),
	}
}

// groupValue is a group's value of a setting, or else the node's default of it.
func (n *Node) groupValue(s *Setting, overrides Pairs) string {
	if v, ok := overrides.Get(s.Name); ok && s.Check(v) == nil {
		return s.canonical(v)
	}
	if b := Broker("group." + s.Name); b != nil {
		v, _ := n.value(b)
		return v
	}
	return s.Default
}

// boundName names the broker setting that is a bound of a group's setting: group.consumer.min.session.timeout.ms.
func boundName(name, which string) string {
	kind, rest, _ := strings.Cut(name, ".")
	return "group." + kind + "." + which + "." + strings.TrimPrefix(rest, "num.")
}

// groupBound is the node's bound of a group's setting; nil: none.
func (n *Node) groupBound(name, which string) *int64 {
	b := Broker(boundName(name, which))
	if b == nil {
		return nil
	}
	v := n.long(b.Name)
	return &v
}

// ValidateGroup checks what a group would set as a whole: names, values, the node's bounds, and that a session outlasts a heartbeat's interval. The
// message is Kafka's; the code is INVALID_CONFIG.
func ValidateGroup(n *Node, overrides Pairs) error {
	for _, x := range overrides {
		if ForGroup(x.Key) == nil {
			return &Conflict{"Unknown group config name: " + x.Key}
		}
	}
	for _, x := range overrides {
		if err := ForGroup(x.Key).Check(x.Value); err != nil {
			return err
		}
	}
	for _, s := range allGroup {
		if _, ok := overrides.Get(s.Name); ok && s.Kind == Int {
			if err := n.checkGroupBounds(s, overrides); err != nil {
				return err
			}
		}
	}
	for _, kind := range [...]string{"consumer", "share", "streams"} {
		session, beat := ForGroup(kind+".session.timeout.ms"), ForGroup(kind+".heartbeat.interval.ms")
		a, _ := strconv.ParseInt(n.groupValue(session, overrides), 10, 64)
		b, _ := strconv.ParseInt(n.groupValue(beat, overrides), 10, 64)
		if a <= b {
			return &Conflict{session.Name + " must be greater than " + beat.Name}
		}
	}
	return nil
}

func (n *Node) checkGroupBounds(s *Setting, overrides Pairs) error {
	v, _ := strconv.ParseInt(n.groupValue(s, overrides), 10, 64)
	if lo := n.groupBound(s.Name, "min"); lo != nil && v < *lo {
		return &Conflict{s.Name + " must be greater than or equal to " + boundName(s.Name, "min")}
	}
	if hi := n.groupBound(s.Name, "max"); hi != nil && v > *hi {
		return &Conflict{s.Name + " must be less than or equal to " + boundName(s.Name, "max")}
	}
	return nil
}

// DescribeGroup gives every setting of a group by name, or those of keys if there are any. A group that nobody has configured has the defaults.
func DescribeGroup(n *Node, overrides Pairs, keys []string) []Described {
	var out []Described
	for _, s := range allGroup {
		if !wanted(keys, s.Name) {
			continue
		}
		v := n.groupValue(s, overrides)
		d := Described{Name: s.Name, Kind: s.Kind, Value: &v, Doc: s.Doc}
		if own, ok := overrides.Get(s.Name); ok && s.Check(own) == nil {
			d.Synonyms = append(d.Synonyms, Synonym{s.Name, d.Value, GroupConfig})
		}
		if b := Broker("group." + s.Name); b != nil {
			d.Synonyms = append(d.Synonyms, n.synonyms(b)...)
		} else {
			d.Synonyms = append(d.Synonyms, Synonym{s.Name, &s.Default, Default})
		}
		d.Source = first(d.Synonyms)
		out = append(out, d)
	}
	return out
}

// checkReset is what Kafka allows in share.auto.offset.reset (KIP-1106).
func checkReset(v string) string {
	if v == "earliest" || v == "latest" {
		return ""
	}
	if d, ok := strings.CutPrefix(v, "by_duration:"); ok && isDuration(d) {
		return ""
	}
	return "Invalid value `" + v + "` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
}

// isDuration says whether a text is a duration of ISO 8601 that java.time.Duration reads, and no part of it below zero: P1DT2H3M4.5S.
func isDuration(v string) bool {
	v, ok := strings.CutPrefix(strings.TrimPrefix(strings.ToUpper(v), "+"), "P")
	days, clock, timed := strings.Cut(v, "T")
	if !ok || timed && clock == "" {
		return false
	}
	parts := 0
	for _, x := range [...]struct {
		rest  *string
		units string
	}{{&days, "D"}, {&clock, "HMS"}} {
		for _, unit := range x.units {
			if number, rest, ok := strings.Cut(*x.rest, string(unit)); ok {
				if !isAmount(number, unit == 'S') {
					return false
				}
				*x.rest = rest
				parts++
			}
		}
		if *x.rest != "" {
			return false
		}
	}
	return parts > 0
}

// isAmount says whether a text is a number of units; seconds may have up to nine decimals.
func isAmount(v string, decimals bool) bool {
	whole, part, ok := strings.Cut(strings.ReplaceAll(v, ",", "."), ".")
	if ok && (!decimals || len(part) > 9 || strings.Trim(part, "0123456789") != "") {
		return false
	}
	whole = strings.TrimPrefix(whole, "+")
	return whole != "" && len(whole) < 19 && strings.Trim(whole, "0123456789") == ""
}
