package broker

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Names of the files of the log directory itself, as Kafka has them.
const (
	lockName    = ".lock"
	cleanName   = ".kafka_cleanshutdown"
	pointsName  = "recovery-point-offset-checkpoint"
	startsName  = "log-start-offset-checkpoint"
	hwsName     = "replication-offset-checkpoint"
	cleanedName = "cleaner-offset-checkpoint"
	topicsName  = "topic-id-checkpoint" // ours: whose offsets the other two hold
)

// checkpointEach is how often recovery points are gathered: recovery reads at most what was written since, and what was not synced.
const checkpointEach = clock.Second

// directory is shard 0's care for the log directories: the locks, the checkpoints of all shards, the clean-shutdown markers.
type directory struct {
	names    names
	points   map[int32]*pointsMail // by shard
	each     []dirState            // in the order of log.dirs
	writing  bool
	changed  bool
	drained  int     // shards whose requests are answered, while the node stops
	closed   int     // shards that have closed their logs
	wanted   []int32 // shards that wait for their log starts to be on the disk
	unclosed int64   // logs that could not be closed: no marker then
}

// dirState is what it knows of one directory.
type dirState struct {
	lock    disk.File
	topics  []commitlog.TopicName // what topicsName holds; nil: not known
	low     bool                  // less than the reserve is free
	full    fullness
	cleaned []commitlog.Entry // what cleanedName was given last
}

// checkpoint gathers the recovery points and log starts of this shard's logs; shard 0 writes everybody's.
func (s *Shard) checkpoint() {
	if s.phase >= closing {
		return
	}
	s.gatherPoints(false)
	if s.env.Shard == 0 {
		s.writePoints()
		for i := range s.dir.each {
			s.tellFull(i)
		}
		task.Go(s.env, s.askSpace)
	}
	s.saveAwaited()
	s.env.After(&s.timers[timerCheckpoint], checkpointEach)
}

// saveStarts has shard 0 write the checkpoints. One save of this shard is under way at a time.
func (s *Shard) saveStarts() {
	if s.saving {
		return
	}
	s.saving = true
	for _, p := range s.state.Parts {
		p.SaveBegun()
	}
	s.gatherPoints(true)
	if s.env.Shard == 0 {
		s.writePoints()
	}
}

// saved says that the checkpoint has what this shard's last saveStarts gathered.
func (s *Shard) saved() {
	s.saving = false
	for _, p := range s.state.Parts {
		p.SaveDone()
	}
	for _, p := range s.state.Parts {
		if p.StartUnsaved() {
			s.saveStarts()
			return
		}
	}
}

// StartUnsaved is replica.Observer. While logs are opened one save serves them all; at a start it waits until every shard has told of its own.
func (s *Shard) StartUnsaved(*replica.Partition) {
	if s.opening.unsaved = s.phase == booting || s.opening.running > 0 || len(s.opening.queue) > 0; !s.opening.unsaved {
		s.saveStarts()
	}
}

// saveAwaited saves what a truncation waits for, or a replica whose log start counts elsewhere.
func (s *Shard) saveAwaited() {
	for _, p := range s.state.Parts {
		if p.StartUnsaved() || p.Log != nil && p.Log.Capped() && !p.Offline() {
			s.saveStarts()
			return
		}
	}
}

// gatherPoints hands this shard's entries to shard 0, if any has moved. With save set shard 0 says when they are on the disk.
func (s *Shard) gatherPoints(save bool) {
	if !s.pointsMoved() && !save {
		return
	}
	m := &pointsMail{dirs: make([]dirPoints, len(s.state.Dirs))}
	for _, p := range s.state.Parts {
		if p.Log == nil || p.Offline() {
			continue
		}
		d := &m.dirs[p.Dir]
		entry := func(offset int64) commitlog.Entry {
			return commitlog.Entry{Topic: p.Topic, Partition: p.Number, Offset: offset}
		}
		d.points = append(d.points, entry(p.Log.RecoveryPoint()))
		if n := len(d.topics); n == 0 || d.topics[n-1].ID != p.TopicID {
			d.topics = append(d.topics, commitlog.TopicName{Topic: p.Topic, ID: p.TopicID})
		}
		if s.static.Clustered {
			d.hws = append(d.hws, entry(p.HighWatermark()))
		}
		if to := p.Log.CleanedTo(); to > 0 {
			d.cleaned = append(d.cleaned, entry(to))
		}
		if start := p.Log.Start(); start > 0 {
			d.starts = append(d.starts, entry(start))
		}
	}
	want := int64(0)
	if save {
		want = 1
	}
	s.toZero(step.Mail{Kind: mailPoints, Body: m, A: want})
}

