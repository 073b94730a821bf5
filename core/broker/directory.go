package broker

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Names of the files of the log directory itself, as Kafka has them.
const (
	lockName   = ".lock"
	cleanName  = ".kafka_cleanshutdown"
	pointsName = "recovery-point-offset-checkpoint"
	startsName = "log-start-offset-checkpoint"
	hwsName    = "replication-offset-checkpoint"
	topicsName = "topic-id-checkpoint" // ours: whose offsets the other two hold
)

// checkpointEach is how often recovery points are gathered: recovery reads at most what was written since, and what was not synced.
const checkpointEach = clock.Second

// directory is shard 0's care for the log directory: the lock, the checkpoints of all shards, the clean-shutdown marker.
type directory struct {
	names    names
	points   map[int32]*pointsMail // by shard
	starts   map[int32][]commitlog.Entry
	boot     *bootData // what the checkpoints held, until every shard has said what they are to hold
	lock     disk.File
	meta     *solo.Opened
	writing  bool
	changed  bool
	topics   []commitlog.TopicName // what topicsName holds; nil: not known
	drained  int                   // shards whose requests are answered, while the node stops
	closed   int                   // shards that have closed their logs
	low      bool                  // less than the reserve is free
	wanted   []int32               // shards that wait for their log starts to be on the disk
	unclosed int64                 // logs that could not be closed: no marker then
}

