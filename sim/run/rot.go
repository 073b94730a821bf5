package run

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/oracle"
)

// Rotting implements cluster.Rots: one node's copies at a time, and not the only ones that there are. A broker alone has nobody to fetch from, so
// there the run leaves the model as soon as a record has rotted.
func (j *Judge) Rotting(node int) bool {
	if j.copies == nil {
		return true
	}
	if slices.Contains(j.rotten, true) {
		return false
	}
	j.rotten[node] = true
	j.copies.destroyed(node, map[string]int64{})
	return true
}

// Rotten implements cluster.Rots.
func (j *Judge) Rotten(node int) bool { return j.rotten[node] && !j.sound(node) }

// Replaced implements cluster.Rots.
func (j *Judge) Replaced(node int) { j.rotten[node] = false }

// rotted says whether a fault has damaged records of a log.
func rotted(n fault.Note) bool {
	return (n.Class == fault.D4 || n.Class == fault.D5) && strings.HasSuffix(n.What, ".log")
}

// mendEach is how many rounds pass between two looks at a disk whose records have rotted.
const mendEach = 500

// mended looks whether a node has got rid of what had rotted: from then on its copies count like any others.
func (j *Judge) mended(node int) {
	if j.rounds%mendEach != 0 || !j.rotten[node] || j.c.Disk(node).Faults.Misdirect > 0 || !j.sound(node) {
		return
	}
	j.rotten[node] = false
	j.repairs++
}

// sound says whether every log on the disk of a node that runs is whole, from its start up to what is written of it.
func (j *Judge) sound(node int) bool {
	if !j.c.Running(node) {
		return false
	}
	starts, ends := map[string]int64{}, map[string]int64{} // by directory
	d := j.c.Disk(node)
	for _, path := range d.Files() {
		dir, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
		if !strings.HasSuffix(name, ".log") || strings.Contains(dir, "__cluster_metadata") {
			continue
		}
		base := baseOf(name)
		if end, begun := ends[dir]; !begun {
			starts[dir] = base
		} else if base != end {
			return false
		}
		b, _ := d.ReadFile(path)
		end, ok := intact(b, base)
		if !ok {
			return false
		}
		ends[dir] = end
	}
	var p oracle.Partition
	for i := range j.view.Partitions(node) {
		if j.view.Partition(node, i, &p); !p.Online || p.Cutting || starts[p.Dir+"/"] > p.Start || ends[p.Dir+"/"] < p.Written {
			return false
		}
	}
	return true
}

// intact says whether a segment holds nothing but whole batches, each beginning where the one before ends, from an offset on, and gives where they end: a
// misdirected write leaves a hole at its own place, if nothing else, and a lying sync loses whole segments.
func intact(b []byte, next int64) (int64, bool) {
	for len(b) > 0 {
		v, rest, ok := records.Split(b)
		if !ok || v.BaseOffset() != next || v.LastOffset() < v.BaseOffset() || v.ComputeCRC() != v.CRC() {
			return next, false
		}
		next, b = v.NextOffset(), rest
	}
	return next, true
}
