package broker

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// readDirectories locks the directories and reads what recovery needs. A text other than "" ends the node. Any directory but the first, which
// holds the metadata, may be one that the disk does not give: the node goes on without it (KIP-858).
func (s *Shard) readDirectories(t *task.Task) (b *bootData, refusal string) {
	b = &bootData{dirs: make([]bootDir, len(s.state.Dirs)), clean: true, epoch: -1, synced: -1}
	s.dir.each = make([]dirState, len(s.state.Dirs))
	for i := range b.dirs {
		d := &b.dirs[i]
		text, inUse := s.readDirectory(t, i, d)
		if t.Stopped() {
			return nil, ""
		}
		if text == "" {
			continue
		}
		if i == 0 || inUse {
			return nil, text
		}
		d.failed = text
	}
	return b, ""
}

// readDirectory locks one directory and reads what recovery needs. It gives what keeps it from being used, "" nothing; inUse: it is another
// process's.
func (s *Shard) readDirectory(t *task.Task, i int, b *bootDir) (text string, inUse bool) {
	dir := s.state.Dirs[i].Path
	if text, inUse := s.lockDirectory(t, dir, &s.dir.each[i].lock); text != "" {
		return text, inUse
	}
	names := t.Disk(disk.Request{Kind: disk.List, Path: dir})
	if names.Err != disk.OK {
		return "cannot list the data directory " + dir + " (" + names.Err.Error() + "); check the disk", false
	}
	b.epoch = -1
	for _, n := range names.Names {
		b.clean = b.clean || n == cleanName
		if d, ok := strings.CutSuffix(n, "/"); ok {
			b.logs = append(b.logs, d)
		}
	}
	slices.Sort(b.logs)
	if b.clean {
		marker, _, _ := datadir.ReadFile(t, s.env, dir, cleanName) // one that cannot be read names no epoch
		b.epoch = parseMarker(marker)
	}
	return s.readCheckpoints(t, dir, b, slices.Contains(names.Names, cleanedName)), false
}

// lockDirectory makes a directory, if it is not there, and locks it.
func (s *Shard) lockDirectory(t *task.Task, dir string, lock *disk.File) (text string, inUse bool) {
	if c := t.Disk(disk.Request{Kind: disk.Mkdir, Path: dir}); c.Err != disk.OK {
		return "cannot create the data directory " + dir + " (" + c.Err.Error() + "); choose another with --data", false
	}
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: parentDir(dir)}); c.Err != disk.OK {
		// The directory itself must survive the loss of power, or nothing in it does.
		return "cannot sync " + parentDir(dir) + ", which holds the data directory (" + c.Err.Error() + "); check the disk or choose another with --data", false
	}
	if text := s.syncAncestors(t, dir); text != "" {
		return text, false
	}
	*lock = s.env.File()
	if c := t.Disk(disk.Request{Kind: disk.Open, File: *lock, Path: dir + "/" + lockName, Flags: disk.Create}); c.Err != disk.OK {
		return "cannot write to the data directory " + dir + " (" + c.Err.Error() + "); make it writable or choose another with --data", false
	}
	if c := t.Disk(disk.Request{Kind: disk.Lock, File: *lock}); c.Err == disk.ErrLocked {
		return "the data directory " + dir + " is in use by another process; stop that one or choose another directory with --data", true
	} else if c.Err != disk.OK {
		return "cannot lock the data directory " + dir + " (" + c.Err.Error() + "); check the file system or choose another with --data", false
	}
	return "", false
}

// readCheckpoints reads what the last run has noted of its logs. Those that are damaged count as not there: more is read, and what DeleteRecords
// took off a log may come back. Those that the disk does not give are a failure of the directory, since they may be sound.
func (s *Shard) readCheckpoints(t *task.Task, dir string, b *bootDir, cleaned bool) string {
	unusable := func(name string, err error) string {
		if err != nil && !errors.Is(err, commitlog.ErrCheckpoint) {
			return "cannot read " + dir + "/" + name + " (" + err.Error() + "); check the disk, then start again"
		}
		if err != nil {
			sometimes.Hit("broker: a checkpoint is damaged")
			s.env.Warnf("%s/%s cannot be used (%v); more is read instead", dir, name, err)
		}
		return ""
	}
	b.points, b.starts, b.hws, b.cleaned = map[string]int64{}, map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, x := range [...]struct {
		name string
		into map[string]int64
	}{{pointsName, b.points}, {startsName, b.starts}, {hwsName, b.hws}, {cleanedName, b.cleaned}} {
		if x.name == cleanedName && !cleaned {
			continue
		}
		entries, err := commitlog.ReadCheckpoint(t, dir+"/"+x.name)
		if text := unusable(x.name, err); text != "" {
			return text
		}
		for _, e := range entries {
			x.into[e.Topic+"-"+strconv.Itoa(int(e.Partition))] = e.Offset
		}
	}
	topics, named, err := commitlog.ReadTopicNames(t, dir+"/"+topicsName)
	if text := unusable(topicsName, err); text != "" {
		return text
	}
	b.named, b.topics = named, map[string][16]byte{}
	for _, x := range topics {
		b.topics[x.Topic] = x.ID
	}
	return ""
}

