package broker

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// maxOpening bounds the logs that one shard opens at a time: each has a few requests in flight and a recovery buffer.
const maxOpening = 32

// opener opens the logs of partitions that an image brought, some at a time.
type opener struct {
	s       *Shard
	queue   []*replica.Partition
	running int
	busy    map[*replica.Partition]bool // that are being opened; lookups only
	unsaved bool                        // log starts are to be saved once all are open
}

// image makes this shard follow a newer image: settings change at once, new partitions are opened, removed ones deleted.
func (s *Shard) image(img *metadata.Image, boot *bootData) {
	if plant.On(plant.P5) && s.env.Shard > 0 && boot == nil {
		s.send(step.Mail{Kind: mailApplied, To: 0, A: img.Index()})
		return
	}
	if boot != nil {
		s.boot = boot
		s.knowDirectories(boot)
	}
	if img.Index() <= s.applied.Index() {
		return
	}
	old := s.applied
	s.applied = img
	s.state.SetImage(img)
	if !slices.Equal(old.Resources(), img.Resources()) {
		s.node = controller.Effective(s.static, img)
		s.state.Node = s.node
		s.refreshConfigs()
	}
	for _, t := range old.Topics() {
		if img.TopicByID(t.ID) == nil {
			s.topicsChanged = img.Index()
			s.removeTopic(t)
		}
	}
	for _, t := range img.Topics() {
		if before := old.TopicByID(t.ID); before != t {
			s.noteTopic(before, t)
			s.followTopic(t)
		}
	}
	s.followBrokers(old)
	s.txns.follow()
	s.setRates()
	s.opening.next()
	s.reportApplied()
}

// noteTopic notes what makes consumer groups look at their subscriptions anew.
func (s *Shard) noteTopic(before, t *metadata.Topic) {
	if before == nil {
		s.topicsCreated = s.applied.Index()
	}
	if before == nil || len(before.Partitions) != len(t.Partitions) {
		s.topicsChanged = s.applied.Index()
	}
}

// refreshConfigs hands every open log its settings anew: a broker's default changed.
func (s *Shard) refreshConfigs() {
	for _, p := range s.state.Parts {
		t := s.applied.TopicByID(p.TopicID)
		if t == nil {
			continue
		}
		s.configure(p, t)
		if s.static.Clustered && t.Partition(p.Number) != nil {
			p.Apply(s.partitionState(t, p.Number), s.env.Now.Mono) // min.insync.replicas
		}
	}
}

// followTopic opens what is new in a topic and hands changed settings to what is open.
func (s *Shard) followTopic(t *metadata.Topic) {
	for n := range t.Partitions {
		number, p := int32(n), &t.Partitions[n]
		if api.Owner(t.Name, number, s.shards) != s.env.Shard {
			continue
		}
		if s.static.Clustered {
			s.followPartition(t, number)
			continue
		}
		r := s.state.Partition(t.ID, number)
		if r == nil {
			if r = s.newPartition(t, number); !r.Offline() {
				s.checkDirectory(t, r)
				s.openLater(t, r)
			}
			continue
		}
		s.checkDirectory(t, r)
		r.LeaderEpoch = p.LeaderEpoch
		s.configure(r, t)
	}
}

// configure hands a topic's settings to a partition's log, if it is open.
func (s *Shard) configure(p *replica.Partition, t *metadata.Topic) {
	if p.Log != nil {
		p.Log.SetConfig(s.logConfig(t))
	}
}

// newPartition makes a partition known, before its log is open: offline if that cannot be reached.
func (s *Shard) newPartition(t *metadata.Topic, number int32) *replica.Partition {
	p := replica.New(s.env, t.Name, t.ID, number, t.Partitions[number].LeaderEpoch, s.node.Flush == config.FlushAck)
	p.Observer = s
	p.LagMax = clock.MS(s.node.ReplicaLagTimeMaxMS)
	s.throttle(p, t)
	here := s.place(p, &t.Partitions[number])
	if b := s.bootOf(p); b != nil {
		p.HWCheckpoint = b.hws[nameOf(p)]
	}
	s.state.AddPartition(p)
	if !here {
		p.Fail()
	}
	return p
}

func (s *Shard) removeTopic(t *metadata.Topic) {
	s.forgetTopic(t.Name)
	for n := range t.Partitions {
		r := s.state.Partition(t.ID, int32(n))
		if r == nil {
			continue
		}
		s.forget(r, kerr.UnknownTopicOrPartition)
		if r.Log != nil { // else it waits for its opening, or open finds it dropped and removes it
			s.removeLog(r.Log, func() { s.logGone(t.ID) })
		}
	}
	s.dropName(t.ID)
}

