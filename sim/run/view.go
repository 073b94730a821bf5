package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/oracle"
)

// view is what oracles see. A node's partitions are numbered shard by shard, in the order in which each shard opened them.
type view struct {
	c       *cluster.Cluster
	node    int // whose shard the last step was of
	shard   int
	full    bool
	seen    [][]shardSeen // by node, by shard
	touched []int
	anew    bool
	image   *metadata.Image // the newest of any node
	limits  *limits
	voters  voters
	rotten  func(node int) bool // records on its disk are; nil: none
	calm    calm
	killed  []int // by node: the last process that ended without being told to stop
	buf     []byte
}

// shardSeen is what the view last saw of a shard's partitions, to tell what changed.
type shardSeen struct {
	life    int
	parts   []partSeen
	expired int64 // committed offsets
}

type partSeen struct {
	p                               *replica.Partition
	start, hw, synced, written, end int64
	offline, lags                   bool
	segments, producers             int // 0 segments: no log
	leads, proposes                 bool
	proposed                        uint64   // a bit for each node of the ISR that is proposed: one change may follow another at once
	state                           [2]int32 // leader epoch and partition epoch that it goes by
}

var (
	_ oracle.Metadata     = (*view)(nil)
	_ oracle.LeaderEpochs = (*view)(nil)
	_ oracle.Returns      = (*view)(nil)
)

func newView(c *cluster.Cluster) *view {
	v := &view{c: c, limits: newLimits(c.Plan().Swarm, c.Ledger())}
	for range c.Nodes() {
		v.seen = append(v.seen, make([]shardSeen, c.Plan().Shards))
		v.killed = append(v.killed, -1)
	}
	return v
}

// stepped notes which shard has just been stepped, and what changed in it.
func (v *view) stepped(node, shard int, full bool) {
	v.node, v.shard, v.full = node, shard, full
	v.touched, v.anew = v.touched[:0], false
	if img := v.ImageOf(node); img != nil && (v.image == nil || img.Index() > v.image.Index()) {
		v.image = img
	}
	s := &v.seen[node][shard]
	st := v.state(node, shard)
	if st == nil {
		return
	}
	if life := v.c.Incarnation(node); s.life != life || len(s.parts) != len(st.Parts) {
		s.life, s.parts, v.anew = life, make([]partSeen, len(st.Parts)), true
	}
	expired := int64(0)
	for _, g := range st.Groups {
		expired += g.Expired
	}
	v.limits.offsets(s.expired, expired)
	s.expired = expired
	first := v.first(node, shard)
	for i, p := range st.Parts {
		now := seenOf(p)
		if s.parts[i].p != p {
			v.anew = true
		}
		if s.parts[i] != now {
			if v.c.Nodes() > 1 && (s.parts[i].state != now.state || s.parts[i].leads != now.leads) {
				v.tell(node, p)
			}
			v.limits.changed(&s.parts[i], &now)
			s.parts[i] = now
			v.touched = append(v.touched, first+i)
		}
	}
}

// tell writes into the trace what a node has come to know of a partition.
func (v *view) tell(node int, p *replica.Partition) {
	s, role := p.State(), "follows"
	if p.IsLeader() {
		role = "leads"
	}
	end := int64(-1)
	if p.Log != nil {
		end = p.Log.End()
	}
	v.c.Tell(node, fmt.Sprintf("%s/%d: %s; leader %d epoch %d.%d ISR %v of %v, high watermark %d, end %d", p.Topic, p.Number, role, s.Leader, s.LeaderEpoch, s.PartitionEpoch, s.ISR,
		s.Replicas, p.HighWatermark(), end))
}

// voted notes that the quorum's lane of a node was stepped: no partition changed.
func (v *view) voted(node int) {
	v.node, v.shard, v.full, v.touched, v.anew = node, v.c.Plan().Shards, false, v.touched[:0], false
}

