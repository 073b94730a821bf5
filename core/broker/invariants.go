package broker

import "github.com/seedlog/seedlog/core/assert"

// checkInvariants looks at what one step may have broken; checked builds call it after each.
func (s *Shard) checkInvariants() {
	for _, p := range s.state.Parts {
		if p.Log != nil && !p.Offline() {
			p.CheckInvariants()
		}
	}
	for _, c := range s.conns {
		if c == nil {
			continue
		}
		assert.That(len(c.queue) == 0 || c.held || c.closing, "broker: frames queued on a connection that is not held")
		assert.That(c.n <= maxProduceInFlight, "broker: too many requests begun on a connection")
		assert.That((c.head == nil) == (c.n == 0), "broker: count of requests on a connection")
	}
}
