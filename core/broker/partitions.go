package broker

import (
	"errors"
	"slices"
	"strconv"

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

// opener opens the logs of partitions that an image brought, some at a time. A topic may be deleted and made again while the logs of the first
// are still being opened or removed: the new ones wait, for both have the same directories.
//
//	queue ─ directory free ─▶ running ─▶ open
//	  ▲ └─ directory busy ─▶ blocked ─ freed ─┐
//	  └────────────────────────────────────────┘
type opener struct {
	s       *Shard
	queue   []*replica.Partition
	blocked []*replica.Partition
	busy    map[string]int // directories in which logs are being opened or removed, by name
	running int
}

// dirName is the directory of a partition's log, below the log directory.
func dirName(topic string, number int32) string { return topic + "-" + strconv.Itoa(int(number)) }

// hold marks a directory as in use until release.
func (o *opener) hold(name string) { o.busy[name]++ }

// release lets those go on that waited for the directory.
func (o *opener) release(name string) {
	if o.busy[name]--; o.busy[name] > 0 {
		return
	}
	delete(o.busy, name)
	o.queue = append(o.queue, o.blocked...)
	o.blocked = nil
}

// image makes this shard follow a newer image: settings change at once, new partitions are opened, removed ones deleted.
func (s *Shard) image(img *metadata.Image, boot *bootData) {
	if plant.On(plant.P5) && s.env.Shard > 0 && boot == nil {
		s.send(step.Mail{Kind: mailApplied, To: 0, A: img.Index()})
		return
	}
	if boot != nil {
		s.boot = boot
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
			s.removeTopic(t)
		}
	}
	for _, t := range img.Topics() {
		if before := old.TopicByID(t.ID); before != t {
			s.followTopic(t)
		}
	}
	s.opening.next()
	s.reportApplied()
}

