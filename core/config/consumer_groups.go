package config

import (
	"fmt"
	"slices"
	"strings"
)

// ConsumerGroups is the settings group.consumer.*, and whether the protocol is served at all.
type ConsumerGroups struct {
	Served               bool // group.coordinator.rebalance.protocols has "consumer"
	SessionTimeoutMS     int32
	HeartbeatIntervalMS  int32
	AssignmentIntervalMS int32
	MaxSize              int32
	Assignors            []string // of uniform and range, by preference
	Migration            string   // lower case: disabled, upgrade, downgrade, bidirectional
	RegexRefreshMS       int64
}

func (n *Node) deriveConsumerGroups() {
	n.Consumers = ConsumerGroups{
		Served:               slices.Contains(Split(n.text("group.coordinator.rebalance.protocols")), "consumer"),
		SessionTimeoutMS:     n.int("group.consumer.session.timeout.ms"),
		HeartbeatIntervalMS:  n.int("group.consumer.heartbeat.interval.ms"),
		AssignmentIntervalMS: n.within("group.consumer.", "assignment.interval.ms"),
		MaxSize:              n.int("group.consumer.max.size"),
		Migration:            strings.ToLower(n.text("group.consumer.migration.policy")),
		RegexRefreshMS:       n.long("group.consumer.regex.refresh.interval.ms"),
	}
	for _, a := range Split(n.text("group.consumer.assignors")) {
		n.Consumers.Assignors = append(n.Consumers.Assignors, assignorName(a))
	}
	if len(n.Consumers.Assignors) == 0 {
		n.Consumers.Assignors = []string{"uniform", "range"}
	}
}

// within is a setting that may be changed while the broker runs, held between the bounds that may not. Source: clampDynamicIntConfig.
func (n *Node) within(group, name string) int32 {
	return max(n.int(group+"min."+name), min(n.int(group+name), n.int(group+"max."+name)))
}

// assignorName gives the name of an assignor that is named by Kafka's class.
func assignorName(s string) string {
	switch s {
	case "org.apache.kafka.coordinator.group.assignor.UniformAssignor":
		return "uniform"
	case "org.apache.kafka.coordinator.group.assignor.RangeAssignor":
		return "range"
	}
	return s
}

// checkConsumerGroups: each setting lies within the bounds that stand beside it. Source: GroupCoordinatorConfig.
func (n *Node) checkConsumerGroups(from map[string]string) error {
	const group = "group.consumer."
	for _, s := range []string{"session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms"} {
		low, at, high := n.int(group+"min."+s), n.int(group+s), n.int(group+"max."+s)
		if at < low || at > high {
			return fmt.Errorf("%s%s=%d (%s) is not between %smin.%s=%d and %smax.%s=%d; change one of them", group, s, at, from[group+s], group, s, low, group, s, high)
		}
	}
	if h, s := n.int(group+"heartbeat.interval.ms"), n.int(group+"session.timeout.ms"); h >= s {
		return fmt.Errorf("group.consumer.heartbeat.interval.ms=%d is not below group.consumer.session.timeout.ms=%d; change one of them", h, s)
	}
	for _, a := range Split(n.text("group.consumer.assignors")) {
		if name := assignorName(a); name != "uniform" && name != "range" {
			return fmt.Errorf("group.consumer.assignors names %s; there are uniform and range", a)
		}
	}
	return nil
}
