package broker

import (
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Directories are named after topics, and a name may be given to a new topic while the directories of the old one are still in use, on
// other shards even. So shard 0 keeps, by name, which topic's logs may be in such directories, and a shard opens none before it is told:
//
//	shard: new topic ─ mailClaim ─▶ shard 0: name free, or this topic's ─ mailGranted ─▶ logs are opened
//	shard: topic gone ─ its directories renamed ─ mailRelease ─▶ shard 0: last one of the old topic ─ mailGranted ─▶ who waits

// names is shard 0's part.
type names map[string]*nameHolder

// nameHolder says whose a name is: shards of that topic hold it, and claims of others wait.
type nameHolder struct {
	id      [16]byte
	shards  int // that hold it; above 0
	waiting []nameClaim
}

// nameClaim is a shard's wish to open logs of a topic.
type nameClaim struct {
	name  string
	id    [16]byte
	shard int32
}

// claim gives the claims that may be granted now: c or none.
func (n names) claim(c nameClaim) []nameClaim {
	h := n[c.name]
	switch {
	case h == nil:
		n[c.name] = &nameHolder{id: c.id, shards: 1}
	case h.id == c.id:
		h.shards++
	default:
		h.waiting = append(h.waiting, c)
		return nil
	}
	return []nameClaim{c}
}

// release takes a claim back, granted or not, and gives those that may be granted now.
func (n names) release(c nameClaim) (granted []nameClaim) {
	h := n[c.name]
	if h.id != c.id {
		for i, x := range h.waiting {
			if x == c {
				h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
				break
			}
		}
		return nil
	}
	if h.shards--; h.shards > 0 {
		return nil
	}
	delete(n, c.name)
	for _, x := range h.waiting {
		granted = append(granted, n.claim(x)...)
	}
	return granted
}

func (s *Shard) claimed(c nameClaim)  { s.grant(s.dir.names.claim(c)) }
func (s *Shard) released(c nameClaim) { s.grant(s.dir.names.release(c)) }

func (s *Shard) grant(list []nameClaim) {
	for _, c := range list {
		if c.shard == 0 {
			s.granted(c.id)
		} else {
			s.send(step.Mail{Kind: mailGranted, To: c.shard, Body: c})
		}
	}
}

// holding is a shard's hold on a topic's name.
type holding struct {
	claim   nameClaim
	granted bool
	gone    bool                 // the topic is; the hold ends when no log is left
	logs    int                  // being opened, open or being removed
	parts   []*replica.Partition // to be opened once granted
}

// openLater queues a new partition of a topic for opening, under the topic's name.
func (s *Shard) openLater(t *metadata.Topic, p *replica.Partition) {
	h := s.holds[t.ID]
	if h == nil {
		h = &holding{claim: nameClaim{t.Name, t.ID, int32(s.env.Shard)}}
		s.holds[t.ID] = h
		s.unclaimed++
		h.parts = append(h.parts, p)
		s.toZero(step.Mail{Kind: mailClaim, Body: h.claim})
		return
	}
	if h.granted {
		s.opening.queue = append(s.opening.queue, p)
		return
	}
	h.parts = append(h.parts, p)
}

// granted opens what waited for a name. A topic that went meanwhile has taken its claim back.
func (s *Shard) granted(id [16]byte) {
	h := s.holds[id]
	if h == nil {
		return
	}
	h.granted = true
	s.unclaimed--
	s.opening.queue = append(s.opening.queue, h.parts...)
	h.parts = nil
	s.opening.next()
	s.reportApplied()
}

// dropName ends the hold of a topic that is gone, at once if no log of it is left.
func (s *Shard) dropName(id [16]byte) {
	h := s.holds[id]
	if h == nil {
		return
	}
	h.gone, h.parts = true, nil
	if !h.granted {
		s.unclaimed--
	}
	s.maybeRelease(h)
}

// logGone notes that a log of a topic is removed, or could not be opened.
func (s *Shard) logGone(id [16]byte) {
	h := s.holds[id]
	h.logs--
	s.maybeRelease(h)
}

func (s *Shard) maybeRelease(h *holding) {
	if h.gone && h.logs == 0 {
		delete(s.holds, h.claim.id)
		s.toZero(step.Mail{Kind: mailRelease, Body: h.claim})
	}
}

// removeLog removes a log; gone is called once its name is free.
func (s *Shard) removeLog(l *commitlog.Log, gone func()) {
	task.Go(s.env, func(t *task.Task) {
		err := l.Remove(t, gone)
		if err != disk.OK && !t.Stopped() {
			s.env.Warnf("cannot remove %s: %v; it is tried again at the next start", l.Dir(), err)
		}
	})
}
