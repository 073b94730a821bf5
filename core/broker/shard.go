package broker

import (
	"strconv"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// Options make a shard.
type Options struct {
	Node   *config.Node
	Shard  int
	Shards int
	Pool   *buf.Pool // that the driver leases this shard's frames from
	Seed   uint64    // of the shard's random stream; production draws it from the system
	// Permute orders timers of equal deadlines where the simulator wants them otherwise than in the order in which they were set; nil in production.
	Permute func(seq uint64) uint64
}

// phase is where a shard is in its life.
type phase uint8

const (
	booting  phase = iota // recovering; nothing is accepted
	serving               // connections are accepted
	draining              // no new requests; what is in flight is answered
	drained               // this shard's requests are answered; it serves other shards
	closing               // logs are being closed
	stopped
)

// Shard is one actor of a broker: it owns the connections that it accepted and the partitions that hash to it.
type Shard struct {
	env           *env.Env
	state         *api.State
	static        *config.Node // as loaded
	node          *config.Node // under what AlterConfigs set
	shards        int
	phase         phase
	conns         []*conn // by the low half of their number
	nConns        int
	accepted      int64             // connections since the start
	refused       int64             // connections above max.connections since the start
	refusalAt     clock.Time        // when the log may tell of them again
	queues        [][]network.Frame // not in use
	timers        [timerKinds]timer.Timer
	boot          *bootData
	opening       opener
	holds         map[[16]byte]*holding // names of topics, by topic id: directories that may be used
	unclaimed     int                   // of holds: not granted yet
	toldHW        int64                 // sum of the high watermarks that shard 0 was told
	toldCleaned   int64                 // sum of the offsets up to which logs are clean
	topicsChanged int64                 // index of the last image with a new, deleted or grown topic
	topicsCreated int64                 // of the last image with a new one
	dropped       bool                  // partitions went since the checkpoints were told, or they never were
	applied       *metadata.Image       // partitions follow this image
	control       *control              // shard 0 only
	member        *member               // shard 0 of a node of a cluster only
	assigns       assigns               // shard 0 only
	follow        followers
	peers         *peer.Pool // connections to other brokers, and to the controller
	txns          txns
	saving        bool      // this shard waits for a checkpoint of log starts
	dir           directory // shard 0 only: checkpoints and the clean-shutdown marker
	drainBy       clock.Time
	doubt         doubt
	cleaning      cleaning
}

var _ step.Stepper = (*Shard)(nil)

// New makes a shard. It does nothing before its Start event.
func New(o Options) *Shard {
	e := env.New(o.Shard, o.Pool, prng.Keyed(o.Seed, "shard"))
	s := &Shard{env: e, static: o.Node, node: o.Node, shards: o.Shards, state: api.NewState(e, o.Node, o.Shards)}
	e.Timers.Permute = o.Permute
	s.state.Image, s.applied = metadata.Empty(), metadata.Empty()
	s.state.Replier, s.state.Doubts, s.dropped = s, s.doubts, true
	s.opening.busy = map[*replica.Partition]bool{}
	s.opening.s, s.holds, s.dir.names = s, map[[16]byte]*holding{}, names{}
	s.dir.points = map[int32]*pointsMail{}
	s.follow.begin()
	s.cleaning.waiting = map[*commitlog.Log]wait{}
	s.peers = peer.NewPool(e, peer.Config{ClientID: "broker-" + strconv.Itoa(int(o.Node.NodeID))})
	s.txns.begin(s)
	s.assigns.begin(s)
	if o.Node.Clustered && o.Shard == 0 {
		s.member = newMember(s)
	}
	for i := range s.timers {
		s.timers[i].Owner, s.timers[i].Kind = s, uint8(i)
	}
	return s
}

// Step is the only way in.
func (s *Shard) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	e := s.env
	e.Now, e.Out = now, out
	s.checkPulse()
	switch ev.Kind {
	case step.FrameArrived:
		s.frame(&ev.Frame)
	case step.DiskDone:
		e.Done(&ev.Disk)
	case step.SendDone:
		e.Sent(ev.Sent)
	case step.MailArrived:
		s.mailArrived(&ev.Mail)
	case step.Flush:
		e.FlushDirty()
	case step.Tick:
	case step.ConnOpened:
		s.opened(&ev.Conn)
	case step.ConnClosed:
		s.closed(&ev.Conn)
	case step.Start:
		s.start()
	case step.Stop:
		s.stop()
	default:
		assert.Never("broker: unknown event")
	}
	for t := e.Timers.Expired(now.Mono); t != nil; t = e.Timers.Expired(now.Mono) {
		t.Owner.TimerFired(t)
	}
	out.Deadline = e.Timers.Next()
	if assert.Invariants {
		s.checkInvariants()
	}
}

// The shard's own timers.
const (
	timerRetention = iota
	timerCheckpoint
	timerDrain
	timerIdle
	timerLag
	timerPulse
	timerClean
	timerKinds
)

// TimerFired is the heap's call.
func (s *Shard) TimerFired(t *timer.Timer) {
	switch t.Kind {
	case timerRetention:
		s.retain()
	case timerCheckpoint:
		s.checkpoint()
	case timerDrain:
		s.drain()
	case timerLag:
		s.checkLag()
	case timerIdle:
		s.sweepIdle()
	case timerPulse:
		s.pulse()
	case timerClean:
		s.clean()
	}
}

// fatal ends the node; what is known to be lost has been answered.
func (s *Shard) fatal(code int, text string) {
	if s.env.Out.Fatal == "" {
		s.env.Out.Fatal, s.env.Out.FatalCode = text, code
	}
}
