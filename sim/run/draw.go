package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/workload"
)

// Draw gives the plan of a seed: nodes, faults, client programs, broker settings. What the menu leaves open is drawn.
func Draw(seed uint64, menu plan.Menu) *plan.Plan {
	if menu.Nodes == 0 {
		menu.Nodes = nodes(prng.Keyed(seed, "nodes"))
	}
	return draw(seed, menu, mutant.Hints{})
}

// nodes draws how many there are. A run of one broker costs a tenth of a cluster's and still finds most of what storage gets wrong.
func nodes(s *prng.Source) int {
	switch roll := s.Between(0, 99); {
	case roll < 40:
		return 1
	case roll < 85:
		return 3
	}
	return 5
}

// DrawFor gives a seed's plan for a mutant: what its site needs is on, what would hide it is off.
func DrawFor(seed uint64, m *mutant.Mutant) *plan.Plan {
	return draw(seed, plan.Menu{Flush: m.Hints.Flush, Nodes: m.Hints.Nodes, Must: classes(m.Hints.Classes), Without: classes(m.Hints.Without)}, m.Hints)
}

func classes(ids []string) (cs []fault.Class) {
	for _, id := range ids {
		c, ok := fault.Parse(id)
		if !ok {
			panic("run: unknown fault class " + id)
		}
		cs = append(cs, c)
	}
	return cs
}

func draw(seed uint64, menu plan.Menu, h mutant.Hints) *plan.Plan {
	p := plan.FromSeed(seed, menu)
	p.Shards = max(p.Shards, h.Shards)
	stories(seed, p, &h)
	hints := h.Workload
	hints.Nodes, hints.L1, hints.L3 = p.Nodes, hints.L1 || p.Swarm.On(fault.L1), hints.L3 || p.Swarm.On(fault.L3)
	w := workload.Draw(prng.Keyed(seed, "workload"), hints)
	p.Settings = settings(prng.Keyed(seed, "settings"), p)
	clients(seed, p, &w, &h)
	w.Validate(prng.Keyed(seed, "validate"))
	environment(p, &menu, &w)
	for _, k := range sorted(h.Settings) {
		p.Settings[k] = h.Settings[k]
	}
	setWorkload(p, &w)
	return p
}

// stories draws faults that belong together.
func stories(seed uint64, p *plan.Plan, h *mutant.Hints) {
	if h.Storm {
		storm(prng.Keyed(seed, "storm"), p, slices.Contains(h.Classes, "F:D1"))
	}
	if h.Blackout {
		blackout(prng.Keyed(seed, "blackout"), p)
	}
	if h.Relays {
		relays(prng.Keyed(seed, "relays"), p)
	}
	if h.Stale {
		stale(prng.Keyed(seed, "stale"), p)
	}
	if h.Rebirths {
		rebirths(prng.Keyed(seed, "rebirths"), p)
	}
	if h.Resets {
		resets(prng.Keyed(seed, "resets"), p)
	}
	follow(prng.Keyed(seed, "follow"), p, h.Follow)
}

