package broker

import (
	"encoding/base64"
	"slices"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
)

// A broker has one or more log directories, each on a disk of its own (JBOD, KIP-112, KIP-858). A replica lies in one of them; the metadata
// say in which. One that fails is offline until the next start: nothing in it is read or written any more, its replicas are answered with
// KAFKA_STORAGE_ERROR, and the controller, which heartbeats tell, moves what they led. The first directory holds the metadata too: without
// it, as without any, the process ends.

// directoryFailed takes a log directory offline on every shard.
func (s *Shard) directoryFailed(dir int, what string) {
	s.broadcast(step.Mail{Kind: mailFailed, Slot: int32(dir), Body: what})
	s.offline(dir, what)
}

func (s *Shard) offline(dir int, what string) {
	d := &s.state.Dirs[dir]
	if d.Offline {
		return
	}
	d.Offline = true
	s.env.Errorf("log directory %s is offline: %s", d.Path, what)
	for _, p := range s.state.Parts {
		if p.Dir == dir {
			s.unfetch(p)
			p.Fail()
			s.unloadCoordinator(p, kerr.NotCoordinator)
		}
	}
	switch {
	case !slices.ContainsFunc(s.state.Dirs, online):
		s.fatal(2, "all log directories are offline ("+d.Path+": "+what+"); check the disk, then start again")
	case dir == 0:
		s.fatal(2, "the log directory with the metadata is offline ("+d.Path+": "+what+"); check the disk, then start again")
	case s.member != nil && s.member.lease.m != nil:
		s.member.lease.act() // the controller is to know it now
	}
}

// directoryAt gives the place of a log directory by its path.
func (s *Shard) directoryAt(path string) int {
	return slices.IndexFunc(s.state.Dirs, func(d api.LogDir) bool { return d.Path == path })
}

func online(d api.LogDir) bool { return !d.Offline }

// place decides in which directory a replica lies: where its log was found, where the metadata say, or, if it is new, where this shard has
// the fewest. false: it lies in one that is not there, and must not be made anew elsewhere.
func (s *Shard) place(p *replica.Partition, x *metadata.Partition) bool {
	dirs := s.state.Dirs
	if len(dirs) == 1 {
		return true
	}
	want := x.Dir(s.node.NodeID)
	assigned := slices.IndexFunc(dirs, func(d api.LogDir) bool { return d.ID == want && want != [16]byte{} })
	found := s.found(p, assigned)
	switch {
	case found >= 0:
		p.Dir = found
	case assigned >= 0:
		p.Dir = assigned
		return !dirs[assigned].Offline
	case want == [16]byte{}:
		p.Dir = s.emptiest()
	case !slices.ContainsFunc(dirs, func(d api.LogDir) bool { return d.Offline }) && len(x.Replicas) > 1:
		p.Dir = s.emptiest() // its disk was replaced or taken out: it is fetched again
	default:
		s.env.Errorf("%s lies in log directory %s, which is not there; bring it back, or delete the topic", nameOf(p), base64.RawURLEncoding.EncodeToString(want[:]))
		return false
	}
	return true
}

// found gives the directory in which a replica's log was when the broker started, rather the assigned one than another; -1 none.
func (s *Shard) found(p *replica.Partition, assigned int) int {
	found := -1
	for i := range s.state.Dirs {
		if s.boot == nil || s.state.Dirs[i].Offline || !s.boot.dirs[i].has(nameOf(p)) {
			continue
		}
		if found >= 0 {
			s.env.Warnf("%s lies in two log directories, %s and %s", nameOf(p), s.state.Dirs[found].Path, s.state.Dirs[i].Path)
		}
		if found < 0 || i == assigned {
			found = i
		}
	}
	return found
}

// emptiest gives the directory that has the fewest of this shard's replicas.
func (s *Shard) emptiest() int {
	n := len(s.state.Dirs)
	count := make([]int, n)
	for _, p := range s.state.Parts {
		count[p.Dir]++
	}
	best := -1
	for k := range n {
		i := (k + s.env.Shard) % n // shards begin with different ones
		if !s.state.Dirs[i].Offline && (best < 0 || count[i] < count[best]) {
			best = i
		}
	}
	return max(best, 0)
}