// forgetTopic drops the offsets that groups committed for a topic that is gone.
func (s *Shard) forgetTopic(name string) {
	for _, p := range s.state.Parts {
		if g := s.groupOf(p); g != nil {
			g.TopicDeleted(name)
		}
	}
}

// next starts as many openings as may run.
func (o *opener) next() {
	for o.running < maxOpening && len(o.queue) > 0 {
		p := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		if o.s.state.Partition(p.TopicID, p.Number) != p || p.Offline() {
			continue // removed before its turn, or its directory failed
		}
		o.running++
		task.Go(o.s.env, func(t *task.Task) { o.s.open(t, p) })
	}
	if len(o.queue) > 0 {
		return
	}
	o.queue = nil
	if o.running == 0 && o.unsaved && o.s.phase != booting {
		o.unsaved = false
		o.s.saveAwaited()
	}
}

// open opens a partition's log, which its topic's name is held for.
func (s *Shard) open(t *task.Task, p *replica.Partition) {
	s.holds[p.TopicID].logs++
	s.opening.busy[p] = true
	l, err := s.openLog(t, p)
	if t.Stopped() {
		return
	}
	s.opening.running--
	if errors.Is(err, disk.ErrNoSpace) && s.phase != booting {
		s.noRoom(p.Dir, s.dirOf(p), 0)
		s.opening.next()
		s.reportApplied()
		if l, err = s.openAgain(t, p); t.Stopped() {
			return
		}
	}
	delete(s.opening.busy, p)
	dropped := s.state.Partition(p.TopicID, p.Number) != p
	switch {
	case err != nil && dropped:
		s.partitionGone(p)
	case err != nil:
		s.logGone(p.TopicID)
		s.env.Errorf("cannot open %s: %v; check the disk, then start again", s.dirOf(p), err)
		s.directoryFailed(p.Dir, "cannot open "+nameOf(p)+": "+err.Error())
	case dropped:
		s.removeLog(l, func() { s.partitionGone(p) })
	case s.phase >= closing:
		// It is empty or as it was: nothing is lost by not closing it.
	case p.Offline():
		s.logGone(p.TopicID) // its directory failed meanwhile
	default:
		p.Opened(l)
		if !s.static.Clustered {
			s.loadCoordinator(p)
		} else if t := s.applied.TopicByID(p.TopicID); t != nil {
			s.tellLogEnd(t, p)
		}
	}
	s.opening.next()
	s.reportApplied()
}

// openAgain tries each second, until there is space or the topic is gone; then what was made of the log is made whole, so that it can be
// removed like another.
func (s *Shard) openAgain(t *task.Task, p *replica.Partition) (l *commitlog.Log, err error) {
	for {
		t.Sleep(clock.Second)
		if t.Stopped() {
			return nil, disk.ErrIO
		}
		if s.state.Partition(p.TopicID, p.Number) != p {
			s.removeDirectories(t, []string{s.dirOf(p)})
			return nil, disk.ErrNotExist
		}
		if l, err = s.openLog(t, p); !errors.Is(err, disk.ErrNoSpace) {
			return l, err
		}
	}
}

func (s *Shard) dirOf(p *replica.Partition) string {
	return s.state.Dirs[p.Dir].Path + "/" + nameOf(p)
}

// nameOf is what the directory of a partition's log is called.
func nameOf(p *replica.Partition) string { return p.Topic + "-" + strconv.Itoa(int(p.Number)) }

// openLog opens or makes a log. What a crash has left there of a deleted topic of the same name goes first.
func (s *Shard) openLog(t *task.Task, p *replica.Partition) (*commitlog.Log, error) {
	opt := commitlog.Options{Listener: p, Create: true, TopicID: p.TopicID, Config: commitlog.DefaultConfig()}
	if mt := s.applied.TopicByID(p.TopicID); mt != nil {
		opt.Config = s.logConfig(mt)
	}
	if s.boot != nil && s.phase == booting {
		opt.Owner = s.boot.dirs[p.Dir].topics[p.Topic]
	}
	if b := s.bootOf(p); b != nil && s.phase == booting {
		name := nameOf(p)
		opt.RecoveryPoint, opt.StartOffset, opt.Clean = b.points[name], b.starts[name], b.clean
		opt.CleanedTo = b.cleaned[name]
	}
	l, err := commitlog.Open(t, s.env, s.dirOf(p), opt)
	if bad := (*commitlog.Corrupt)(nil); errors.As(err, &bad) && !t.Stopped() {
		// The disk lost bytes that it had reported as synced. Without another replica there is nothing to fetch them from: what is
		// left is served, and the loss is told.
		s.lostSynced(p, bad)
		opt.RecoveryPoint, opt.Clean = 0, false
		l, err = commitlog.Open(t, s.env, s.dirOf(p), opt)
	}
	if foreign := (*commitlog.Foreign)(nil); !errors.As(err, &foreign) || s.applied.TopicByID(foreign.TopicID) != nil {
		return l, err
	}
	gone, failed := commitlog.SetAside(t, s.env, s.dirOf(p))
	if failed != disk.OK {
		return nil, err
	}
	task.Go(s.env, func(t *task.Task) { s.removeDirectories(t, []string{gone}) })
	return commitlog.Open(t, s.env, s.dirOf(p), opt)
}

