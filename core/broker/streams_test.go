package broker

import (
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/network"
)

// A voter's stream carries snapshots: a peer that sends faster than raft writes them must wait, or it is cut off and begins anew for ever.
func TestAStreamIsHeldUntilRaftHasReadWhatCame(t *testing.T) {
	n := newMemberNode(t)
	s := n.shards[0].s
	s.member.streams.open[7] = streamPeer{name: "2-a"}
	tell := func(kind uint8, conn int64) *step.Effects {
		out := &step.Effects{}
		s.Step(n.now, &step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: kind, A: conn}}, out)
		return out
	}
	for _, c := range []struct {
		name string
		kind uint8
		conn int64
		hold []network.Conn
		on   []network.Conn
	}{
		{"hold", link.MailHold, 7, []network.Conn{7}, nil},
		{"resume", link.MailResume, 7, nil, []network.Conn{7}},
		{"hold of a connection that is gone", link.MailHold, 8, nil, nil},
		{"resume of a connection that is gone", link.MailResume, 8, nil, nil},
	} {
		if out := tell(c.kind, c.conn); !slices.Equal(out.Hold, c.hold) || !slices.Equal(out.Resume, c.on) {
			t.Errorf("%s: held %v and resumed %v, want %v and %v", c.name, out.Hold, out.Resume, c.hold, c.on)
		}
	}
}