// pointsMoved says whether shard 0 must be told something, and takes it as told. A shard at rest makes no garbage each second.
func (s *Shard) pointsMoved() bool {
	moved, sum, cleaned := s.dropped, int64(0), int64(0)
	s.dropped = false
	for _, p := range s.state.Parts {
		if p.Log == nil || p.Offline() {
			continue
		}
		if p.Told(p.Log.RecoveryPoint(), p.Log.Start()) {
			moved = true
		}
		if s.static.Clustered {
			sum += p.HighWatermark()
		}
		cleaned += p.Log.CleanedTo()
	}
	moved = moved || sum != s.toldHW || cleaned != s.toldCleaned
	s.toldHW, s.toldCleaned = sum, cleaned
	return moved
}

// toZero sends to shard 0, or does it at once there.
func (s *Shard) toZero(m step.Mail) {
	m.From, m.To = int32(s.env.Shard), 0
	if s.env.Shard == 0 {
		s.mailArrived(&m)
		return
	}
	s.send(m)
}

// writePoints writes the checkpoints, one task at a time.
func (s *Shard) writePoints() {
	d := &s.dir
	if d.writing || !d.changed {
		return
	}
	d.writing, d.changed = true, false
	wanted := d.wanted
	d.wanted = nil
	task.Go(s.env, func(t *task.Task) {
		err := s.writeCheckpoints(t)
		if t.Stopped() {
			return
		}
		d.writing = false
		if err != nil {
			d.wanted = append(wanted, d.wanted...)
		} else {
			for _, shard := range wanted {
				s.tellSaved(shard)
			}
		}
		if err != nil {
			d.changed = true // tried again at the next tick; until then recovery reads a little more
			s.env.Warnf("cannot write the checkpoints: %v", err)
		}
		s.maybeFinish() // the last shard may have closed its logs meanwhile
		if err == nil && len(d.wanted) > 0 {
			s.writePoints()
		}
	})
}

// tellSaved answers a shard's saveStarts.
func (s *Shard) tellSaved(shard int32) {
	if shard == 0 {
		s.saved()
		return
	}
	s.send(step.Mail{Kind: mailSaved, To: shard})
}

// askSpace asks how much room is left in each directory and tells every shard.
func (s *Shard) askSpace(t *task.Task) {
	for i := range s.state.Dirs {
		path := s.state.Dirs[i].Path
		if s.state.Dirs[i].Offline {
			continue
		}
		free := t.Disk(disk.Request{Kind: disk.Free, Path: path})
		if t.Stopped() {
			return
		}
		if free.Err != disk.OK {
			continue
		}
		s.space(i, free.N, free.Total)
		s.broadcast(step.Mail{Kind: mailSpace, Slot: int32(i), A: free.N, B: free.Total})
		reserve := s.node.DiskReserveBytes
		low := free.N < reserve
		switch d := &s.dir.each[i]; {
		case low && !d.low:
			s.env.Warnf("%s has %d bytes free, %d fewer than disk.reserve.bytes: producers are refused until there is room; free space, lower retention.bytes or delete records", path, free.N, reserve-free.N)
		case !low && d.low:
			s.env.Infof("%s has room again (%d bytes free): producers are served", path, free.N)
		}
		s.dir.each[i].low = low
	}
}

