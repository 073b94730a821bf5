package client

import (
	"github.com/seedlog/seedlog/core/kerr"
)

// BothConfig is a member of a group in which some speak the classic protocol and some the consumer protocol, as while its members are exchanged
// one by one (KIP-848). The group becomes one of the other protocol with them.
type BothConfig struct {
	Next    NextConfig `json:"next"`              // what it says in the consumer protocol
	Begins  bool       `json:"begins,omitempty"`  // it begins with the consumer protocol
	Turns   bool       `json:"turns,omitempty"`   // each time that it comes back it speaks the other one
	Refused bool       `json:"refused,omitempty"` // group.consumer.migration.policy may keep a member of one protocol out of a group of the other
}

// turn has a member that is none at present speak the other protocol.
func (g *Group) turn() {
	g.member, g.generation, g.missed = "", -1, false
	if g.next != nil {
		g.next = nil
		return
	}
	g.next = &g.cfg.Both.Next
}

// refusedTurn follows a refusal to let a member of one protocol into a group of the other: it comes with the group's own.
func (g *Group) refusedTurn(code kerr.Code) {
	b := g.cfg.Both
	if b == nil || !b.Refused {
		g.caught(slotJoin, g.cfg.Group, "a member is kept out of its group", code.String())
		return
	}
	g.turn()
}
