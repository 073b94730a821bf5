package datadir

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Dir is what meta.properties says.
type Dir struct {
	Path      string
	NodeID    int32
	ClusterID string   // "": a member of a cluster that does not know its name yet
	ID        [16]byte // directory.id (KIP-858)
	Fresh     bool     // made just now
}

const fileName = "meta.properties"

// Open makes the directory if it is not there, and checks it against nodeID and clusterID; clusterID "" takes what the directory says,
// or a random one. The caller holds the directory's lock. An error reads "WHAT; DO THIS".
func Open(t *task.Task, e *env.Env, path string, nodeID int32, clusterID string) (*Dir, error) {
	return openDir(t, e, path, nodeID, clusterID, false)
}

// OpenMember is Open for a node of a cluster, whose quorum names the cluster: until it has, the directory has no cluster id (Name).
func OpenMember(t *task.Task, e *env.Env, path string, nodeID int32, clusterID string) (*Dir, error) {
	return openDir(t, e, path, nodeID, clusterID, true)
}

// OpenBeside is OpenMember for a directory beside the first one, whose cluster is clusterID, "": not known yet. One that was not there, or had not
// heard, when the first one was named is named now.
func OpenBeside(t *task.Task, e *env.Env, path string, nodeID int32, clusterID string) (*Dir, error) {
	d, err := OpenMember(t, e, path, nodeID, clusterID)
	if err == nil && d.ClusterID == "" && clusterID != "" {
		err = d.Name(t, e, clusterID)
	}
	return d, err
}

// Name notes the name of the cluster that the directory belongs to from now on.
func (d *Dir) Name(t *task.Task, e *env.Env, clusterID string) error {
	d.ClusterID = clusterID
	return d.write(t, e)
}

// NewClusterID draws a name for a cluster.
func NewClusterID(r *prng.Source) string { return text64(randomID(r)) }

func openDir(t *task.Task, e *env.Env, path string, nodeID int32, clusterID string, member bool) (*Dir, error) {
	d := &Dir{Path: path, NodeID: nodeID, ClusterID: clusterID}
	if c := t.Disk(disk.Request{Kind: disk.Mkdir, Path: path}); c.Err != disk.OK {
		return nil, fmt.Errorf("cannot make the data directory %s: %s; choose another with --data", path, why(&c))
	}
	text, found, err := read(t, e, path+"/"+fileName)
	if err != nil {
		return nil, err
	}
	if found {
		// A process that was killed may have written it without SyncDir.
		if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: path}); c.Err != disk.OK {
			return nil, fmt.Errorf("cannot sync the data directory %s: %s; check the disk", path, why(&c))
		}
		return d, d.check(text, member)
	}
	d.Fresh = true
	d.ID = randomID(e.Rand)
	if d.ClusterID == "" && !member {
		d.ClusterID = NewClusterID(e.Rand)
	}
	if member {
		d.ClusterID = "" // what CLUSTER_ID says is a wish until the quorum has committed it
	}
	return d, d.write(t, e)
}

// check compares what meta.properties says with what was configured, and takes the rest from it.
func (d *Dir) check(text string, member bool) error {
	p := parse(text)
	file := d.Path + "/" + fileName
	if p["version"] != "1" {
		return fmt.Errorf("%s has version=%q and this build reads version 1; choose another directory with --data", file, p["version"])
	}
	node, err := strconv.ParseInt(p["node.id"], 10, 32)
	if err != nil || p["cluster.id"] == "" && !member {
		return fmt.Errorf("%s is damaged: it has no node.id or no cluster.id; restore it, or choose another directory with --data", file)
	}
	if int32(node) != d.NodeID {
		return fmt.Errorf("%s belongs to node.id=%d, not to node.id=%d; set node.id=%d, or choose another directory with --data", d.Path, node, d.NodeID, node)
	}
	if d.ClusterID != "" && p["cluster.id"] != "" && d.ClusterID != p["cluster.id"] {
		return fmt.Errorf("%s belongs to cluster %s, not to %s; unset CLUSTER_ID, or choose another directory with --data", d.Path, p["cluster.id"], d.ClusterID)
	}
	d.ClusterID = p["cluster.id"]
	b, err := base64.RawURLEncoding.DecodeString(p["directory.id"])
	if err != nil || len(b) != 16 {
		return fmt.Errorf("%s is damaged: directory.id=%q is no id; restore it, or choose another directory with --data", file, p["directory.id"])
	}
	d.ID = [16]byte(b)
	return nil
}

// parse reads key=value lines; comments and blank lines do not count. The map is looked up only.
func parse(text string) map[string]string {
	p := make(map[string]string)
	for _, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if k, v, ok := strings.Cut(l, "="); ok && l[0] != '#' && l[0] != '!' {
			p[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return p
}

// write makes meta.properties whole or not at all: a new file gets the name once it is synced.
func (d *Dir) write(t *task.Task, e *env.Env) error {
	text := fmt.Sprintf("#\nversion=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", d.ClusterID, d.NodeID, text64(d.ID))
	return WriteFile(t, e, d.Path, fileName, text)
}

// WriteFile makes a small file whole or not at all: a new one gets the name once it is synced.
func WriteFile(t *task.Task, e *env.Env, dir, file, text string) error {
	name := dir + "/" + file
	f := e.File()
	for _, q := range [...]disk.Request{
		{Kind: disk.Open, File: f, Path: name + ".tmp", Flags: disk.Create},
		{Kind: disk.Truncate, File: f},
		{Kind: disk.Write, File: f, Vec: [][]byte{[]byte(text)}},
		{Kind: disk.Sync, File: f},
		{Kind: disk.Close, File: f},
		{Kind: disk.Rename, Path: name + ".tmp", NewPath: name},
		{Kind: disk.SyncDir, Path: dir},
	} {
		if c := t.Disk(q); c.Err != disk.OK {
			return fmt.Errorf("cannot write %s: %s; check the space and the rights there, or choose another directory with --data", name, why(&c))
		}
	}
	e.FreeFile(f)
	return nil
}

// maxFile bounds what is read of meta.properties.
const maxFile = 64 << 10

// ReadFile reads a small file; false: it is not there.
func ReadFile(t *task.Task, e *env.Env, dir, file string) (string, bool, error) {
	return read(t, e, dir+"/"+file)
}

func read(t *task.Task, e *env.Env, path string) (string, bool, error) {
	f := e.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.ReadOnly})
	if c.Err == disk.ErrNotExist {
		e.FreeFile(f)
		return "", false, nil
	}
	if c.Err != disk.OK || c.N > maxFile {
		return "", false, fmt.Errorf("cannot read %s: %s; check it, or choose another directory with --data", path, why(&c))
	}
	b := make([]byte, c.N)
	c = t.Disk(disk.Request{Kind: disk.Read, File: f, Bytes: b})
	err, n, text := c.Err, c.N, why(&c)
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	if err != disk.OK || t.Stopped() {
		return "", false, fmt.Errorf("cannot read %s: %s; check the disk, or choose another directory with --data", path, text)
	}
	e.FreeFile(f)
	return string(b[:n]), true, nil
}

func why(c *disk.Completion) string {
	if c.Err == disk.OK {
		return "too large"
	}
	if c.Detail == "" {
		return c.Err.Error()
	}
	return c.Detail
}

// randomID draws a UUID of version 4 whose text does not begin with '-', as Kafka's do.
func randomID(r *prng.Source) [16]byte {
	for {
		var id [16]byte
		r.Fill(id[:])
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if id[0]>>2 != 62 {
			return id
		}
	}
}

func text64(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
