package run

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/report"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Message is one that has been sent and not taken, for people.
type Message struct {
	report.Message
	Key         int16  // of the API; -1 not known
	Version     int16  // of the request, that it is or answers; -1 not known
	Correlation uint32 // id, 0 of what has none
	Answer      bool
}

// UnderWay gives the messages that one half of a connection has sent and that the other's owner has not taken, oldest first. There are none
// unless Observe was called before the run.
func (r *Run) UnderWay(half int64) (all []Message) {
	a := r.Judge.account
	if a == nil || a.halves[half] == nil {
		return nil
	}
	for _, m := range a.halves[half].under {
		x := Message{Message: m.Message, Key: m.key, Version: -1, Answer: m.to != nil}
		asked := m
		if m.to != nil {
			asked = m.to
			x.Correlation = binary.BigEndian.Uint32(m.head)
		}
		if m.key >= 0 && m.key != raftKey && len(asked.head) >= frameHead {
			x.Version, x.Correlation = int16(binary.BigEndian.Uint16(asked.head[2:])), binary.BigEndian.Uint32(asked.head[4:])
		}
		all = append(all, x)
	}
	return all
}

// Place numbers an endpoint: nodes from 1, clients from -1 downwards by their numbers in the history, with their kind; 0 is none of them.
func (r *Run) Place(e simnet.End) (place int, kind string) {
	a := r.Judge.account
	if a == nil {
		return 0, ""
	}
	if i := int(e) - a.messages.nodes; i >= 0 && i < len(a.roles) {
		kind = a.roles[i].Name
	}
	return a.place(e), kind
}

// Voter gives what a node's quorum actor showed when it was last stepped, nil if it never was.
func (j *Judge) Voter(node int) *oracle.Voter {
	if j.view == nil || node >= len(j.view.voters.nodes) {
		return nil
	}
	return &j.view.voters.nodes[node]
}

// Told says what an operation of the history asked, or was told, in a few words.
func Told(e *history.Event) string { return told(e) }
