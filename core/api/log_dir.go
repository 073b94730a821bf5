package api

import (
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
)

// LogDir is what a shard knows of one of the broker's log directories.
type LogDir struct {
	Path       string
	ID         [16]byte // directory.id (KIP-858); zero before the shard's first image
	Offline    bool     // it failed: nothing in it is served any more
	FreeBytes  int64    // of its file system when last asked, below 0 unknown
	TotalBytes int64    // of the same
	SinceFree  int64    // bytes appended here since then
}

func newLogDirs(n *config.Node) []LogDir {
	out := make([]LogDir, len(n.LogDirs))
	for i, path := range n.LogDirs {
		out[i] = LogDir{Path: path, FreeBytes: -1, TotalBytes: -1}
	}
	return out
}

// dirOf gives the directory in which this broker's replica of a partition lies, as the metadata say; nil if they do not.
func (s *State) dirOf(p *metadata.Partition) *LogDir {
	if len(s.Dirs) == 1 {
		return &s.Dirs[0]
	}
	id := p.Dir(s.Node.NodeID)
	for i := range s.Dirs {
		if s.Dirs[i].ID == id {
			return &s.Dirs[i]
		}
	}
	return nil
}

// full says whether what is free is kept for the broker's own topics, for its metadata and for deleting records (disk.reserve.bytes).
func (d *LogDir) full(reserve int64) bool {
	return d.FreeBytes >= 0 && d.FreeBytes-d.SinceFree < reserve
}
