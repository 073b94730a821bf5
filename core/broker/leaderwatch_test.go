package broker

import (
	"testing"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/network"
)

func TestALeaderWhoseStreamEndsIsGoneOnlyIfItsMachineRefuses(t *testing.T) {
	n := newMemberNode(t)
	s := n.shards[0].s
	lead := func(id string) { s.member.remote.lead = link.Leadership{ID: id, Address: "two:1", Term: 2} }
	ends := func(info network.Info) *step.Effects {
		out := &step.Effects{}
		s.Step(n.now, &step.Event{Kind: step.ConnClosed, Conn: info}, out)
		return out
	}
	gone := func(out *step.Effects) bool {
		for _, m := range out.Mail {
			if m.Kind == link.MailGone {
				return m.Body.(string) == "2-a"
			}
		}
		return false
	}
	dials := func(out *step.Effects) (probes []network.Dial) {
		for _, d := range out.Dial {
			if d.Addr == "two:1" && s.member.leaderWatch.probe == d.Token {
				probes = append(probes, d)
			}
		}
		return probes
	}
	stream := func(peer string) *step.Effects {
		s.member.streams.open[7] = streamPeer{name: peer}
		return ends(network.Info{Conn: 7})
	}
	lead("2-a")
	if out := stream("3-b"); len(dials(out)) != 0 {
		t.Fatal("the end of another's stream says nothing of the leader")
	}
	first := dials(stream("2-a"))
	if len(first) != 1 {
		t.Fatal("it is not dialled")
	}
	if out := stream("2-a"); len(dials(out)) != 0 {
		t.Fatal("it is dialled twice")
	}
	if out := ends(network.Info{Token: first[0].Token, Refused: true}); !gone(out) {
		t.Fatal("its machine refuses, and it is not gone")
	}

	silent := dials(stream("2-a"))
	if len(silent) != 1 || gone(ends(network.Info{Token: silent[0].Token})) {
		t.Fatal("a machine that does not answer may be cut off")
	}

	late := dials(stream("2-a"))
	lead("3-b")
	if out := ends(network.Info{Token: late[0].Token, Refused: true}); gone(out) {
		t.Fatal("there is another leader by now")
	}
}
