package config

import (
	"errors"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// metricsSettings is every setting of a subscription to clients' metrics (KIP-714); columns as in Setting.
var metricsSettings = []Setting{
	{"interval.ms", Int, "300000", "", supported, "How often a client sends its metrics."},
	{"match", List, "", "", supported, "Which clients are meant, as pairs name=pattern, all of which must match."},
	{"metrics", List, "", "", supported, "The prefixes of the names of the metrics that are wanted; * is all."},
}

var (
	allMetrics   = sorted(metricsSettings)
	metricsIndex = index(allMetrics)
)

// matchNames are what a subscription may tell clients by.
var matchNames = []string{"client_id", "client_instance_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"}

// BadRequest is a setting that Kafka refuses with INVALID_REQUEST in place of INVALID_CONFIG.
type BadRequest struct{ Why string }

func (e *BadRequest) Error() string { return e.Why }

// ValidateClientMetrics checks what a subscription would set as a whole. The message is Kafka's; the code is INVALID_REQUEST for a *BadRequest, else
// INVALID_CONFIG (ClientMetricsConfigs.validate).
func ValidateClientMetrics(name string, overrides Pairs) error {
	if name == "" {
		return &BadRequest{"Subscription name can't be empty"}
	}
	for _, x := range overrides {
		if metricsIndex[x.Key] == nil {
			return &BadRequest{"Unknown client metrics configuration: " + x.Key}
		}
	}
	for _, x := range overrides {
		s := metricsIndex[x.Key]
		if err := s.Check(x.Value); err != nil {
			return err
		}
		if s.Kind == List && slices.Contains(Split(x.Value), "") {
			return &Conflict{"Configuration '" + x.Key + "' values must not be empty."}
		}
	}
	if v, ok := overrides.Get("interval.ms"); ok {
		v = metricsIndex["interval.ms"].canonical(v)
		if n, _ := strconv.ParseInt(v, 10, 64); n < 100 || n > 3_600_000 {
			return &BadRequest{"Invalid value " + v + " for interval.ms, interval must be between 100 and 3600000 (1 hour)"}
		}
	}
	match, _ := overrides.Get("match")
	for _, x := range Split(match) {
		if !validMatch(x) {
			return &Conflict{"Illegal client matching pattern: " + x}
		}
	}
	return nil
}

// validMatch says whether a text is name=pattern. Kafka's patterns are Java's, which know more than is known here: what can be no pattern is refused.
func validMatch(x string) bool {
	name, pattern, ok := strings.Cut(x, "=")
	if !ok || pattern == "" || strings.Contains(pattern, "=") || !slices.Contains(matchNames, strings.TrimSpace(name)) {
		return false
	}
	_, err := syntax.Parse(strings.TrimSpace(pattern), syntax.Perl)
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return true
	}
	switch bad.Code {
	case syntax.ErrInvalidRepeatOp, syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape, syntax.ErrInvalidRepeatSize, syntax.ErrLarge, syntax.ErrNestingDepth:
		return true
	}
	return false
}

// DescribeClientMetrics gives every setting of a subscription by name, or those of keys if there are any. A name that nobody has used has the
// defaults.
func DescribeClientMetrics(overrides Pairs, keys []string) []Described {
	var out []Described
	for _, s := range allMetrics {
		if !wanted(keys, s.Name) {
			continue
		}
		d := Described{Name: s.Name, Kind: s.Kind, Value: &s.Default, Source: Default, Doc: s.Doc}
		if own, ok := overrides.Get(s.Name); ok && s.Check(own) == nil {
			v := s.canonical(own)
			d.Value, d.Source, d.Synonyms = &v, ClientMetricsConfig, []Synonym{{s.Name, &v, ClientMetricsConfig}}
		}
		out = append(out, d)
	}
	return out
}
