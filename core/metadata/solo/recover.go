package solo

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Dir is the name of the log's directory in the data directory.
const Dir = "__cluster_metadata-0"

// errStopped ends a recovery whose task was stopped.
var errStopped = errors.New("stopped")

// Opened is what Open gives.
type Opened struct {
	Log         *Log
	Image       *metadata.Image // of all that was ever committed
	ClusterID   string
	DirectoryID [16]byte
	Fresh       bool // the data directory was empty
}

// Open reads or makes meta.properties in the node's data directory, and recovers the log there, or makes it. SetCommitter comes next.
// An error reads "WHAT; DO THIS".
func Open(t *task.Task, e *env.Env, n *config.Node) (*Opened, error) {
	d, err := datadir.Open(t, e, n.LogDir, n.NodeID, n.ClusterID)
	if err != nil {
		return nil, err
	}
	l := &Log{env: e, dir: n.LogDir + "/" + Dir, snapshotBytes: n.MetadataSnapshotBytes}
	r := recovery{t: t, l: l, img: metadata.Empty()}
	if err := r.run(n.LogDir); err != nil {
		return nil, err
	}
	if id := r.img.ClusterID(); id != "" && id != d.ClusterID {
		return nil, fmt.Errorf("%s is of cluster %s, and meta.properties beside it of %s; restore the one that belongs there", l.dir, id, d.ClusterID)
	}
	return &Opened{Log: l, Image: r.img, ClusterID: d.ClusterID, DirectoryID: d.ID, Fresh: d.Fresh}, nil
}

type recovery struct {
	t     *task.Task
	l     *Log
	img   *metadata.Image
	term  int64    // newest seen
	end   int64    // the index after the last log's last entry
	from  int64    // the index after the checkpoint
	stale []string // names that nothing needs any more
}

func (r *recovery) run(dataDir string) error {
	if err := r.do(disk.Request{Kind: disk.Mkdir, Path: r.l.dir}); err != nil {
		return err
	}
	// What a killed process left behind can be seen and yet be lost to a power failure: it is made durable before anybody acts on it.
	for _, dir := range [...]string{dataDir, r.l.dir} {
		if err := r.do(disk.Request{Kind: disk.SyncDir, Path: dir}); err != nil {
			return err
		}
	}
	c := r.t.Disk(disk.Request{Kind: disk.List, Path: r.l.dir})
	if c.Err != disk.OK {
		return r.broken(r.l.dir, &c)
	}
	snapshots, logs := r.sort(c.Names)
	if n := len(snapshots); n > 0 {
		if err := r.snapshot(snapshots[n-1]); err != nil {
			return err
		}
		r.stale = append(r.stale, snapshots[:n-1]...)
	}
	for i, name := range logs {
		if err := r.log(name, i == len(logs)-1); err != nil {
			return err
		}
	}
	r.l.term, r.l.next = r.term+1, r.img.Index()+1
	return r.settle()
}

// sort gives the names of checkpoints and logs, oldest first, and marks what a crash left behind as stale.
func (r *recovery) sort(names []string) (snapshots, logs []string) {
	for _, n := range names {
		switch {
		case isCheckpoint(n):
			snapshots = append(snapshots, n)
		case isLog(n):
			logs = append(logs, n)
		case strings.HasSuffix(n, ".part"):
			r.stale = append(r.stale, n)
		}
	}
	return snapshots, logs
}

// snapshot loads a checkpoint. It was synced before it got its name, so any damage is refused.
func (r *recovery) snapshot(name string) error {
	end, err := strconv.ParseInt(name[:20], 10, 64)
	term, err2 := strconv.ParseInt(name[21:31], 10, 32)
	if err != nil || err2 != nil {
		return nil // not a name that we give
	}
	s, err := r.open(name, 0)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		v, err := s.next()
		if err != nil {
			return err
		}
		if v == nil {
			break
		}
		ok, err := values(v, func(b []byte) error {
			e, err := metadata.Decode(b)
			if err == nil {
				r.img = r.img.Load(e.Records)
			}
			return err
		})
		if err != nil || !ok {
			return r.damaged(name, s.pos-int64(len(v)))
		}
	}
	if s.pos != s.size || r.img.ClusterID() == "" {
		return r.damaged(name, s.pos)
	}
	r.img = r.img.At(end-1, term)
	r.term, r.from = term, end
	return nil
}

