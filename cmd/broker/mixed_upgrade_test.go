package main_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// shared says whether the members that live have all partitions, by their own word, and each has some. What a classic group assigns only its members can read.
func (m *mixed) shared() bool {
	var all []int32
	m.last = ""
	some := true
	for _, x := range m.live {
		parts := x.has()
		some = some && len(parts) > 0
		all = append(all, parts...)
		m.last += fmt.Sprintf("%s %v ", x.name, parts)
	}
	slices.Sort(all)
	return some && len(all) == int(m.partitions) && len(slices.Compact(all)) == len(all)
}

// TestAGroupOfJavaAndLibrdkafkaGoesOverToTheConsumerProtocolAndBackWhileItsMembersLive exchanges the members of a group one by one: classic ones for those of the
// consumer protocol, with which the group becomes another, and those for classic ones again. While there are both, the coordinator's broker is killed.
func TestAGroupOfJavaAndLibrdkafkaGoesOverToTheConsumerProtocolAndBackWhileItsMembersLive(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes, and six clients")
	}
	kafkaJars(t)
	newPython(t)
	c := newCluster(t, 3, mixedSettings...)
	m := newMixed(t, c)
	m.join("classic-java-1", "classic-librdkafka-1")
	m.goesOn("two classic members", m.shared)
	m.isOf("classic")
	w := newWitness(t, c.dial(kgo.DialTimeout(time.Second)), m.name, m.topic, m.partitions)
	m.join("java-1")
	m.settled("one of the consumer protocol comes")
	m.isOf("consumer")
	m.killCoordinator()
	m.part("classic-java-1").leave(t)
	m.join("librdkafka-1")
	m.settled("librdkafka-1 for classic-java-1")
	m.part("classic-librdkafka-1").leave(t)
	m.settled("no classic member is left")
	m.join("classic-librdkafka-2", "classic-java-2")
	m.settled("two classic ones come")
	m.part("librdkafka-1").leave(t)
	m.settled("one of the consumer protocol is left")
	m.part("java-1").leave(t)
	m.goesOn("none of the consumer protocol is left", m.shared)
	eventually(t, time.Minute, "the group is classic", func() bool {
		kind, state := m.listed()
		return kind == "classic" && state == "Stable"
	})
	m.finish(w)
}
