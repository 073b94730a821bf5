package run

import (
	"cmp"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/plan"
)

// rehearsalEvents bounds a recovery beside the run: hundreds of logs take fewer.
const rehearsalEvents = 1_000_000

// rehearsals is how many restarts of a thousand are rehearsed: each costs two or three recoveries.
const rehearsals = 333

// rehearsalSettings hold still what goes on by itself once a broker serves.
var rehearsalSettings = map[string]string{
	"log.retention.check.interval.ms": "2000000000", "offsets.retention.check.interval.ms": "2000000000", "producer.id.expiration.ms": "2000000000",
}

// Starting recovers copies of a node's disk before the node itself does: once, and a second way, which must come to the same.
//
//	disk ─copy─▶ recover ────────────────────────▶ logs ┐
//	                └ crash at once ─▶ recover ──▶ logs ┤ equal
//	disk ─copy─▶ recover, crash in its midst ─▶ recover ┘
//
// What no recovery can open is not looked at here: the run itself shows it. A crash in the midst may be a loss of power only where
// there is nothing left to lose, since before its end a recovery promises nothing.
func (j *Judge) Starting(node int) error {
	if j.account != nil {
		j.account.started(node)
	}
	if j.beyond || j.plan.Nodes > 1 {
		return nil // one of several serves only with the others
	}
	draws := j.c.Engine().Key("I:S2").Sub(int64(node)<<32 | int64(j.c.Incarnation(node))).Source()
	if !draws.Permille(rehearsals) {
		return nil
	}
	p := rehearsalPlan(j.plan, draws.Uint64())
	defer sometimes.Set(sometimes.Counts()) // what a copy comes to did not happen in the run
	first := j.c.Aside(node, p, factory(p, nil))
	if first.Boot(node, rehearsalEvents) != nil {
		return nil
	}
	for _, synced := range j.synced[node] {
		if synced > 0 {
			j.suite.Rehearsed()
		}
	}
	own := map[string]int32{}
	once := images(first, node, own)
	how, second, effects := "crashed at once and recovered again", first, 0
	power := draws.Permille(500) && !j.lied[node]
	if draws.Permille(500) {
		how, second, effects = "recovered again after a crash in the midst", j.c.Aside(node, p, factory(p, nil)), 1+draws.Intn(150)
		power = power && second.Disk(node).Clean()
	}
	err := second.Fell(node, power, effects, rehearsalEvents)
	if err == nil {
		err = second.Boot(node, rehearsalEvents)
	}
	if err != nil {
		return j.verdict(j.suite.Unrecoverable(how, err))
	}
	return j.verdict(j.suite.Recovered(how, once, images(second, node, own)))
}

func rehearsalPlan(p *plan.Plan, seed uint64) *plan.Plan {
	q := p.Clone()
	q.Seed, q.Swarm, q.Faults, q.Workload, q.Clients = seed, nil, nil, nil, 0
	q.Settings = map[string]string{}
	maps.Copy(q.Settings, p.Settings)
	maps.Copy(q.Settings, rehearsalSettings)
	return q
}

// images reads all logs of a node that serves, in order of keys, up to what it has written since it started: a coordinator goes on with what it finds
// decided. own has the leader epochs of the first start, which every partition that the node leads has anew.
func images(c *cluster.Cluster, node int, own map[string]int32) (list []oracle.Image) {
	v := newView(c)
	for i := range v.Partitions(node) {
		r := v.at(node, i)
		if r.Log == nil || r.Offline() {
			continue
		}
		m := oracle.Image{Key: history.Key(r.Topic, r.Number), TopicID: r.Log.TopicID(), Start: r.Log.Start(), End: r.Log.End()}
		end := m.Start
		if _, ok := own[m.Key]; !ok {
			own[m.Key] = r.LeaderEpoch
		}
		v.ReadBack(node, r.Topic, r.Number, m.Start, func(b []byte) bool {
			base := records.View(b).BaseOffset()
			if r.Log.EpochAt(max(base, m.Start)) >= own[m.Key] {
				return false
			}
			end = records.View(b).NextOffset()
			m.Batches = append(m.Batches, oracle.Stored{Base: base, Sum: crc32.ChecksumIEEE(b), Epoch: r.Log.EpochAt(max(base, m.Start))})
			return true
		})
		m.Grown, m.End = end < m.End, end
		for _, e := range r.Log.Producers().List() {
			p := oracle.Producer{ID: e.ID, LastTimestamp: e.LastTimestamp, TxnFirstOffset: e.TxnFirstOffset, CoordinatorEpoch: e.CoordinatorEpoch, Epoch: e.Epoch}
			for _, b := range e.Batches[:e.N] {
				p.Batches = append(p.Batches, oracle.ProducerBatch{LastOffset: b.LastOffset, Timestamp: b.Timestamp, LastSeq: b.LastSeq, OffsetDelta: b.OffsetDelta})
			}
			m.Producers = append(m.Producers, p)
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b oracle.Image) int { return cmp.Compare(a.Key, b.Key) })
	return list
}