func seenOf(p *replica.Partition) partSeen {
	s := partSeen{p: p, hw: p.HighWatermark(), offline: p.Offline(), lags: p.Lags()}
	s.proposes = p.Proposing()
	for _, n := range p.Proposed() {
		s.proposed |= 1 << n
	}
	state := p.State() // a large copy
	s.leads, s.state = p.IsLeader(), [2]int32{state.LeaderEpoch, state.PartitionEpoch}
	if l := p.Log; l != nil {
		s.start, s.synced, s.written, s.end = l.Start(), l.SyncedEnd(), l.WrittenEnd(), l.End()
		s.segments, s.producers = l.Segments(), l.Producers().Len()
	}
	return s
}

func (v *view) state(node, shard int) *api.State {
	st, _ := v.c.Inspect(node, shard).(*api.State)
	return st
}

// ImageOf implements oracle.Metadata.
func (v *view) ImageOf(node int) *metadata.Image {
	if st := v.state(node, 0); st != nil && st.Image != nil && st.Image.Index() >= 0 {
		return st.Image
	}
	return nil
}

// slowest is the index of the oldest image that a shard of a node goes by, -1 if one has none.
func (v *view) slowest(node int) int64 {
	low := int64(-1)
	for s := range v.c.Plan().Shards {
		st := v.state(node, s)
		if st == nil || st.Image == nil {
			return -1
		}
		if i := st.Image.Index(); s == 0 || i < low {
			low = i
		}
	}
	return low
}

// Image implements oracle.Metadata.
func (v *view) Image() *metadata.Image { return v.image }

// first is the index of a shard's first partition.
func (v *view) first(node, shard int) (n int) {
	for s := 0; s < shard; s++ {
		if st := v.state(node, s); st != nil {
			n += len(st.Parts)
		}
	}
	return n
}

func (v *view) at(node, index int) *replica.Partition {
	p, _ := v.shardOf(node, index)
	return p
}

// shardOf gives a partition and its shard.
func (v *view) shardOf(node, index int) (p *replica.Partition, shard int) {
	for s := range v.c.Plan().Shards {
		st := v.state(node, s)
		if st == nil {
			continue
		}
		if index < len(st.Parts) {
			return st.Parts[index], s
		}
		index -= len(st.Parts)
	}
	return nil, -1
}

func (v *view) Now() clock.Time            { return v.c.Now() }
func (v *view) Policy() string             { return v.c.Plan().Flush }
func (v *view) Healed() (clock.Time, bool) { return v.c.Healed() }
func (v *view) Nodes() int                 { return v.c.Nodes() }
func (v *view) Incarnation(node int) int   { return v.c.Incarnation(node) }

// Up implements oracle.View. A node of a cluster is looked at before it serves: as a follower it takes part as soon as its logs are open.
func (v *view) Up(node int) bool {
	if v.c.Nodes() > 1 {
		return v.c.Running(node)
	}
	return v.c.Ready(node)
}

func (v *view) Touched(node int) ([]int, bool) {
	if v.full || node == v.node && v.anew {
		return nil, true
	}
	if node != v.node {
		return nil, false
	}
	return v.touched, false
}

// eachTouched calls f with the index of each partition of a node whose state may have changed.
func (v *view) eachTouched(node int, f func(index int)) {
	touched, all := v.Touched(node)
	if !all {
		for _, i := range touched {
			f(i)
		}
		return
	}
	for i := range v.Partitions(node) {
		f(i)
	}
}

func (v *view) Partitions(node int) int {
	if !v.Up(node) {
		return 0
	}
	return v.first(node, v.c.Plan().Shards)
}

func (v *view) Partition(node, index int, p *oracle.Partition) {
	r, shard := v.shardOf(node, index)
	s := seenOf(r)
	*p = oracle.Partition{Topic: r.Topic, Partition: r.Number, Online: r.Log != nil && !r.Offline(), Internal: strings.HasPrefix(r.Topic, "__"),
		Start: s.start, HW: s.hw, Synced: s.synced, Written: s.written, End: s.end, Epoch: r.LeaderEpoch, TopicID: r.TopicID, Leader: r.IsLeader(), Cutting: r.Truncating()}
	if r.Log != nil {
		p.Dir = r.Log.Dir()
	}
	if v.c.Nodes() == 1 {
		return
	}
	p.Role, p.PartitionEpoch = r.Role(), r.State().PartitionEpoch
	p.Closing = v.state(node, shard).Closed
	if f, ok := v.c.Stepper(node, shard).(fetching); ok {
		p.Fetchers, p.FetchedFrom = f.Fetchers(r.TopicID, r.Number)
	}
}

