package solo

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Files lists what this package has in a data directory, none if it never was a lone broker's.
func Files(t *task.Task, dataDir string) ([]string, error) {
	c := t.Disk(disk.Request{Kind: disk.List, Path: dataDir + "/" + Dir})
	if c.Err == disk.ErrNotExist {
		return nil, nil
	}
	if c.Err != disk.OK {
		return nil, fmt.Errorf("cannot list %s/%s (%v); check the disk", dataDir, Dir, c.Err)
	}
	var out []string
	for _, n := range c.Names {
		if isLog(n) || isCheckpoint(n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// Image gives the state that a lone broker's log holds, for a quorum to begin with; nil if there is no such log.
func Image(t *task.Task, e *env.Env, n *config.Node) (*metadata.Image, error) {
	files, err := Files(t, n.LogDir)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	o, err := Open(t, e, n)
	if err != nil {
		return nil, err
	}
	o.Log.Close(t)
	if o.Image.Index() < 0 {
		return nil, nil
	}
	return o.Image, nil
}

// Remove removes the log of a broker that has joined a quorum: what it says is old.
func Remove(t *task.Task, dataDir string) error {
	files, err := Files(t, dataDir)
	for _, n := range files {
		if c := t.Disk(disk.Request{Kind: disk.Remove, Path: dataDir + "/" + Dir + "/" + n}); c.Err != disk.OK && c.Err != disk.ErrNotExist {
			return fmt.Errorf("cannot remove %s/%s/%s: %v", dataDir, Dir, n, c.Err)
		}
	}
	return err
}

func isLog(n string) bool        { return strings.HasSuffix(n, ".log") && len(n) == 24 }
func isCheckpoint(n string) bool { return strings.HasSuffix(n, ".checkpoint") && len(n) == 20+1+10+11 }
