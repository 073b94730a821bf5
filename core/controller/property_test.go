package controller

import (
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// world is a cluster with the logs that its brokers would have. A log is the leader epochs of its records: they are appended by leaders, and
// what a follower has after a fetch is what its leader has.
type world struct {
	*cluster
	t       *rapid.T
	brokers int32
	up      map[int32]bool
	clean   map[int32]int64 // of a broker that is down after a clean end: the epoch in its marker
	logs    map[string]map[int32][]int32
	hw      map[string]int  // the highest that any leader showed
	intact  bool            // crashes take nothing from disks, and disks prove it
	mixed   bool            // some crashes do
	wiped   map[int32]bool  // what a broker's disk synced in its last life is not all there
	lost    map[int32]bool  // so it was when it came back
	liar    int32           // the broker whose disk may lose, unknown to anybody, what it said it had synced; 0: none
	lied    map[string]bool // its copy of that topic has not been whole since
	asked   bool            // somebody asked for an unclean election
	counted map[string]int
}

var worldTopics = []string{"a", "b"}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, brokers: rapid.Int32Range(3, 5).Draw(t, "brokers"), up: map[int32]bool{}, clean: map[int32]int64{}, logs: map[string]map[int32][]int32{},
		hw: map[string]int{}, intact: rapid.Bool().Draw(t, "intact"), mixed: rapid.Bool().Draw(t, "mixed"), wiped: map[int32]bool{}, lost: map[int32]bool{}, lied: map[string]bool{}, counted: map[string]int{}}
	w.cluster = newCluster(t, int(w.brokers))
	for id := int32(1); id <= w.brokers; id++ {
		w.up[id] = true
	}
	least := 1
	if w.intact && rapid.Bool().Draw(t, "lies") { // with two in sync at least, one disk may lie
		w.liar, least = w.broker(), 2
	}
	for _, name := range worldTopics {
		w.topic(name, w.draw("replicas", least), "min.insync.replicas", w.minISR())
		w.logs[name] = map[int32][]int32{}
	}
	return w
}

// draw gives some brokers in some order.
func (w *world) draw(what string, least int) []int32 {
	all := make([]int32, w.brokers)
	for i := range all {
		all[i] = int32(i + 1)
	}
	return rapid.Permutation(all).Draw(w.t, what)[:rapid.IntRange(least, int(w.brokers)).Draw(w.t, "n")]
}

func (w *world) minISR() string {
	some := []string{"1", "2", "3"}
	if w.liar != 0 {
		some = some[1:]
	}
	return rapid.SampledFrom(some).Draw(w.t, "min")
}

func (w *world) broker() int32 { return rapid.Int32Range(1, w.brokers).Draw(w.t, "broker") }
func (w *world) name() string  { return rapid.SampledFrom(worldTopics).Draw(w.t, "topic") }

// before keeps what the partitions were, and after judges what became of them.
func (w *world) before() map[string]metadata.Partition {
	out := map[string]metadata.Partition{}
	for _, name := range worldTopics {
		out[name] = *w.part(name)
	}
	return out
}

func (w *world) after(was map[string]metadata.Partition) {
	for _, name := range worldTopics {
		p, old := w.part(name), was[name]
		if p.Leader != metadata.NoLeader && p.Leader != old.Leader {
			safe := subset([]int32{p.Leader}, union(union(old.ISR, old.ELR), old.LastKnownELR))
			if !p.Recovering || old.Recovering && safe {
				w.counted["clean elections"]++
			} else {
				w.counted["unclean elections"]++
				for _, id := range union(union(old.ISR, old.ELR), old.LastKnownELR) {
					if !w.lost[id] && !w.asked {
						w.t.Fatalf("%s: %d was elected uncleanly, though %d has all: %+v, was %+v", name, p.Leader, id, p, old)
					}
				}
				w.hw[name] = min(w.hw[name], len(w.logs[name][p.Leader]))
			}
		}
		w.complete(name, p)
	}
}