// lostSynced tells that a log ends, or is damaged, below what was synced. In a cluster the controller must know it before this broker
// takes part again.
func (s *Shard) lostSynced(p *replica.Partition, bad *commitlog.Corrupt) {
	advice := "restore those records from where they came"
	if s.static.Clustered {
		s.toZero(step.Mail{Kind: mailTruncated})
		advice = "what its leader has is fetched again"
	}
	s.env.Errorf("%s has lost records: offsets %d to %d were synced and are gone or damaged; the disk or its controller lies about syncs: replace it, and %s", s.dirOf(p), bad.End, bad.RecoveryPoint-1, advice)
}

// reportApplied tells shard 0 that this shard's partitions follow the image, once nothing is left to open. Before that, at the start, it tells
// where its logs stand: shard 0 replaces the last run's checkpoints, and what is not in them is lost with the power.
func (s *Shard) reportApplied() {
	if s.opening.running > 0 || len(s.opening.queue) > 0 || s.unclaimed > 0 || len(s.follow.after) > 0 {
		return
	}
	if s.phase == booting {
		s.gatherPoints(false)
	}
	if s.env.Shard == 0 {
		s.control.appliedBy(0, s.applied.Index())
		return
	}
	s.send(step.Mail{Kind: mailApplied, To: 0, A: s.applied.Index()})
}

// maxUnsynced bounds what flush.policy=os leaves unsynced in the directory, in bytes, with sixteen busy logs; each shard keeps to its share. What is
// unsynced is read, written and synced once more after a kill, before the broker serves.
const maxUnsynced = 256 << 20

// snapshotEach is how many bytes of one log lie between two snapshots of producer state; it bounds recovery.
const snapshotEach = 4 << 20

func (s *Shard) logConfig(t *metadata.Topic) commitlog.Config {
	c := s.state.Settings(t)
	x := commitlog.Config{
		SegmentBytes: c.SegmentBytes, SegmentMS: c.SegmentMS, SegmentJitterMS: c.SegmentJitterMS,
		IndexIntervalBytes: c.IndexIntervalBytes, IndexBytes: c.SegmentIndexBytes,
		RetentionBytes: c.RetentionBytes, RetentionMS: c.RetentionMS, Delete: c.Delete,
		DeleteRetentionMS: c.DeleteRetentionMS, MinCompactionLagMS: c.MinCompactionLagMS, MaxCompactionLagMS: c.MaxCompactionLagMS,
		FlushAck: s.node.Flush == config.FlushAck, SnapshotBytes: snapshotEach, ProducerExpiryMS: s.node.ProducerIDExpirationMS,
	}
	if c.Compact && c.MaxCompactionLagMS < x.SegmentMS { // KIP-354
		x.SegmentMS = c.MaxCompactionLagMS
	}
	if !x.FlushAck {
		x.FlushBytes, x.FlushAge = maxUnsynced/int64(16*s.shards), 5*clock.Second
	}
	return x
}

// HighWatermarkMoved is replica.Observer.
func (s *Shard) HighWatermarkMoved(p *replica.Partition) {
	if c := s.coordinatorOf(p); c != nil {
		c.HighWatermarkMoved(p.HighWatermark())
	}
}

// Failed is replica.Observer: a sync failed, or the disk answered with an error.
func (s *Shard) Failed(p *replica.Partition, err disk.Err, what string) {
	s.directoryFailed(p.Dir, strings.TrimSuffix(what, ": ")+": "+err.Error()) // what names the file, and ends with the driver's words if it has any
}

// TakenBack is replica.Observer: the disk is full.
func (s *Shard) TakenBack(p *replica.Partition, from int64) {
	s.noRoom(p.Dir, p.Log.Dir(), p.Missing())
	if c := s.coordinatorOf(p); c != nil && p.IsLeader() {
		s.dropCoordinator(p)
		c.Failed(from)
		s.loadCoordinator(p) // from what the log still has
	}
	s.state.Dirs[p.Dir].FreeBytes = 0 // until it is asked again
	s.restFetching(p)
}

// retain applies retention to every log of this shard.
func (s *Shard) retain() {
	for _, p := range s.state.Parts {
		if p.Log != nil && !p.Offline() {
			p.Log.Retain(s.env.Now, p.HighWatermark())
		}
	}
	s.env.After(&s.timers[timerRetention], clock.MS(s.node.RetentionCheckMS))
}
