package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
)

// raft tells a member that it removes nothing any more, its removal included. So whoever is there becomes an observer, and only who is not
// there, or was wiped, is forgotten.
func TestAVoterThatIsThereIsRemovedByMakingItAnObserver(t *testing.T) {
	for _, c := range []struct {
		name   string
		broker bool
		stream string
		want   uint8
	}{
		{"a broker", true, "", link.Demote},
		{"a controller that is reached", false, "two", link.Demote},
		{"a controller that is not", false, "", link.Remove},
		{"one whose disk was wiped, so that another is reached under its node.id", false, "another", link.Remove},
	} {
		s := newMemberNode(t).shards[0].s
		s.env.Out = &step.Effects{}
		m, dir, img := s.member, [16]byte{2}, metadata.Empty()
		if c.broker {
			img, _ = img.Apply(1, 1, metadata.Entry{Term: 1, Records: []metadata.Record{&metadata.RegisterBrokerRecord{NodeID: 2, BrokerEpoch: -1, LogDirs: [][16]byte{dir}}}})
		}
		s.control = &control{s: s}
		s.control.store = metadata.NewStore(img, s.control)
		id := link.RaftID(2, dir)
		m.remote.lead = link.Leadership{Leader: true, Members: []link.Member{{ID: link.RaftID(1, [16]byte{1}), Voter: true}, {ID: id, Voter: true}, {ID: link.RaftID(3, [16]byte{3}), Voter: true}}}
		m.streams.open[7] = streamPeer{name: id} // it was dialled
		switch c.stream {
		case "two":
			m.streams.heard(7)
		case "another":
			m.streams.open[8] = streamPeer{name: link.RaftID(2, [16]byte{9})}
			m.streams.heard(8)
		}
		q := kmsg.NewPtrRemoveRaftVoterRequest()
		q.VoterID, q.VoterDirectoryID = 2, dir
		s.changeVoters(q, decidedFunc(func(r kmsg.Response) { t.Errorf("%s: answered at once: %+v", c.name, r) }))
		var got []uint8
		for _, x := range s.env.Out.Mail {
			if x.Kind == link.MailChange {
				got = append(got, x.Body.(*link.Change).Kind)
			}
		}
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: changes %v, want %d", c.name, got, c.want)
		}
	}
}