// complete: whoever can be elected cleanly holds all that was shown (I:I1). A broker that is down may have lost it since; it is judged when
// it is back.
func (w *world) complete(name string, p *metadata.Partition) {
	for _, id := range union(union(p.ISR, p.ELR), p.LastKnownELR) {
		if w.up[id] && len(w.logs[name][id]) < w.hw[name] && (id != w.liar || !w.lied[name] || p.Leader == id) {
			w.t.Fatalf("%s: %d may be elected with %d records, and %d were shown: %+v", name, id, len(w.logs[name][id]), w.hw[name], p)
		}
	}
}

// advance moves the high watermark as a leader does.
func (w *world) advance(name string) {
	p := w.part(name)
	c := w.m.context(w.img())
	if p.Leader == metadata.NoLeader || !w.up[p.Leader] || len(p.ISR) < p.RequiredISR(c.topic(w.img().TopicByName(name)).MinInsyncReplicas) {
		return
	}
	low := len(w.logs[name][p.Leader])
	for _, id := range p.ISR {
		low = min(low, len(w.logs[name][id]))
	}
	w.hw[name] = max(w.hw[name], low)
}

func (w *world) append(*rapid.T) {
	name := w.name()
	p := w.part(name)
	if p.Leader == metadata.NoLeader || !w.up[p.Leader] {
		return
	}
	w.logs[name][p.Leader] = append(slices.Clip(w.logs[name][p.Leader]), p.LeaderEpoch)
	for _, id := range w.draw("followers", 0) {
		if w.up[id] && subset([]int32{id}, p.Replicas) {
			w.logs[name][id] = w.logs[name][p.Leader]
		}
	}
	w.advance(name)
}

// propose is a leader's AlterPartition: members are those that have what it has.
func (w *world) propose(*rapid.T) {
	name := w.name()
	p := w.part(name)
	if p.Leader == metadata.NoLeader || !w.up[p.Leader] {
		return
	}
	isr := []int32{p.Leader}
	for _, id := range w.draw("isr", 0) {
		if id != p.Leader && subset([]int32{id}, p.Replicas) && w.up[id] {
			w.logs[name][id] = w.logs[name][p.Leader]
			if id == w.liar {
				delete(w.lied, name)
			}
			isr = append(isr, id)
		}
	}
	if w.alter(name, isr...) == kerr.None {
		w.counted["alterations"]++
	}
	w.advance(name)
}

func (w *world) crash(*rapid.T) {
	id := w.broker()
	if !w.up[id] {
		return
	}
	w.up[id] = false
	delete(w.clean, id)
	if rapid.Bool().Draw(w.t, "noticed") {
		w.kill(id)
	}
	if !w.intact && !(w.mixed && rapid.Bool().Draw(w.t, "spared")) {
		w.wiped[id] = true
		w.lose(id)
	} else if id == w.liar {
		for _, name := range worldTopics {
			w.lied[name] = true
		}
		w.lose(id)
		w.counted["lies"]++
	}
}

// lose takes the end of a broker's logs.
func (w *world) lose(id int32) {
	for _, name := range worldTopics {
		log := w.logs[name][id]
		w.logs[name][id] = log[:rapid.IntRange(0, len(log)).Draw(w.t, "left")]
	}
}

func (w *world) stop(*rapid.T) {
	id := w.broker()
	if !w.up[id] {
		return
	}
	for range 3 {
		for other := int32(1); other <= w.brokers; other++ {
			if other != id && w.up[other] {
				w.speak(other)
			}
		}
		if r := w.beat(id, func(q *kmsg.BrokerHeartbeatRequest) { q.WantShutdown = true }); r.ShouldShutdown {
			w.up[id], w.clean[id] = false, w.epoch[id]
			w.counted["clean stops"]++
			return
		}
	}
}

func (w *world) start(*rapid.T) {
	id := w.broker()
	if w.up[id] {
		return
	}
	previous := int64(-1)
	if e, ok := w.clean[id]; ok {
		previous = e
	}
	old := w.epoch[id]
	if w.register(id, previous, func(q *kmsg.BrokerRegistrationRequest) {
		if !w.wiped[id] {
			SetSyncedEpoch(q, old)
		}
	}) == kerr.None {
		delete(w.clean, id)
		w.lost[id] = w.wiped[id]
		delete(w.wiped, id)
		w.up[id] = true
		w.counted["starts"]++
	}
}