// clients draws those programs that only some runs have, with settings in which they matter.
func clients(seed uint64, p *plan.Plan, w *workload.Plan, h *mutant.Hints) {
	var names []string
	for _, t := range w.Topics {
		if strings.HasPrefix(t.Name, "t") {
			names = append(names, t.Name)
		}
	}
	if s := prng.Keyed(seed, "transactions"); s.Permille(transactPermille) || h.Transactions {
		w.Transact(s)
		transactSettings(prng.Keyed(seed, "settings/transactions"), p.Settings)
	}
	if s := prng.Keyed(seed, "copies"); s.Permille(copyPermille) || h.Transactions {
		w.Copy(s)
		transactSettings(prng.Keyed(seed, "settings/transactions"), p.Settings)
	}
	if s := prng.Keyed(seed, "consumers"); s.Permille(consumePermille) {
		w.Consume(s, names)
		consumeSettings(prng.Keyed(seed, "settings/consumers"), p.Settings)
	}
	if s := prng.Keyed(seed, "both"); s.Permille(mixPermille) {
		policy := migrations[max(0, s.Between(-7, int64(len(migrations))-1))]
		w.Mix(s, names, policy != migrations[0])
		consumeSettings(prng.Keyed(seed, "settings/consumers"), p.Settings)
		p.Settings["group.consumer.migration.policy"] = policy
	}
	if s := prng.Keyed(seed, "compaction"); s.Permille(compactPermille) || h.Compaction {
		w.Compact(s)
		compactSettings(prng.Keyed(seed, "settings/compaction"), p)
	}
	if s := prng.Keyed(seed, "transfers"); s.Permille(transferPermille) || h.Transfers {
		w.Transfer(s)
		transactSettings(prng.Keyed(seed, "settings/transactions"), p.Settings)
	}
	if h.Chorus {
		w.Chorus(prng.Keyed(seed, "chorus"))
		transactSettings(prng.Keyed(seed, "settings/transactions"), p.Settings)
	}
	if s := prng.Keyed(seed, "renew"); s.Permille(renewPermille) {
		w.Renew(s)
	}
	if s := prng.Keyed(seed, "forget"); len(w.TxnIDs()) > 0 && s.Permille(forgetPermille) {
		w.Rest(s, forgetSettings(s, p.Settings))
	}
	if h.Linger {
		w.Linger(prng.Keyed(seed, "linger"))
	}
}

// transactPermille is how likely a run has transactions.
const transactPermille = 350

// copyPermille is how likely a run has members of a group that copy exactly once.
const copyPermille = 250

// transferPermille is how likely a run has clients that move amounts between accounts.
const transferPermille = 150

// consumePermille is how likely a run has a group of the consumer protocol.
const consumePermille = 250

// mixPermille is how likely a run has a group with members of both protocols.
const mixPermille = 200

// migrations are values of group.consumer.migration.policy; the first one keeps nobody out.
var migrations = [...]string{"bidirectional", "upgrade", "downgrade", "disabled"}

// consumeSettings lets such groups notice soon who is gone.
func consumeSettings(s *prng.Source, m map[string]string) {
	m["group.consumer.min.session.timeout.ms"], m["group.consumer.min.heartbeat.interval.ms"] = "1000", "100"
	m["group.consumer.heartbeat.interval.ms"] = "500"
	m["group.consumer.session.timeout.ms"] = fmt.Sprint(s.Between(4000, 10000))
	m["group.consumer.assignment.interval.ms"] = fmt.Sprint(s.Between(0, 1) * s.Between(1, 2000))
}

// transactSettings makes what coordinators of transactions do seldom frequent.
func transactSettings(s *prng.Source, m map[string]string) {
	put := func(name string, lo, hi int64) { m[name] = fmt.Sprint(s.Between(lo, hi)) }
	put("transaction.state.log.num.partitions", 1, 3)
	put("transaction.abort.timed.out.transaction.cleanup.interval.ms", 200, 3000)
	if s.Permille(250) {
		put("internal.transactional.id.first.epoch", 32730, 32766) // so that epochs run out
	}
}

// renewPermille is how likely a run has producers that go on under the ids that they have.
const renewPermille = 500

// forgetPermille is how likely a run with transactions has ids expire.
const forgetPermille = 250

// forgetSettings lets transactional ids expire that are not used for some seconds.
func forgetSettings(s *prng.Source, m map[string]string) (ms int64) {
	ms = s.Between(1500, 8000)
	m["transactional.id.expiration.ms"] = fmt.Sprint(ms)
	m["transaction.remove.expired.transaction.cleanup.interval.ms"] = fmt.Sprint(s.Between(100, 2000))
	return ms
}

// compactPermille is how likely a run compacts logs.
const compactPermille = 200

