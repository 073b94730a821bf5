package broker

import (
	"bytes"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// remote is the metadata.Quorum of a clustered node: what the controller proposes goes to the quorum's actor by mail, and comes back as images.
type remote struct {
	s    *Shard
	lead link.Leadership // as the actor last said
}

// Propose is metadata.Quorum. The controller uses the entry's bytes again before raft is done with them, hence a copy.
func (r *remote) Propose(token disk.Token, term int64, entry []byte) {
	r.s.toLane(step.Mail{Kind: link.MailPropose, Token: token, A: term, Body: bytes.Clone(entry)})
}

// Leader is metadata.Quorum: the image that this node has holds all that was committed before its term, since images come before the claim.
func (r *remote) Leader() bool { return r.lead.Leader }

// Term is metadata.Quorum.
func (r *remote) Term() int64 { return r.lead.Term }

// toLane sends to the quorum's actor.
func (s *Shard) toLane(m step.Mail) {
	m.To = int32(s.shards)
	s.send(m)
}

// fromLane takes what the quorum's actor says.
func (m *member) fromLane(x *step.Mail) {
	c := m.s.control
	switch x.Kind {
	case link.MailState:
		m.found(x.Body.(*link.State))
	case link.MailImage:
		b := x.Body.(*link.Committed)
		c.store.Publish(b.Image, b.Commit)
	case link.MailRefused:
		c.store.Refused(x.Token, disk.Err(x.Code))
	case link.MailLeadership:
		l := x.Body.(*link.Leadership)
		m.remote.lead = *l
		c.machine.Leadership(l)
		c.store.LeaderChanged()
		m.leaderChanged()
	case link.MailDial:
		m.streams.dial(x.Token, x.Body.(*link.Dial))
	case link.MailSend:
		m.streams.send(x.A, x.Body.([]byte))
	case link.MailHold:
		m.streams.hold(x.A, true)
	case link.MailResume:
		m.streams.hold(x.A, false)
	case link.MailClose:
		m.streams.close(x.A)
	case link.MailChanged:
		m.changed(x.Token, x.Body.(string))
	case link.MailTransferred:
		m.transferred()
	case link.MailQuorumFailed:
		if c.machine != nil { // it comes with the first image
			c.machine.Failed(disk.ErrIO, x.Body.(string))
		}
		m.s.fatal(2, "the metadata log failed: "+x.Body.(string))
	}
}

// change asks the quorum for a change of its members; done is told "" or why not.
func (m *member) change(c *link.Change, done func(why string)) {
	if m.changes.Len() >= maxChanges {
		done("too many changes of the quorum wait")
		return
	}
	m.s.toLane(step.Mail{Kind: link.MailChange, Token: m.changes.Put(done), Body: c})
}

// maxChanges bounds the changes of the quorum's members that wait for raft.
const maxChanges = 32

func (m *member) changed(token disk.Token, why string) {
	m.changes.Take(token)(why)
}

// leads says whether this node is the active controller.
func (m *member) leads() bool { return m.remote.lead.Leader }

// registration gives that of this incarnation in an image, or nil.
func (m *member) registration(img *metadata.Image) *metadata.Broker {
	b := img.Broker(m.s.static.NodeID)
	if b == nil || b.Incarnation != m.lease.incarnation {
		return nil
	}
	return b
}