// log folds what a log holds past the image. In the last log, a tail that is no batch is what a crash tore: it is cut away, unless
// whole batches follow it. They would have been written after it was synced.
func (r *recovery) log(name string, last bool) error {
	s, err := r.open(name, 0)
	if err != nil {
		return err
	}
	r.end, _ = strconv.ParseInt(name[:20], 10, 64)
	keep := false
	defer func() {
		if !keep {
			s.close()
		}
	}()
	for {
		v, err := s.next()
		if err != nil {
			return err
		}
		if v == nil {
			break
		}
		if v.BaseOffset() > r.img.Index()+1 || int64(v.LeaderEpoch()) < r.term && v.BaseOffset() > r.img.Index() {
			return r.damaged(name, s.pos-int64(len(v)))
		}
		if err := r.fold(v); err != nil {
			return fmt.Errorf("%s/%s: %w; restore the directory from a copy, or start with an empty one", r.l.dir, name, err)
		}
		r.l.grown += int64(len(v))
		r.end = v.NextOffset()
	}
	if !last {
		if s.pos != s.size {
			return r.damaged(name, s.pos)
		}
		r.drop(name)
		return nil
	}
	if s.pos != s.size {
		if err := s.checkTail(r.img.Index() + 1); err != nil {
			return err
		}
		r.l.env.Warnf("metadata log: cut %d bytes from the end of %s/%s, which a crash left unfinished", s.size-s.pos, r.l.dir, name)
		if err := r.do(disk.Request{Kind: disk.Truncate, File: s.file, Size: s.pos}); err != nil {
			return err
		}
	}
	if err := r.do(disk.Request{Kind: disk.Sync, File: s.file}); err != nil {
		return err
	}
	keep = true
	r.l.file, r.l.name, r.l.pos = s.file, name, s.pos
	return nil
}

func (r *recovery) fold(v records.View) error {
	index, term := v.BaseOffset(), int64(v.LeaderEpoch())
	ok, err := values(v, func(b []byte) error {
		i := index
		index++
		if i <= r.img.Index() {
			return nil
		}
		e, err := metadata.Decode(b)
		if err == nil {
			r.img, _ = r.img.Apply(i, term, e)
			r.term = max(r.term, term)
		}
		return err
	})
	if err == nil && !ok {
		err = metadata.ErrCorrupt
	}
	return err
}

// drop marks a log that is read as stale if the checkpoint holds all of it. One that it does not hold stays: a power failure can
// leave the log that follows a checkpoint without the checkpoint.
func (r *recovery) drop(name string) {
	if r.end <= r.from {
		r.stale = append(r.stale, name)
	}
}

// settle sees to a log that continues at the next index, and removes what is stale.
func (r *recovery) settle() error {
	l := r.l
	want := logName(l.next)
	if l.file == 0 || r.end != l.next { // none yet, or a checkpoint reaches past the last log
		if l.file != 0 {
			r.t.Disk(disk.Request{Kind: disk.Close, File: l.file})
			l.env.FreeFile(l.file)
			l.file = 0
		}
		if l.name != "" {
			r.drop(l.name)
		}
		f, err := create(r.t, l.env, l.dir+"/"+want)
		if err != nil {
			return err
		}
		l.file, l.name, l.pos, l.grown = f, want, 0, 0
		if err := r.do(disk.Request{Kind: disk.SyncDir, Path: l.dir}); err != nil {
			return err
		}
	}
	for _, n := range r.stale {
		if n != l.name {
			if c := r.t.Disk(disk.Request{Kind: disk.Remove, Path: l.dir + "/" + n}); c.Err != disk.OK && c.Err != disk.ErrNotExist {
				return r.broken(n, &c)
			}
		}
	}
	return r.do(disk.Request{Kind: disk.SyncDir, Path: l.dir})
}

func logName(index int64) string { return fmt.Sprintf("%020d.log", index) }

// create makes an empty file, or empties what a crash left under its name.
func create(t *task.Task, e *env.Env, path string) (disk.File, error) {
	f := e.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.Create})
	if c.Err != disk.OK {
		e.FreeFile(f)
		return 0, fail(t, path, &c)
	}
	if c.N == 0 {
		return f, nil
	}
	if c = t.Disk(disk.Request{Kind: disk.Truncate, File: f}); c.Err != disk.OK {
		return 0, fail(t, path, &c)
	}
	return f, nil
}

func (r *recovery) do(q disk.Request) error {
	c := r.t.Disk(q)
	if c.Err != disk.OK {
		return r.broken(q.Path, &c)
	}
	return nil
}

func (r *recovery) broken(path string, c *disk.Completion) error {
	if path == "" {
		path = r.l.dir
	}
	return fail(r.t, path, c)
}

func fail(t *task.Task, path string, c *disk.Completion) error {
	if t.Stopped() {
		return errStopped
	}
	return fmt.Errorf("%s: %w (%s); check the disk and the rights on the data directory", path, c.Err, c.Detail)
}

func (r *recovery) damaged(name string, pos int64) error {
	return fmt.Errorf("%s/%s is damaged at byte %d; restore the directory from a copy, or start with an empty one", r.l.dir, name, pos)
}
