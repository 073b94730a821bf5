package controller

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// A decision about very many partitions, such as the fence of a broker that is in the ISR of a hundred thousand, does not fit into one entry.
// It becomes several, with nothing decided between them. Who takes over in the midst finds some partitions changed and the rest as they were, and
// elects leaders where an unfenced broker was not elected yet.

// large proposes a decision that is too large for one entry, or refuses it if it cannot be cut. It is the first in the queue.
func (m *Machine) large(s submission, resp kmsg.Response, records []metadata.Record) {
	m.queue = append(m.queue[:0], m.queue[1:]...)
	cut := m.cut(records)
	if cut == nil {
		m.inFlight = append(m.inFlight, decided{s.req, refuseLarge(s.req, m.maxEntry), s.w})
		m.answer(kerr.None)
		return
	}
	m.inFlight = append(m.inFlight, decided{s.req, resp, s.w})
	m.more, m.moreTerm = cut, m.quorum.Term()
	m.goOn()
}

// goOn proposes the next part of a large decision, if there is one.
func (m *Machine) goOn() bool {
	if len(m.more) == 0 {
		return false
	}
	part := m.more[0]
	m.more = m.more[1:]
	m.body = metadata.AppendRecords(m.body[:0], part)
	m.propose(m.moreTerm, len(part))
	return true
}

// cut parts records such that each part fits into an entry, and that an image which has the first parts only is sound: what changes one
// partition alone stands by itself, and all else is in one part, which cannot be cut. That part is the last, so that a broker leads nothing
// any more when it is fenced, registered anew or forgotten, and no setting holds before what follows from it. But a broker that is unfenced
// is so before it is elected. nil: they cannot be cut.
func (m *Machine) cut(records []metadata.Record) (parts [][]metadata.Record) {
	var before, whole, after []metadata.Record
	unfences := false
	for _, r := range records {
		switch r := r.(type) {
		case *metadata.PartitionChangeRecord:
			if unfences {
				after = append(after, r)
			} else {
				before = append(before, r)
			}
			continue
		case *metadata.BrokerChangeRecord:
			unfences = unfences || r.Fenced != nil && !*r.Fenced
		}
		whole = append(whole, r)
	}
	if metadata.MaxHeadBytes+len(metadata.AppendRecords(m.body[:0], whole)) > m.maxEntry {
		return nil
	}
	for _, some := range [][]metadata.Record{before, whole, after} {
		for len(some) > 0 {
			n := m.fitting(some)
			if n == 0 {
				return nil
			}
			parts, some = append(parts, some[:n]), some[n:]
		}
	}
	return parts
}

// fitting says how many of the first records fit into an entry.
func (m *Machine) fitting(records []metadata.Record) int {
	m.body = m.body[:0]
	for n := range records {
		if m.body = metadata.AppendRecords(m.body, records[n:n+1]); metadata.MaxHeadBytes+len(m.body) > m.maxEntry {
			return n
		}
	}
	return len(records)
}

// refuseLarge refuses what no entry can hold.
func refuseLarge(req kmsg.Request, limit int) kmsg.Response {
	if req == nil {
		return nil
	}
	return refuseWith(req, refusal{kerr.PolicyViolation, fmt.Sprintf("The change needs more than %d bytes of metadata at once: ask for less at a time.", limit)})
}