// fetching is a shard that says who fetches a partition.
type fetching interface {
	Fetchers(id [16]byte, number int32) (n int, leader int32)
}

// ReadBack walks the segment files of the partition, from the segment that holds `from`.
func (v *view) ReadBack(node int, topic string, partition int32, from int64, each func(batch []byte) bool) bool {
	r := v.find(node, topic, partition)
	if r == nil || r.Log == nil || v.rotten != nil && v.rotten(node) {
		return false
	}
	segments := v.segmentsOf(node, r.Log.Dir())
	for i, path := range segments {
		cleaned := strings.HasSuffix(path, swapSuffix)
		if i+1 < len(segments) && baseOf(segments[i+1]) <= from && !cleaned {
			continue
		}
		next := from
		if !v.readSegment(path, node, from, func(batch []byte) bool {
			next = records.View(batch).NextOffset()
			return each(batch)
		}) {
			return true
		}
		if cleaned {
			from = next // the files that it replaces are of no account, and go one by one
		}
	}
	return true
}

// swapSuffix is that of a cleaned segment that is about to take the place of others.
const swapSuffix = ".log.swap"

// segmentsOf gives the paths of a log's segments, in order.
func (v *view) segmentsOf(node int, dir string) (paths []string) {
	names := v.c.Disk(node).List(dir)
	for _, name := range names {
		base, isLog := strings.CutSuffix(name, ".log")
		if isLog && !slices.Contains(names, base+swapSuffix) || strings.HasSuffix(name, swapSuffix) {
			paths = append(paths, dir+"/"+name)
		}
	}
	slices.Sort(paths) // names are offsets with leading zeros
	return paths
}

// Unclean implements oracle.Returns.
func (v *view) Unclean(node int) bool {
	return v.killed[node] == v.c.Incarnation(node)-1 && !v.c.Ledger().Any(node, fault.D2, fault.D4, fault.D5, fault.D8)
}

// Registered implements oracle.Returns.
func (v *view) Registered(node int) *metadata.Broker {
	if s, ok := v.c.Stepper(node, 0).(interface{ Registered() *metadata.Broker }); ok {
		return s.Registered()
	}
	return nil
}

// find gives a node's partition by its name, or nil.
func (v *view) find(node int, topic string, partition int32) (r *replica.Partition) {
	for s := range v.c.Plan().Shards {
		if st := v.state(node, s); st != nil {
			for _, p := range st.Parts {
				if p.Topic == topic && p.Number == partition {
					r = p
				}
			}
		}
	}
	return r
}

// EpochAt implements oracle.LeaderEpochs.
func (v *view) EpochAt(node int, topic string, partition int32, offset int64) (int32, bool) {
	r := v.find(node, topic, partition)
	if r == nil || r.Log == nil || v.c.Ledger().Any(node, fault.D2, fault.D4, fault.D5) {
		return -1, false
	}
	return r.Log.EpochAt(offset), true
}

// baseOf gives the offset in a segment's path.
func baseOf(path string) (n int64) {
	name, _, _ := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ".")
	for _, c := range name {
		n = n*10 + int64(c-'0')
	}
	return n
}

func (v *view) readSegment(path string, node int, from int64, each func([]byte) bool) bool {
	d := v.c.Disk(node)
	var head [records.HeaderSize]byte
	for pos := int64(0); d.ReadAt(path, head[:], pos) == len(head); {
		b := records.View(head[:])
		size := int64(b.Size())
		if size < records.HeaderSize || size > 1<<30 {
			return true
		}
		if b.NextOffset() > from {
			v.buf = append(v.buf[:0], make([]byte, size)...)
			if d.ReadAt(path, v.buf, pos) != int(size) {
				return true
			}
			if !each(v.buf) {
				return false
			}
		}
		pos += size
	}
	return true
}
