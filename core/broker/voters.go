package broker

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata/link"
)

// changeVoters decides AddRaftVoter (80) and RemoveRaftVoter (81) of KIP-853: the quorum's leader moves one member at a time.
//
// NOT_CONTROLLER; INCONSISTENT_CLUSTER_ID; DUPLICATE_VOTER; VOTER_NOT_FOUND; INVALID_REQUEST; REQUEST_TIMED_OUT with raft's words.
func (s *Shard) changeVoters(req kmsg.Request, w controller.Waiter) {
	m := s.member
	switch q := req.(type) {
	case *kmsg.AddRaftVoterRequest:
		if m == nil || !m.leads() {
			resp := q.ResponseKind().(*kmsg.AddRaftVoterResponse)
			resp.ErrorCode, resp.ErrorMessage = s.noVoters()
			w.Decided(resp, s.control.store.Image())
			return
		}
		m.addVoter(q, w)
	case *kmsg.RemoveRaftVoterRequest:
		if m == nil || !m.leads() {
			resp := q.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
			resp.ErrorCode, resp.ErrorMessage = s.noVoters()
			w.Decided(resp, s.control.store.Image())
			return
		}
		m.removeVoter(q, w)
	}
}

// noVoters says why this node changes no voters.
func (s *Shard) noVoters() (int16, *string) {
	text := "this broker is alone: it has no quorum; set controller.quorum.bootstrap.servers"
	if s.member != nil {
		text = controller.NotController
		return int16(kerr.NotController), &text
	}
	return int16(kerr.InvalidRequest), &text
}

func (m *member) addVoter(q *kmsg.AddRaftVoterRequest, w controller.Waiter) {
	resp := q.ResponseKind().(*kmsg.AddRaftVoterResponse)
	img := m.s.control.store.Image()
	refuse := func(c kerr.Code, text string) {
		resp.ErrorCode, resp.ErrorMessage = int16(c), &text
		w.Decided(resp, img)
	}
	switch {
	case q.ClusterID != nil && *q.ClusterID != m.clusterID():
		refuse(kerr.InconsistentClusterID, m.otherCluster(*q.ClusterID))
		return
	case q.VoterID < 0 || q.VoterDirectoryID == [16]byte{} || len(q.Listeners) == 0:
		refuse(kerr.InvalidRequest, "Add voter request didn't include a valid voter")
		return
	}
	id := link.RaftID(q.VoterID, q.VoterDirectoryID)
	voters, follows := 0, false
	for _, x := range m.remote.lead.Members {
		if n, _, ok := link.NodeOf(x.ID); ok && x.Voter && n == q.VoterID {
			refuse(kerr.DuplicateVoter, "node "+x.ID+" is a voter; remove it first")
			return
		}
		if x.Voter {
			voters++
		}
		follows = follows || x.ID == id
	}
	if !follows { // a voter that nobody knows would count for the majority, and never vote
		refuse(kerr.RequestTimedOut, "node "+id+" does not follow the quorum: start it with this quorum's controller.quorum.bootstrap.servers and give the directory id that it logs")
		return
	}
	if voters%2 == 1 {
		m.s.env.Warnf("the quorum will have %d voters, which tolerate no more failures than %d; add or remove another", voters+1, voters)
	}
	l := q.Listeners[0]
	m.change(&link.Change{Kind: link.AddVoter, Member: link.Member{ID: id, Address: hostPort(l.Host, int32(l.Port)), Voter: true}}, func(why string) {
		if why != "" {
			refuse(kerr.RequestTimedOut, why)
			return
		}
		w.Decided(resp, m.s.control.store.Image())
	})
}

// otherCluster says that a request names another cluster than this one.
func (m *member) otherCluster(id string) string {
	return fmt.Sprintf("The given id %q doesn't match the cluster id %q", id, m.clusterID())
}

func (m *member) removeVoter(q *kmsg.RemoveRaftVoterRequest, w controller.Waiter) {
	resp := q.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	img := m.s.control.store.Image()
	refuse := func(c kerr.Code, text string) {
		resp.ErrorCode, resp.ErrorMessage = int16(c), &text
		w.Decided(resp, img)
	}
	if q.ClusterID != nil && *q.ClusterID != m.clusterID() {
		refuse(kerr.InconsistentClusterID, m.otherCluster(*q.ClusterID))
		return
	}
	if q.VoterID < 0 || q.VoterDirectoryID == [16]byte{} {
		refuse(kerr.InvalidRequest, "Remove voter request didn't include a valid voter")
		return
	}
	id := link.RaftID(q.VoterID, q.VoterDirectoryID)
	voters, found := 0, false
	for _, x := range m.remote.lead.Members {
		if x.Voter {
			voters++
			found = found || x.ID == id
		}
	}
	switch {
	case !found:
		refuse(kerr.VoterNotFound, "no voter has node.id and directory id "+base64.RawURLEncoding.EncodeToString(q.VoterDirectoryID[:]))
		return
	case voters == 1:
		refuse(kerr.InvalidRequest, "it is the only voter")
		return
	}
	if voters%2 == 1 {
		m.s.env.Warnf("the quorum will have %d voters, which tolerate no more failures than %d; add or remove another", voters-1, voters-2)
	}
	kind := link.Remove
	if b := img.Broker(q.VoterID); b != nil && slices.Contains(b.LogDirs, q.VoterDirectoryID) || m.streams.reach(id) {
		kind = link.Demote // it goes on to follow the quorum, as an observer: one that raft forgets hears of nothing any more, its removal included
	}
	m.change(&link.Change{Kind: kind, Member: link.Member{ID: id}}, func(why string) {
		if why != "" {
			refuse(kerr.RequestTimedOut, why)
			return
		}
		w.Decided(resp, m.s.control.store.Image())
	})
}