// checkpoint gathers the recovery points and log starts of this shard's logs; shard 0 writes everybody's.
func (s *Shard) checkpoint() {
	if s.phase >= closing {
		return
	}
	s.gatherPoints(false)
	if s.env.Shard == 0 {
		s.writePoints()
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

// StartUnsaved is replica.Observer. While logs are opened, as at a start, one save serves them all.
func (s *Shard) StartUnsaved(*replica.Partition) {
	if s.opening.unsaved = s.opening.running > 0 || len(s.opening.queue) > 0; !s.opening.unsaved {
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

// gatherPoints hands this shard's entries to shard 0, if any has moved, and once at least. With save set shard 0 says when they are on the disk.
func (s *Shard) gatherPoints(save bool) {
	if !s.pointsMoved() && !save {
		return
	}
	var starts []commitlog.Entry
	m := &pointsMail{}
	for _, p := range s.state.Parts {
		var a, b, hw int64
		switch {
		case p.Offline():
			continue
		case p.Log != nil:
			a, b, hw = p.Log.RecoveryPoint(), p.Log.Start(), p.HighWatermark()
		case s.boot == nil || !s.boot.isOf(p.Topic, p.TopicID):
			continue
		default: // it is being recovered from what the checkpoints have: they keep it
			a, b, hw = s.boot.of(p.Topic, p.Number)
		}
		m.points = append(m.points, commitlog.Entry{Topic: p.Topic, Partition: p.Number, Offset: a})
		if n := len(m.topics); n == 0 || m.topics[n-1].ID != p.TopicID {
			m.topics = append(m.topics, commitlog.TopicName{Topic: p.Topic, ID: p.TopicID})
		}
		if s.static.Clustered {
			m.hws = append(m.hws, commitlog.Entry{Topic: p.Topic, Partition: p.Number, Offset: hw})
		}
		if b > 0 {
			starts = append(starts, commitlog.Entry{Topic: p.Topic, Partition: p.Number, Offset: b})
		}
	}
	want := int64(0)
	if save {
		want = 1
	}
	s.toZero(step.Mail{Kind: mailStarts, Body: starts, A: want})
	s.toZero(step.Mail{Kind: mailPoints, Body: m})
}

// pointsMoved says whether shard 0 must be told something, and takes it as told. A shard at rest makes no garbage each second.
func (s *Shard) pointsMoved() bool {
	moved, sum := s.dropped, int64(0)
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
	}
	moved = moved || sum != s.toldHW
	s.toldHW = sum
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

// writePoints writes both checkpoints, one task at a time.
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
		if err != nil && !s.state.Offline {
			d.changed = true // tried again at the next tick; until then recovery reads a little more
			s.env.Warnf("cannot write the checkpoints of %s: %v", s.node.LogDir, err)
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

// askSpace asks how much room is left and tells every shard.
func (s *Shard) askSpace(t *task.Task) {
	free := t.Disk(disk.Request{Kind: disk.Free, Path: s.node.LogDir})
	if t.Stopped() || free.Err != disk.OK {
		return
	}
	s.space(free.N, free.Total)
	s.broadcast(step.Mail{Kind: mailSpace, A: free.N, B: free.Total})
	reserve := s.node.DiskReserveBytes
	if low := free.N < reserve; low != s.dir.low {
		s.dir.low = low
		if low {
			s.env.Warnf("%s has %d bytes free, %d fewer than disk.reserve.bytes: producers are refused until there is room; free space, lower retention.bytes or delete records", s.node.LogDir, free.N, reserve-free.N)
		} else {
			s.env.Infof("%s has room again (%d bytes free): producers are served", s.node.LogDir, free.N)
		}
	}
}

// space takes in how many bytes are free, of how many.
func (s *Shard) space(free, total int64) {
	s.state.FreeBytes, s.state.TotalBytes, s.state.SinceFree = free, total, 0
}

// writeCheckpoints writes log starts and recovery points, then whose they are: while the three do not agree, as after a crash on the way,
// a topic that is new in them is recovered without, which takes longer and loses nothing.
func (s *Shard) writeCheckpoints(t *task.Task) error {
	var points, starts, hws []commitlog.Entry
	var topics []commitlog.TopicName
	for i := int32(0); i < int32(s.shards); i++ {
		m, begin := s.toldBy(i)
		points, topics, hws, starts = append(points, m.points...), append(topics, m.topics...), append(hws, m.hws...), append(starts, begin...)
	}
	if len(s.dir.points) == s.shards {
		s.dir.boot = nil
	}
	topics = unambiguous(topics)
	if err := commitlog.WriteCheckpoint(t, s.node.LogDir+"/"+startsName, starts); err != nil {
		return err
	}
	if err := commitlog.WriteCheckpoint(t, s.node.LogDir+"/"+pointsName, points); err != nil {
		return err
	}
	if s.static.Clustered {
		if err := commitlog.WriteCheckpoint(t, s.node.LogDir+"/"+hwsName, hws); err != nil {
			return err
		}
	}
	if slices.Equal(topics, s.dir.topics) {
		return nil
	}
	s.dir.topics = nil
	err := commitlog.WriteTopicNames(t, s.node.LogDir+"/"+topicsName, topics)
	if err == nil {
		s.dir.topics = topics
	}
	return err
}

// toldBy gives what a shard has told of its logs. One that still recovers them, or has not been heard of, leaves the checkpoints as they were.
func (s *Shard) toldBy(shard int32) (*pointsMail, []commitlog.Entry) {
	b := s.dir.boot
	m, starts := s.dir.points[shard], s.dir.starts[shard]
	if _, told := s.dir.starts[shard]; !told && b != nil {
		starts = b.owned(b.starts, shard, s.shards)
	}
	switch {
	case m == nil && b != nil:
		m = &pointsMail{points: b.owned(b.points, shard, s.shards), hws: b.owned(b.hws, shard, s.shards), topics: b.topicNames()}
	case m == nil:
		m = &pointsMail{}
	}
	return m, starts
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

// syncAncestors makes the directory's own name durable, and those of the parents that Mkdir may have made with it: what is synced below
// a name that a power loss takes away is lost. A parent that may not be opened is not one that this process made.
func (s *Shard) syncAncestors(t *task.Task, dir string) string {
	for dir != "." && dir != "/" {
		dir = path.Dir(dir)
		if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir}); c.Err != disk.OK && c.Err != disk.ErrPermission {
			return "cannot sync " + dir + ", which holds the data directory (" + c.Err.Error() + "); check the disk or choose another with --data"
		}
	}
	return ""
}

// readDirectory locks the directory and reads what recovery needs. A text other than "" ends the node.
func (s *Shard) readDirectory(t *task.Task) (b *bootData, refusal string) {
	dir := s.node.LogDir
	if c := t.Disk(disk.Request{Kind: disk.Mkdir, Path: dir}); c.Err != disk.OK {
		return nil, "cannot create the data directory " + dir + " (" + c.Err.Error() + "); choose another with --data"
	}
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: parentDir(dir)}); c.Err != disk.OK {
		// The directory itself must survive the loss of power, or nothing in it does.
		return nil, "cannot sync " + parentDir(dir) + ", which holds the data directory (" + c.Err.Error() + "); check the disk or choose another with --data"
	}
	if text := s.syncAncestors(t, dir); text != "" {
		return nil, text
	}
	s.dir.lock = s.env.File()
	if c := t.Disk(disk.Request{Kind: disk.Open, File: s.dir.lock, Path: dir + "/" + lockName, Flags: disk.Create}); c.Err != disk.OK {
		return nil, "cannot write to the data directory " + dir + " (" + c.Err.Error() + "); make it writable or choose another with --data"
	}
	if c := t.Disk(disk.Request{Kind: disk.Lock, File: s.dir.lock}); c.Err == disk.ErrLocked {
		return nil, "the data directory " + dir + " is in use by another process; stop that one or choose another directory with --data"
	} else if c.Err != disk.OK {
		return nil, "cannot lock the data directory " + dir + " (" + c.Err.Error() + "); check the file system or choose another with --data"
	}
	b = &bootData{points: map[string]int64{}, starts: map[string]int64{}, hws: map[string]int64{}}
	names := t.Disk(disk.Request{Kind: disk.List, Path: dir})
	if names.Err != disk.OK {
		return nil, "cannot list the data directory " + dir + " (" + names.Err.Error() + "); check the disk"
	}
	b.epoch = -1
	for _, n := range names.Names {
		b.clean = b.clean || n == cleanName
		if d, ok := strings.CutSuffix(n, "/"); ok {
			b.dirs = append(b.dirs, d)
		}
	}
	if b.clean {
		b.epoch = s.readMarker(t)
	}
	if b.clean && !plant.On(plant.S1) {
		// The marker goes before anything is loaded: a crash while loading must not look like a clean stop (KAFKA-10471).
		if text := s.dropMarker(t); text != "" {
			return nil, text
		}
	}
	for _, x := range [...]struct {
		name string
		into map[string]int64
	}{{pointsName, b.points}, {startsName, b.starts}, {hwsName, b.hws}} {
		entries, err := commitlog.ReadCheckpoint(t, dir+"/"+x.name)
		if err != nil {
			// Without it more is read, nothing is lost: every log is scanned from its start.
			s.env.Warnf("%s/%s cannot be used (%v); logs are scanned instead", dir, x.name, err)
		}
		for _, e := range entries {
			x.into[e.Topic+"-"+strconv.Itoa(int(e.Partition))] = e.Offset
		}
	}
	topics, named, err := commitlog.ReadTopicNames(t, dir+"/"+topicsName)
	if err != nil {
		s.env.Warnf("%s/%s cannot be used (%v); logs are scanned instead", dir, topicsName, err)
	}
	b.named, b.topics = named, map[string][16]byte{}
	for _, x := range topics {
		b.topics[x.Topic] = x.ID
	}
	return b, ""
}

// parentDir gives the directory that holds dir.
func parentDir(dir string) string {
	dir = strings.TrimRight(dir, "/")
	switch i := strings.LastIndexByte(dir, '/'); {
	case i > 0:
		return dir[:i]
	case i == 0:
		return "/"
	}
	return "."
}

// readMarker gives the broker epoch that the clean-shutdown marker names (KIP-966), -1 if it names none.
func (s *Shard) readMarker(t *task.Task) int64 {
	text, _, _ := datadir.ReadFile(t, s.env, s.node.LogDir, cleanName) // one that cannot be read names none
	return parseMarker(text)
}

// The marker's text is Kafka's: {"version":0,"brokerEpoch":7}.
func markerText(epoch int64) string {
	return `{"version":0,"brokerEpoch":` + strconv.FormatInt(epoch, 10) + `}`
}

func parseMarker(text string) int64 {
	_, rest, ok := strings.Cut(text, `"brokerEpoch":`)
	if !ok {
		return -1
	}
	digits, _, _ := strings.Cut(rest, "}")
	digits, _, _ = strings.Cut(digits, ",")
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func (s *Shard) dropMarker(t *task.Task) string {
	dir := s.node.LogDir
	if c := t.Disk(disk.Request{Kind: disk.Remove, Path: dir + "/" + cleanName}); c.Err != disk.OK {
		return "cannot remove " + dir + "/" + cleanName + " (" + c.Err.Error() + "); check the disk"
	}
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir}); c.Err != disk.OK {
		return "cannot sync the data directory " + dir + " (" + c.Err.Error() + "); check the disk"
	}
	return ""
}

// brokerEpoch is the epoch of this process's registration, -1 if there is none.
func (s *Shard) brokerEpoch() int64 {
	if s.member != nil {
		return s.member.lease.epoch
	}
	return s.ownEpoch()
}

// markClean says that every log was closed with everything synced.
func (s *Shard) markClean(t *task.Task) disk.Err {
	f := s.env.File()
	dir := s.node.LogDir
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: dir + "/" + cleanName, Flags: disk.Create})
	if c.Err != disk.OK {
		return c.Err
	}
	text := markerText(s.brokerEpoch())
	if c = t.Disk(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{[]byte(text)}}); c.Err != disk.OK {
		return c.Err
	}
	if c = t.Disk(disk.Request{Kind: disk.Sync, File: f}); c.Err != disk.OK {
		return c.Err
	}
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	return t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir}).Err
}