// compactSettings has the cleaner come often, and clean the coordinators' logs too, unless an order makes topics compact whose records have no keys.
func compactSettings(s *prng.Source, p *plan.Plan) {
	m := p.Settings
	put := func(name string, lo, hi int64) { m[name] = fmt.Sprint(s.Between(lo, hi)) }
	put("log.cleaner.backoff.ms", 20, 2000)
	put("log.cleaner.dedupe.buffer.size", 500, 20000)
	if s.Permille(200) {
		put("log.cleaner.io.max.bytes.per.second", 5000, 500000)
	}
	put("log.cleaner.delete.retention.ms", 0, 10000)
	segment, state, ratio := s.Between(400, 6000), s.Between(400, 6000), []string{"0", "0.2", "0.5"}[s.Intn(3)]
	policies := slices.ContainsFunc(p.Faults, func(f fault.Fault) bool { return f.Class == fault.M2 && f.Verb == "policy" })
	if !policies {
		m["offsets.topic.segment.bytes"], m["transaction.state.log.segment.bytes"] = fmt.Sprint(segment), fmt.Sprint(state)
		m[cleanableRatio] = ratio
	}
}

func setWorkload(p *plan.Plan, w *workload.Plan) {
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // plain data encodes
	}
	p.Workload, p.Clients = b, len(w.Programs)
}

// settings draws what the broker is told: small where small finds more.
func settings(s *prng.Source, p *plan.Plan) map[string]string {
	m := map[string]string{}
	put := func(name string, lo, hi int64) { m[name] = fmt.Sprint(s.Between(lo, hi)) }
	put("offsets.topic.num.partitions", 1, 4)
	put("group.initial.rebalance.delay.ms", 0, 3000)
	put("log.flush.offset.checkpoint.interval.ms", 200, 2000)
	put("metadata.log.max.record.bytes.between.snapshots", 1000, 100000)
	put("disk.reserve.bytes", 0, 1<<16)
	if skewed(p) {
		// A clock that is hours off refuses what clients stamp; that is right, and would end every run at once.
		m["log.message.timestamp.after.max.ms"] = fmt.Sprint(int64(1<<63 - 1))
	}
	if p.Swarm.On(fault.L1) {
		put("log.retention.check.interval.ms", 200, 5000)
		put("offsets.topic.segment.bytes", 1000, 20000)
	}
	if p.Swarm.On(fault.L2) {
		put("producer.id.expiration.ms", 1000, 20000)
		put("offsets.retention.check.interval.ms", 500, 5000)
		put("offsets.retention.minutes", 1, 2)
	}
	if p.Swarm.On(fault.B1) {
		tiny(prng.Keyed(p.Seed, "settings/F:B1"), m)
	}
	return m
}

// tiny makes what is large by default small: caches, answers, segments, patience (F:B1).
func tiny(s *prng.Source, m map[string]string) {
	for _, x := range []struct {
		name   string
		lo, hi int64
	}{
		{"replica.fetch.max.bytes", 1, 4096},
		{"replica.fetch.response.max.bytes", 1, 8192},
		{"replica.fetch.wait.max.ms", 1, 500},
		{"replica.lag.time.max.ms", 1000, 10000},
		{"fetch.max.bytes", 1024, 8192},
		{"max.incremental.fetch.session.cache.slots", 0, 3},
		{"log.index.interval.bytes", 0, 512},
		{"offsets.topic.segment.bytes", 300, 3000},
		{"metadata.log.max.record.bytes.between.snapshots", 100, 2000},
		{"leader.imbalance.check.interval.seconds", 1, 3},
	} {
		v := s.Between(x.lo, x.hi)
		if s.Permille(activePermille) {
			m[x.name] = fmt.Sprint(v)
		}
	}
}

// activePermille is how likely a run has one of those.
const activePermille = 250

func skewed(p *plan.Plan) bool {
	for _, f := range p.Faults {
		if f.Class == fault.C1 && f.Verb == "skew" {
			return true
		}
	}
	return false
}