// openOthers reads or makes meta.properties in the directories beside the first, which is of this cluster, "" if it has no name yet; and
// lets this shard know them all. not ok: the node ends.
func (s *Shard) openOthers(t *task.Task, b *bootData, clusterID string, member bool) (others []*datadir.Dir, ok bool) {
	open := datadir.Open
	if member {
		open = datadir.OpenBeside
	}
	for i := 1; i < len(b.dirs); i++ {
		d := &b.dirs[i]
		if d.failed != "" {
			continue
		}
		x, err := open(t, s.env, s.state.Dirs[i].Path, s.node.NodeID, clusterID)
		if t.Stopped() {
			return nil, false
		}
		if err != nil {
			s.fatal(1, err.Error())
			return nil, false
		}
		d.id, d.fresh = x.ID, x.Fresh
		others = append(others, x)
	}
	if refusal := s.identified(b); refusal != "" {
		s.fatal(1, refusal)
		return nil, false
	}
	s.knowDirectories(b)
	return others, true
}

// knowDirectories lets a shard know what shard 0 has found of the directories.
func (s *Shard) knowDirectories(b *bootData) {
	for i := range b.dirs {
		d := &s.state.Dirs[i]
		d.ID = b.dirs[i].id
		if text := b.dirs[i].failed; text != "" && !d.Offline {
			d.Offline = true
			if s.env.Shard == 0 {
				s.env.Errorf("log directory %s is offline: %s", d.Path, text)
			}
		}
	}
}

// identified sums up what the directories say of the last run. A text other than "" ends the node.
func (s *Shard) identified(b *bootData) (refusal string) {
	first := true
	for i := range b.dirs {
		d := &b.dirs[i]
		for j := range b.dirs[:i] {
			if d.failed == "" && b.dirs[j].failed == "" && d.id == b.dirs[j].id {
				return s.state.Dirs[j].Path + " and " + s.state.Dirs[i].Path + " have the same directory.id: one is a copy of the other; take one of them out of log.dirs"
			}
		}
		if d.failed == "" && d.fresh && i > 0 {
			continue // it says nothing of the last run
		}
		b.clean = b.clean && d.failed == "" && d.clean
		if first {
			b.epoch = d.epoch
		} else if d.epoch != b.epoch {
			b.epoch = -1
		}
		first = false
	}
	if !b.clean {
		b.epoch = -1
	}
	return ""
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

// The marker's text is Kafka's: {"version":0,"brokerEpoch":7}.
func markerText(epoch int64) string {
	return `{"version":0,"brokerEpoch":` + strconv.FormatInt(epoch, 10) + `}`
}

// parseMarker gives the broker epoch that a clean-shutdown marker names (KIP-966), -1 if it names none.
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

// dropMarkers removes the markers before any log is opened: a crash while loading must not look like a clean stop (KAFKA-10471). Until then a
// process changes nothing that they speak of, so one that ends before, or never comes to its quorum, leaves them.
func (s *Shard) dropMarkers(t *task.Task, b *bootData) {
	for i := range b.dirs {
		d := &b.dirs[i]
		if d.failed != "" || !d.clean || plant.On(plant.S1) {
			continue
		}
		d.failed = s.dropMarker(t, s.state.Dirs[i].Path)
		sometimes.Hit("broker: a start after a clean stop")
		if t.Stopped() {
			return
		}
		if d.failed != "" {
			s.offline(i, d.failed)
		}
	}
}

func (s *Shard) dropMarker(t *task.Task, dir string) string {
	if c := t.Disk(disk.Request{Kind: disk.Remove, Path: dir + "/" + cleanName}); c.Err != disk.OK {
		return "cannot remove " + dir + "/" + cleanName + " (" + c.Err.Error() + "); check the disk"
	}
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: dir}); c.Err != disk.OK {
		return "cannot sync the data directory " + dir + " (" + c.Err.Error() + "); check the disk"
	}
	return ""
}