// speak is a heartbeat, with the log ends of orphaned partitions.
func (w *world) speak(id int32) {
	was := w.before()
	w.beat(id, func(q *kmsg.BrokerHeartbeatRequest) {
		var ends []LogEnd
		for _, name := range worldTopics {
			p, log := w.part(name), w.logs[name][id]
			if !p.Orphaned() || !subset([]int32{id}, p.Replicas) {
				continue
			}
			e := LogEnd{Topic: w.img().TopicByName(name).ID, LeaderEpoch: p.LeaderEpoch, Epoch: -1, End: int64(len(log))}
			if len(log) > 0 {
				e.Epoch = log[len(log)-1]
			}
			ends = append(ends, e)
		}
		SetLogEnds(q, ends)
	})
	w.after(was)
}

func (w *world) heartbeat(*rapid.T) {
	if id := w.broker(); w.up[id] {
		w.speak(id)
	}
}

// silence lets time pass in which only some beat.
func (w *world) silence(*rapid.T) {
	w.e.Now.Mono = w.e.Now.Mono.Add(clock.MS(rapid.Int64Range(0, 9000).Draw(w.t, "ms")))
	for _, id := range w.draw("heard", 0) {
		if w.up[id] {
			w.speak(id)
		}
	}
	w.m.Tick()
	w.settle()
}

func (w *world) move(*rapid.T) {
	least := 1
	if w.liar != 0 {
		least = 2
	}
	target := w.draw("target", least)
	if w.liar == 0 && rapid.IntRange(0, 3).Draw(w.t, "cancel") == 0 {
		target = nil
	}
	if code, _ := w.reassign(w.name(), target, 0, false); code == kerr.None {
		w.counted["reassignments"]++
	}
}

func (w *world) vote(*rapid.T) {
	kind := preferredElection
	if w.liar == 0 && rapid.IntRange(0, 9).Draw(w.t, "unclean") == 0 {
		kind, w.asked = uncleanElection, true
	}
	w.elect(w.name(), kind)
}

func (w *world) configure(*rapid.T) {
	if w.liar != 0 {
		return // another number clears the ELR (KIP-966): then a disk that lies may be the only one that anybody knows of
	}
	w.alterConfig(metadata.ResourceTopic, w.name(), "min.insync.replicas", w.minISR())
}

func (w *world) unregister(*rapid.T) {
	id := w.broker()
	if w.up[id] || w.liar != 0 || rapid.IntRange(0, 4).Draw(w.t, "rarely") != 0 {
		return
	}
	w.asked = true // its replicas are given up
	q := kmsg.NewPtrUnregisterBrokerRequest()
	q.BrokerID = id
	do[*kmsg.UnregisterBrokerResponse](w.cluster, q)
}

func (w *world) newTerm(*rapid.T) { w.failover() }

func TestWhoeverCanBeElectedHoldsAllThatWasShown(t *testing.T) {
	total := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		actions := map[string]func(*rapid.T){"append": w.append, "propose": w.propose, "crash": w.crash, "stop": w.stop, "start": w.start, "start2": w.start,
			"heartbeat": w.heartbeat, "heartbeat2": w.heartbeat, "silence": w.silence, "move": w.move, "vote": w.vote, "configure": w.configure,
			"unregister": w.unregister, "failover": w.newTerm, "append2": w.append, "propose2": w.propose}
		for name, f := range actions {
			actions[name] = func(t *rapid.T) {
				w.t = t
				was := w.before()
				f(t)
				w.after(was)
			}
		}
		t.Repeat(actions)
		for k, n := range w.counted {
			total[k] += n
		}
	})
	for _, k := range []string{"clean elections", "unclean elections", "alterations", "clean stops", "starts", "reassignments"} {
		if total[k] == 0 {
			t.Errorf("no %s: the test does not test", k)
		}
	}
	t.Log(total)
}
