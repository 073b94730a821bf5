package quorum

import (
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/step"
)

// leadership is what the node knows of who leads. raft tells it from within the goroutines that change it, so nothing is missed.
//
//	raft leads ─▶ Barrier ─ok─▶ claimed ─raft leads no more─▶ not claimed
//	                     └─error, and raft still leads─▶ Barrier again
type leadership struct {
	node *Node

	mu      sync.Mutex
	state   raft.RaftState
	spell   uint64 // counts the changes of state: a barrier speaks for its own spell only
	term    int64  // the newest
	ledTerm int64  // of the spell, while state is Leader
	claimed bool
	leader  address // "": none known
	told    link.Leadership
	open    bool // raft runs
	begun   bool // an entry was stored
}

// observe is a filter of raft's observations, which are made in the goroutine that changes the state.
func (l *leadership) observe(o *raft.Observation) bool {
	switch v := o.Data.(type) {
	case raft.RaftState:
		l.stateIs(v)
	case raft.LeaderObservation:
		l.mu.Lock()
		l.leader = address(v.LeaderAddr)
		l.mu.Unlock()
		l.say()
	}
	return false
}

func (l *leadership) stateIs(s raft.RaftState) {
	l.mu.Lock()
	if l.state == s && l.spell > 0 {
		l.mu.Unlock()
		return
	}
	l.state = s
	l.spell++
	spell := l.spell
	if s == raft.Leader {
		l.ledTerm = l.term
	} else if !plant.On(plant.K1) {
		l.claimed = false
	}
	l.mu.Unlock()
	l.say()
	if s == raft.Leader {
		l.node.waits(1)
		go l.barrier(spell)
	}
}

// barrier claims leadership once everything that was committed before this term is folded.
func (l *leadership) barrier(spell uint64) {
	defer l.node.waits(-1)
	for l.leads(spell) {
		r := l.node.current()
		if r != nil && r.Barrier(0).Error() == nil {
			l.claim(spell)
			return
		}
		t := time.NewTimer(10 * time.Millisecond)
		select {
		case <-t.C:
		case <-l.node.dead:
			t.Stop()
			return
		}
	}
}

func (l *leadership) leads(spell uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spell == spell
}

// claim says that this node leads, unless it has lost it: a newer term ends a leadership.
func (l *leadership) claim(spell uint64) {
	l.mu.Lock()
	if l.spell == spell && l.term == l.ledTerm {
		l.claimed = true
	}
	l.mu.Unlock()
	l.say()
}

// mayPropose says whether an entry decided in that term may still be proposed.
func (l *leadership) mayPropose(term int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claimed && l.term == term
}

// termIs notes the newest term, once it is on disk.
func (l *leadership) termIs(t uint64) {
	l.mu.Lock()
	l.term = max(l.term, int64(t))
	l.mu.Unlock()
	l.say()
}

// stored notes that the log has an entry, before whoever sent it hears so: to its sender it may be committed with that.
func (l *leadership) stored() {
	l.mu.Lock()
	news := !l.begun
	l.begun = true
	l.mu.Unlock()
	if news {
		l.say()
	}
}

// say mails what has changed.
func (l *leadership) say() {
	r := l.node.current()
	members := l.node.machine.list()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return
	}
	now := link.Leadership{Leader: l.claimed, Term: l.term, Members: members, Begun: l.begun}
	now.ID, now.Address = l.leader.parts()
	if r != nil {
		now.Commit = int64(r.CommitIndex())
	}
	same := now
	same.Commit = l.told.Commit
	if reflect.DeepEqual(same, l.told) {
		return
	}
	l.told = now
	l.node.out.mail(classLeadership, "", step.Mail{Kind: link.MailLeadership, Body: &now})
}

// begin says what is known when raft has begun.
func (l *leadership) begin(r *raft.Raft) {
	r.RegisterObserver(raft.NewObserver(nil, false, l.observe))
	l.stateIs(r.State())
	leader, _ := r.LeaderWithID()
	l.mu.Lock()
	if leader != "" {
		l.leader = address(leader)
	}
	l.open = true
	l.mu.Unlock()
	l.say()
}
