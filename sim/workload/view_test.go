package workload

import (
	"sort"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/oracle"
)

// view shows the small broker to the oracles.
type view struct {
	w      *world
	healed clock.Time
}

func (v *view) Now() clock.Time            { return v.w.now }
func (v *view) Policy() string             { return "ack" }
func (v *view) Healed() (clock.Time, bool) { return v.healed, v.healed > 0 }
func (v *view) Nodes() int                 { return 1 }
func (v *view) Up(int) bool                { return true }
func (v *view) Incarnation(int) int        { return 1 }
func (v *view) Touched(int) ([]int, bool)  { return nil, true }
func (v *view) Partitions(int) int         { return len(v.all()) }

type named struct {
	topic string
	part  int32
	p     *part
}

func (v *view) all() []named {
	var all []named
	for n, t := range v.w.broker.topics {
		for i, p := range t.parts {
			all = append(all, named{n, int32(i), p})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].topic < all[j].topic || all[i].topic == all[j].topic && all[i].part < all[j].part
	})
	return all
}

func (v *view) Partition(_, i int, p *oracle.Partition) {
	n := v.all()[i]
	*p = oracle.Partition{Topic: n.topic, Partition: n.part, Online: true, Start: n.p.start, HW: n.p.end, Synced: n.p.end, Written: n.p.end, End: n.p.end}
}

func (v *view) ReadBack(_ int, topic string, part int32, from int64, each func([]byte) bool) bool {
	for _, b := range v.w.broker.topics[topic].parts[part].batches {
		if next(b) > from && !each(b) {
			break
		}
	}
	return true
}
