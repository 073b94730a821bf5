package broker

import (
	"slices"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
)

// The kinds of mail that the shards of a node send each other, beside the calls of package api.
const (
	mailImage      = api.MailBroker + iota // to all: Body *imageMail
	mailApplied                            // to shard 0: A = index of the image that the sender's partitions follow
	mailPoints                             // to shard 0: Body *pointsMail, the sender's all; A = 1: it waits until they are on the disk
	mailSaved                              // to a shard that wants it: its log starts are on the disk
	mailServe                              // to all: every shard has recovered; accept
	mailFailed                             // to all: log directory Slot failed; Body string says how
	mailSpace                              // to all: log directory Slot has A bytes free, of B
	mailFull                               // to shard 0: log directory Slot had no room for A bytes of the log whose directory is Body string
	mailClaim                              // to shard 0: Body nameClaim; names.go
	mailGranted                            // to a shard: Body nameClaim
	mailRelease                            // to shard 0: Body nameClaim
	mailDrained                            // to shard 0: the sender's requests are answered
	mailClose                              // to all: every shard is drained; close the logs
	mailClosed                             // to shard 0: the sender has closed its logs, but for A of them
	mailAlter                              // to shard 0: Body *alter, a proposal of the sender's
	mailAltered                            // to a shard: Body *alter, its answer
	mailAssign                             // to shard 0: Body assign, where a replica of the sender's lies
	mailController                         // to all: A = node id of the active controller, -1 none
	mailTruncated                          // to shard 0: a log of the sender's has lost synced records
	mailLogEnd                             // to shard 0: Body controller.LogEnd, of a log of the sender's that nobody leads
	mailDoubt                              // to shard 0: A = when the sender began to doubt; doubt.go
	mailSure                               // to all: it ends with the image of index A, if it began until B
	mailDrain                              // to all, of a node of a cluster: drain. A = an image that all shards follow, -1: some log is not open yet
	MailStats                              // from outside: answered with Body *stats.Snapshot
	MailStatus                             // from outside: answered with Body string, as admin shows it
	MailTimes                              // from outside: Body []TimeQuery, answered with Body []TimeQuery
)

// imageMail brings a newer image; the first one brings what recovery needs.
type imageMail struct {
	img  *metadata.Image
	boot *bootData
}

// bootData is what shard 0 read from the directories before any log was opened.
type bootData struct {
	clean  bool      // the last run stopped cleanly, in every directory
	epoch  int64     // the broker epoch that it had, -1 not known
	synced int64     // the newest broker epoch that was synced in every directory, -1 not known
	dirs   []bootDir // in the order of log.dirs
}

// bootDir is what shard 0 read from one directory.
type bootDir struct {
	failed  string   // why it cannot be used; "" it can
	id      [16]byte // directory.id
	fresh   bool     // nobody has used it before
	clean   bool     // the last run stopped cleanly
	epoch   int64    // the broker epoch that it had, -1 not known
	points  map[string]int64
	cleaned map[string]int64
	starts  map[string]int64
	hws     map[string]int64    // high watermarks, of a node of a cluster
	named   bool                // the next one was there
	topics  map[string][16]byte // whose offsets points and starts are
	logs    []string            // all directories that are there, sorted
}

// isOf says whether the checkpoints' offsets for a name are those of this topic, not of one that had the name before. A directory without
// the file that says so is Kafka's, or the first checkpoint was not written to its end.
func (b *bootDir) isOf(name string, id [16]byte) bool { return !b.named || b.topics[name] == id }

// has says whether a log of that name is there.
func (b *bootDir) has(name string) bool {
	_, ok := slices.BinarySearch(b.logs, name)
	return ok
}

// bootOf gives what was read from the directory of a partition, if that concerns its topic; else nil.
func (s *Shard) bootOf(p *replica.Partition) *bootDir {
	if s.boot == nil || !s.boot.dirs[p.Dir].isOf(p.Topic, p.TopicID) {
		return nil
	}
	return &s.boot.dirs[p.Dir]
}

// pointsMail are a shard's recovery points and log starts, by directory.
type pointsMail struct{ dirs []dirPoints }

// dirPoints are those of one directory, and which topics they are of.
type dirPoints struct {
	points  []commitlog.Entry
	starts  []commitlog.Entry // above 0
	topics  []commitlog.TopicName
	hws     []commitlog.Entry // high watermarks, of a node of a cluster
	cleaned []commitlog.Entry // up to where logs are clean, above 0
}

func (s *Shard) send(m step.Mail) {
	m.From = int32(s.env.Shard)
	s.env.Out.Mail = append(s.env.Out.Mail, m)
}

// pointsOf takes where a shard's logs stand, and with wanted tells it when that is on the disk.
func (s *Shard) pointsOf(shard int32, points *pointsMail, wanted bool) {
	s.dir.points[shard], s.dir.changed = points, true
	if !wanted {
		return
	}
	s.dir.wanted = append(s.dir.wanted, shard)
	if shard != 0 {
		s.writePoints()
	}
}

// broadcast sends to every shard but this one.
func (s *Shard) broadcast(m step.Mail) {
	for i := 0; i < s.shards; i++ {
		if i != s.env.Shard {
			m.To = int32(i)
			s.send(m)
		}
	}
}

func (s *Shard) mailArrived(m *step.Mail) {
	if m.Kind < api.MailBroker {
		s.state.Mail(m)
		return
	}
	if m.Kind >= link.MailState {
		if s.phase < stopped {
			s.member.fromLane(m)
		}
		return
	}
	switch m.Kind {
	case mailImage:
		b := m.Body.(*imageMail)
		if s.phase < closing {
			s.image(b.img, b.boot)
		}
	case mailApplied:
		s.control.appliedBy(int(m.From), m.A)
	case mailPoints:
		s.pointsOf(m.From, m.Body.(*pointsMail), m.A != 0)
	case mailSaved:
		s.saved()
	case mailServe:
		s.serve()
	case mailFailed:
		s.offline(int(m.Slot), m.Body.(string))
	case mailSpace:
		s.space(int(m.Slot), m.A, m.B)
	case mailFull:
		s.noRoom(int(m.Slot), m.Body.(string), m.A)
	case mailClaim:
		s.claimed(m.Body.(nameClaim))
	case mailGranted:
		s.granted(m.Body.(nameClaim).id)
	case mailRelease:
		s.released(m.Body.(nameClaim))
	case mailDrained:
		s.othersDrained()
	case mailAlter:
		s.member.alters.add(m.Body.(*alter))
	case mailAltered:
		s.altered(m.Body.(*alter))
	case mailAssign:
		s.assigns.add(m.Body.(assign))
	case mailController:
		s.state.ControllerID = int32(m.A)
	case mailTruncated:
		s.member.lease.truncated = true
	case mailLogEnd:
		s.member.lease.tell(m.Body.(controller.LogEnd))
	case mailDoubt:
		s.member.lease.doubted(clock.Time(m.A))
	case mailSure:
		s.sure(m.A, clock.Time(m.B))
	case mailDrain:
		s.beginDrain(m.A >= 0)
	case mailClose:
		s.close()
	case mailClosed:
		s.dir.closed++
		s.dir.unclosed += m.A
		s.maybeFinish()
	default:
		s.outside(m)
	}
}

// outside answers who looks at the process.
func (s *Shard) outside(m *step.Mail) {
	switch m.Kind {
	case MailStats:
		s.stats(m)
	case MailStatus:
		s.send(step.Mail{Kind: MailStatus, To: step.Outside, Token: m.Token, Body: s.status()})
	case MailTimes:
		s.times(m)
	}
}