// space takes in how many bytes are free in a directory, of how many.
func (s *Shard) space(dir int, free, total int64) {
	d := &s.state.Dirs[dir]
	d.FreeBytes, d.TotalBytes, d.SinceFree = free, total, 0
}

// writeCheckpoints writes those of each directory that is there.
func (s *Shard) writeCheckpoints(t *task.Task) (err error) {
	for i := range s.state.Dirs {
		if s.state.Dirs[i].Offline {
			continue
		}
		if e := s.writeCheckpointsOf(t, i); e != nil && !s.state.Dirs[i].Offline {
			err = fmt.Errorf("%s: %w", s.state.Dirs[i].Path, e)
		}
		if t.Stopped() {
			return err
		}
	}
	return err
}

// writeCheckpointsOf writes log starts and recovery points, then whose they are: while the three do not agree, as after a crash on the way,
// a topic that is new in them is recovered without, which takes longer and loses nothing.
func (s *Shard) writeCheckpointsOf(t *task.Task, dir int) error {
	var all dirPoints
	for i := int32(0); i < int32(s.shards); i++ {
		if m := s.dir.points[i]; m != nil {
			d := &m.dirs[dir]
			all.points, all.topics, all.hws = append(all.points, d.points...), append(all.topics, d.topics...), append(all.hws, d.hws...)
			all.starts, all.cleaned = append(all.starts, d.starts...), append(all.cleaned, d.cleaned...)
		}
	}
	topics := unambiguous(all.topics)
	path := s.state.Dirs[dir].Path + "/"
	if err := commitlog.WriteCheckpoint(t, path+startsName, all.starts); err != nil {
		return err
	}
	if err := commitlog.WriteCheckpoint(t, path+pointsName, all.points); err != nil {
		return err
	}
	if s.static.Clustered {
		if err := commitlog.WriteCheckpoint(t, path+hwsName, all.hws); err != nil {
			return err
		}
	}
	d := &s.dir.each[dir]
	if !slices.Equal(all.cleaned, d.cleaned) {
		if err := commitlog.WriteCheckpoint(t, path+cleanedName, all.cleaned); err != nil {
			return err
		}
		d.cleaned = all.cleaned
	}
	if slices.Equal(topics, d.topics) {
		return nil
	}
	d.topics = nil
	err := commitlog.WriteTopicNames(t, path+topicsName, topics)
	if err == nil {
		d.topics = topics
	}
	return err
}

// unambiguous sorts topics by name, and leaves out a name that two of them have: one is being removed.
func unambiguous(list []commitlog.TopicName) []commitlog.TopicName {
	slices.SortFunc(list, func(a, b commitlog.TopicName) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), bytes.Compare(a.ID[:], b.ID[:]))
	})
	list = slices.Compact(list)
	out := list[:0:0]
	for i, x := range list {
		if (i == 0 || list[i-1].Topic != x.Topic) && (i+1 == len(list) || list[i+1].Topic != x.Topic) {
			out = append(out, x)
		}
	}
	return out
}

// brokerEpoch is the epoch of this process's registration, -1 if there is none.
func (s *Shard) brokerEpoch() int64 {
	if s.member != nil {
		return s.member.lease.epoch
	}
	return s.ownEpoch()
}

// markClean says of each directory that every log in it was closed with everything synced.
func (s *Shard) markClean(t *task.Task) {
	for i := range s.state.Dirs {
		if !s.state.Dirs[i].Offline && !t.Stopped() {
			s.writeMarker(t, s.state.Dirs[i].Path)
		}
	}
}

// writeMarker writes a directory's marker. Where that fails the next start recovers.
func (s *Shard) writeMarker(t *task.Task, dir string) {
	f := s.env.File()
	if c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: dir + "/" + cleanName, Flags: disk.Create}); c.Err != disk.OK {
		return
	}
	text := markerText(s.brokerEpoch())
	if c := t.Disk(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{[]byte(text)}}); c.Err != disk.OK {
		return
	}
	if c := t.Disk(disk.Request{Kind: disk.Sync, File: f}); c.Err != disk.OK {
		return
	}
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir})
}
