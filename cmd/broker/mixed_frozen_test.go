package main_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// freezeCoordinator stops the process of the broker that coordinates the group, without its end, until the group has gone on elsewhere; then that broker goes on in
// the belief that it is the coordinator still.
func (m *mixed) freezeCoordinator(w *witness) {
	m.t.Helper()
	all, at := m.cl, coordinator(m.t, m.cl, m.name)
	others := m.c.dial(kgo.SeedBrokers(m.c.clients[(at+1)%3], m.c.clients[(at+2)%3]), kgo.DialTimeout(time.Second), kgo.MetadataMaxAge(2*time.Second))
	w.mayBeStale(true)
	m.c.nodes[at].signal(syscall.SIGSTOP)
	eventually(m.t, time.Minute, "another coordinates the group", func() bool { return coordinator(m.t, others, m.name) != at })
	m.cl = others
	m.settled("the coordinator is frozen")
	m.c.nodes[at].signal(syscall.SIGCONT)
	for _, topic := range []string{m.topic, "__consumer_offsets"} {
		m.c.inSync((at+1)%3, topic, 3)
	}
	w.mayBeStale(false)
	m.cl = all
	m.settled("it goes on")
}

func TestAGroupOfJavaAndLibrdkafkaOfBothProtocolsGoesOnWhenItsCoordinatorFreezes(t *testing.T) {
	if scale(0, 0, 1) == 0 {
		t.Skip("three processes, and four clients")
	}
	c := newCluster(t, 3, mixedSettings...)
	m := newMixed(t, c)
	m.hasty = true
	m.join("java-1", "librdkafka-1", "classic-java-1", "classic-librdkafka-1")
	m.settled("one of each")
	w := newWitness(t, c.dial(kgo.DialTimeout(time.Second)), m.name, m.topic, m.partitions)
	for range 2 {
		m.freezeCoordinator(w)
	}
	m.finish(w)
}
