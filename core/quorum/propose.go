package quorum

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// proposal is an entry that shard 0 wants in the log.
type proposal struct {
	token disk.Token
	term  int64 // that it was decided in
	entry []byte
}

// proposals are those that are not answered. Each is answered once: by an image with its token, or by MailRefused. One that was refused
// because leadership was lost may be committed all the same, by the next leader; its image then has no token.
type proposals struct {
	node  *Node
	queue chan proposal

	mu   sync.Mutex
	open map[disk.Token]bool
}

func (p *proposals) init(n *Node) {
	p.node, p.queue, p.open = n, make(chan proposal, maxQueued), map[disk.Token]bool{}
}

// add queues a proposal, or refuses it at once.
func (p *proposals) add(x proposal) {
	p.mu.Lock()
	p.open[x.token] = true
	p.mu.Unlock()
	if !p.node.lead.mayPropose(x.term) {
		p.refuse(x.token)
		return
	}
	select {
	case p.queue <- x:
	default:
		p.refuse(x.token)
	}
}

// run gives proposals to raft in their order.
func (p *proposals) run(r *raft.Raft) {
	for {
		select {
		case x := <-p.queue:
			p.propose(r, x)
		case <-p.node.dead:
			return
		}
	}
}

func (p *proposals) propose(r *raft.Raft, x proposal) {
	if !p.node.lead.mayPropose(x.term) {
		p.refuse(x.token)
		return
	}
	f := r.Apply(encodeProposal(p.node.nonce, x.token, x.entry), 0)
	p.node.waits(1)
	go func() {
		defer p.node.waits(-1)
		if f.Error() != nil {
			p.refuse(x.token)
		}
	}()
}

// refuse answers a proposal that is not known to be in the log, unless it is answered.
func (p *proposals) refuse(t disk.Token) {
	if p.answered(t) {
		p.node.out.mail(classRefused, p.node.token(t), step.Mail{Kind: link.MailRefused, Token: t, Code: int16(disk.OK)})
	}
}

// committed gives the token of a proposal that is folded, 0 if it is not ours or was refused.
func (p *proposals) committed(t disk.Token) disk.Token {
	if t != 0 && p.answered(t) {
		return t
	}
	return 0
}

// answered takes a token off the table; false if it is not there.
func (p *proposals) answered(t disk.Token) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok := p.open[t]
	delete(p.open, t)
	return ok
}

// changeTimeout bounds how long a change of the members waits for the one before it.
const changeTimeout = 5 * time.Second

// change asks raft for a change of the members.
func (n *Node) change(t disk.Token, c *link.Change) {
	n.ask(t, func(r *raft.Raft) error {
		id, at := raft.ServerID(c.Member.ID), raft.ServerAddress(addressOf(c.Member.ID, c.Member.Address))
		switch c.Kind {
		case link.AddVoter:
			return r.AddVoter(id, at, 0, changeTimeout).Error()
		case link.AddNonvoter:
			return r.AddNonvoter(id, at, 0, changeTimeout).Error()
		case link.Remove:
			return r.RemoveServer(id, 0, changeTimeout).Error()
		default:
			return r.DemoteVoter(id, 0, changeTimeout).Error()
		}
	})
}

// freeze takes a snapshot.
func (n *Node) freeze(t disk.Token) {
	n.ask(t, func(r *raft.Raft) error {
		err := r.Snapshot().Error()
		if err == raft.ErrNothingNewToSnapshot {
			return nil
		}
		return err
	})
}

// ask queues what is answered by MailChanged. One is done after the other.
func (n *Node) ask(t disk.Token, f func(*raft.Raft) error) {
	answer := func(text string) {
		n.out.mail(classChanged, n.token(t), step.Mail{Kind: link.MailChanged, Token: t, Body: text})
	}
	do := func() {
		if err := f(n.current()); err != nil {
			answer(err.Error())
		} else {
			answer("")
		}
	}
	if n.current() == nil {
		answer("the quorum has not begun")
		return
	}
	select {
	case n.changes <- do:
	default:
		answer("too many changes are waiting")
	}
}

// runChanges does them.
func (n *Node) runChanges() {
	for {
		select {
		case f := <-n.changes:
			n.waits(1)
			f()
			n.waits(-1)
		case <-n.dead:
			return
		}
	}
}

// transferTimeout bounds how long a leader tries to find a successor.
const transferTimeout = time.Second

// transfer gives leadership away, if this node has it, and says when it has tried.
func (n *Node) transfer() {
	n.waits(1)
	go func() {
		defer n.waits(-1)
		n.yieldLead()
		n.out.mail(classChanged, "", step.Mail{Kind: link.MailTransferred})
	}()
}

func (n *Node) yieldLead() {
	r := n.current()
	if r == nil || r.State() != raft.Leader {
		return
	}
	done := make(chan struct{})
	go func() {
		_ = r.LeadershipTransfer().Error() // without a successor the others elect one when they miss us
		close(done)
	}()
	t := time.NewTimer(transferTimeout)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-n.dead:
	}
}