// refreshConfigs hands every open log its settings anew: a broker's default changed.
func (s *Shard) refreshConfigs() {
	for _, p := range s.state.Parts {
		if t := s.applied.TopicByID(p.TopicID); t != nil && p.Log != nil {
			p.Log.SetConfig(s.logConfig(t))
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
		r := s.state.Partition(t.ID, number)
		if r == nil {
			r = replica.New(s.env, t.Name, t.ID, number, p.LeaderEpoch, s.node.Flush == config.FlushAck)
			r.Observer = s
			s.state.AddPartition(r)
			s.opening.queue = append(s.opening.queue, r)
			continue
		}
		r.LeaderEpoch = p.LeaderEpoch
		if r.Log != nil {
			r.Log.SetConfig(s.logConfig(t))
		}
	}
}

func (s *Shard) removeTopic(t *metadata.Topic) {
	s.forgetTopic(t.Name)
	for n := range t.Partitions {
		r := s.state.Partition(t.ID, int32(n))
		if r == nil {
			continue
		}
		s.unloadGroup(r, kerr.NotCoordinator)
		r.Close(kerr.UnknownTopicOrPartition)
		s.state.DropPartition(r)
		if r.Log == nil {
			continue // still being opened: opened finds it dropped and removes it
		}
		s.removeLog(r, r.Log)
	}
}

// forgetTopic drops the offsets that groups committed for a topic that is gone.
func (s *Shard) forgetTopic(name string) {
	for _, p := range s.state.Parts {
		if g := s.groupOf(p); g != nil {
			g.TopicDeleted(name)
		}
	}
}

func (s *Shard) removeLog(p *replica.Partition, l *commitlog.Log) {
	name := dirName(p.Topic, p.Number)
	s.opening.hold(name)
	task.Go(s.env, func(t *task.Task) {
		err := l.Remove(t)
		if t.Stopped() {
			return
		}
		if err != disk.OK {
			s.env.Warnf("cannot remove %s: %v; remove it by hand", l.Dir(), err)
		}
		s.opening.release(name)
		s.opening.next()
		s.reportApplied()
	})
}

// next starts as many openings as may run.
func (o *opener) next() {
	for o.running < maxOpening && len(o.queue) > 0 {
		p := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		if o.s.state.Partition(p.TopicID, p.Number) != p {
			continue // removed before its turn
		}
		name := dirName(p.Topic, p.Number)
		if o.busy[name] > 0 {
			o.blocked = append(o.blocked, p)
			continue
		}
		o.hold(name)
		o.running++
		task.Go(o.s.env, func(t *task.Task) { o.s.open(t, p) })
	}
	if len(o.queue) == 0 {
		o.queue = nil
	}
}

func (s *Shard) open(t *task.Task, p *replica.Partition) {
	name := dirName(p.Topic, p.Number)
	opt := commitlog.Options{Listener: p, Create: true, TopicID: p.TopicID}
	if mt := s.applied.TopicByID(p.TopicID); mt != nil {
		opt.Config = s.logConfig(mt)
	} else {
		opt.Config = commitlog.DefaultConfig()
	}
	if b := s.boot; b != nil && s.phase == booting {
		opt.RecoveryPoint, opt.StartOffset, opt.Clean = b.points[name], b.starts[name], b.clean
	}
	l, err := s.openLog(t, s.node.LogDir+"/"+name, opt)
	if t.Stopped() {
		return
	}
	s.opening.running--
	switch {
	case err != nil:
		s.env.Errorf("cannot open %s/%s: %v; check the disk, then start again", s.node.LogDir, name, err)
		s.directoryFailed("cannot open " + name + ": " + err.Error())
	case s.state.Partition(p.TopicID, p.Number) != p:
		s.removeLog(p, l)
	default:
		p.Opened(l)
		s.loadGroup(p)
	}
	s.opening.release(name)
	s.opening.next()
	s.reportApplied()
}

// openLog opens a log, an empty one where the directory holds that of a topic which is gone: the name was given again, and the broker was
// killed before it had removed what had it first.
func (s *Shard) openLog(t *task.Task, dir string, opt commitlog.Options) (*commitlog.Log, error) {
	l, err := commitlog.Open(t, s.env, dir, opt)
	if bad := (*commitlog.Corrupt)(nil); errors.As(err, &bad) && !t.Stopped() {
		// The disk lost bytes that it had reported as synced. Without another replica there is nothing to fetch them from: what is
		// left is served, and the loss is told.
		s.env.Errorf("%s has lost records: offsets %d to %d were synced and are gone or damaged; the disk or its controller lies about syncs: replace it, and restore those records from where they came", dir, bad.End, bad.RecoveryPoint-1)
		opt.RecoveryPoint, opt.Clean = 0, false
		l, err = commitlog.Open(t, s.env, dir, opt)
	}
	if err != nil || t.Stopped() || l.TopicID() == opt.TopicID {
		return l, err
	}
	s.env.Warnf("%s holds a log of a topic that was deleted; it is removed", dir)
	if c := l.Remove(t); c != disk.OK {
		return nil, c
	}
	opt.RecoveryPoint, opt.StartOffset = 0, 0
	return commitlog.Open(t, s.env, dir, opt)
}

// reportApplied tells shard 0 that this shard's partitions follow the image, once nothing is left to open.
func (s *Shard) reportApplied() {
	if s.opening.running > 0 || len(s.opening.queue) > 0 || len(s.opening.blocked) > 0 {
		return
	}
	if s.env.Shard == 0 {
		s.control.appliedBy(0, s.applied.Index())
		return
	}
	s.send(step.Mail{Kind: mailApplied, To: 0, A: s.applied.Index()})
}

// maxUnsynced bounds what flush.policy=os leaves unsynced in the directory, in bytes; each shard keeps to its share.
const maxUnsynced = 256 << 20

// snapshotEach is how many bytes of one log lie between two snapshots of producer state; it bounds recovery.
const snapshotEach = 4 << 20

func (s *Shard) logConfig(t *metadata.Topic) commitlog.Config {
	c := s.state.Settings(t)
	x := commitlog.Config{
		SegmentBytes: c.SegmentBytes, SegmentMS: c.SegmentMS, SegmentJitterMS: c.SegmentJitterMS,
		IndexIntervalBytes: c.IndexIntervalBytes, IndexBytes: c.SegmentIndexBytes,
		RetentionBytes: c.RetentionBytes, RetentionMS: c.RetentionMS, Delete: c.Delete,
		FlushAck: s.node.Flush == config.FlushAck, SnapshotBytes: snapshotEach, ProducerExpiryMS: s.node.ProducerIDExpirationMS,
	}
	if !x.FlushAck {
		x.FlushBytes, x.FlushAge = maxUnsynced/int64(4*s.shards), 5*clock.Second
	}
	return x
}

// HighWatermarkMoved is replica.Observer.
func (s *Shard) HighWatermarkMoved(p *replica.Partition) {
	if g := s.groupOf(p); g != nil {
		g.HighWatermarkMoved(p.HighWatermark())
	}
}

// Failed is replica.Observer: a sync failed, or the disk answered with an error.
func (s *Shard) Failed(p *replica.Partition, err disk.Err, what string) {
	s.directoryFailed(what + " of " + p.Log.Dir() + ": " + err.Error())
}

// TakenBack is replica.Observer: the disk is full.
func (s *Shard) TakenBack(p *replica.Partition, from int64) {
	s.env.Warnf("%s is full: %s needs %d bytes more; free space there or lower retention.bytes", s.node.LogDir, p.Log.Dir(), p.Missing())
	if g := s.groupOf(p); g != nil {
		g.Failed(from)
		delete(s.state.Groups, p.Number)
		s.loadGroup(p) // from what the log still has
	}
	s.state.FreeBytes = 0 // until it is asked again
}

// directoryFailed takes the log directory offline on every shard. It is the only one, so the broker ends.
func (s *Shard) directoryFailed(what string) {
	s.broadcast(step.Mail{Kind: mailFailed, Body: what})
	s.offline(what)
}

func (s *Shard) offline(what string) {
	if s.state.Offline {
		return
	}
	s.state.Offline = true
	s.env.Errorf("log directory %s is offline: %s", s.node.LogDir, what)
	for _, p := range s.state.Parts {
		p.Fail()
	}
	s.fatal(2, "all log directories are offline ("+s.node.LogDir+": "+what+"); check the disk, then start again")
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
