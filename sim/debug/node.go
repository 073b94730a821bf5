package debug

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/sim/history"
)

// which reads the number of a node, from 1, and gives its index.
func (l *Local) which(arg string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(arg, "n"))
	if err != nil || n < 1 || n > l.c.Nodes() {
		return 0, fmt.Errorf("node %q; use 1 to %d", arg, l.c.Nodes())
	}
	return n - 1, nil
}

// state is what a shard shows, nil if its node is down.
func (l *Local) state(node, shard int) *api.State {
	s, _ := l.c.Inspect(node, shard).(*api.State)
	return s
}

func (l *Local) node(t *text, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("node takes a number from 1 to %d", l.c.Nodes())
	}
	n, err := l.which(args[0])
	if err != nil {
		return err
	}
	p := l.c.Process(n)
	t.line("n%d: %s; wall clock %d ms, monotonic %s", n+1, l.process(n), p.Now.Wall, seconds(p.Now.Mono))
	l.quorum(t, n)
	if !p.Up {
		t.line("a node that is down has its disk alone: disk %d", n+1)
		return nil
	}
	l.metadata(t, n)
	t.line("lanes:")
	for i, lane := range p.Lanes {
		name, due := fmt.Sprintf("  shard %d", i), "no deadline"
		if i == l.plan.Shards {
			name = "  quorum"
		}
		if lane.Deadline != 0 {
			due = fmt.Sprintf("deadline in %s", span(int64(lane.Deadline-p.Now.Mono)))
		}
		t.row(name, fmt.Sprintf("%d inputs wait", lane.Inputs), fmt.Sprintf("%d connections", lane.Conns), fmt.Sprintf("%d mails to come", lane.Mail), due)
	}
	t.line("partitions:")
	t.row(append([]string{"  partition", "shard"}, columns...)...)
	for s := range l.plan.Shards {
		if st := l.state(n, s); st != nil {
			for _, r := range st.Parts {
				t.row(append([]string{"  " + history.Key(r.Topic, r.Number), strconv.Itoa(s)}, cells(r)...)...)
			}
		}
	}
	l.coordinators(t, n)
	return nil
}

// span gives a length of time in ms.
func span(ns int64) string { return fmt.Sprintf("%d.%03d ms", ns/1e6, max(ns, -ns)%1e6/1e3) }

// quorum prints what the node's actor of the quorum showed last.
func (l *Local) quorum(t *text, n int) {
	if l.c.Nodes() == 1 {
		return
	}
	v := l.run.Judge.Voter(n)
	if v == nil {
		t.line("quorum: nothing yet")
		return
	}
	role := "follows"
	switch {
	case !v.Running:
		role = "does not run"
	case v.Leader:
		role = "leads"
	}
	entries := "no entries"
	if v.First > 0 && v.First <= v.Last {
		entries = fmt.Sprintf("entries %d to %d", v.First, v.Last)
	}
	t.line("quorum: %s in term %d; voted in term %d for %q; %s, committed %d, snapshot %d", role, v.Term, v.VoteTerm, v.Vote, entries, v.Commit, v.Snapshot)
}

// metadata prints which images a node goes by, and what they say of itself.
func (l *Local) metadata(t *text, n int) {
	var at []string
	var img *metadata.Image
	controller := int32(-1)
	for s := range l.plan.Shards {
		st := l.state(n, s)
		if st == nil || st.Image == nil {
			at = append(at, "-")
			continue
		}
		at = append(at, strconv.FormatInt(st.Image.Index(), 10))
		if s == 0 {
			img, controller = st.Image, st.ControllerID
		}
	}
	t.line("metadata: shards at %s; controller %s%s", strings.Join(at, " "), whom(controller), closing(l.state(n, 0)))
	if img == nil {
		return
	}
	for _, b := range img.Brokers() {
		how := "active"
		switch {
		case b.Fenced:
			how = "fenced"
		case b.InShutdown:
			how = "in controlled shutdown"
		}
		t.line("  broker %d: epoch %d, %s, %d directories online", b.ID, b.Epoch, how, len(b.LogDirs))
	}
}

// closing says whether a node's logs are closed.
func closing(st *api.State) string {
	if st != nil && st.Closed {
		return "; its logs are closed or being closed"
	}
	return ""
}

func whom(node int32) string {
	if node < 0 {
		return "none"
	}
	return fmt.Sprintf("n%d", node)
}

// columns are those of a partition's replica, cells what stands in them.
var columns = []string{"role", "epoch", "ISR", "start", "high wm", "stable", "synced", "written", "end", ""}

func cells(r *replica.Partition) []string {
	s := r.State()
	role := "idle"
	switch leader, _, follows := r.Following(); {
	case r.Offline():
		role = "offline"
	case r.IsLeader():
		role = "leads"
	case follows:
		role = "follows " + whom(leader)
	}
	out := []string{role, fmt.Sprintf("%d.%d", s.LeaderEpoch, s.PartitionEpoch), ids(s.ISR)}
	if r.Log == nil {
		return append(out, "-", strconv.FormatInt(r.HighWatermark(), 10), "-", "-", "-", "-", "its log is not open")
	}
	for _, v := range [...]int64{r.Log.Start(), r.HighWatermark(), r.LastStable(), r.Log.SyncedEnd(), r.Log.WrittenEnd(), r.Log.End()} {
		out = append(out, strconv.FormatInt(v, 10))
	}
	return append(out, remarks(r))
}

// row is one replica in one line, each number with its name.
func row(r *replica.Partition) string {
	var s []string
	for i, c := range cells(r) {
		if c != "" {
			s = append(s, strings.TrimSpace(columns[i]+" "+c))
		}
	}
	return strings.Join(s, ", ")
}

// remarks are what is unusual about a replica.
func remarks(r *replica.Partition) string {
	var s []string
	if r.Closed() {
		s = append(s, "closed")
	}
	if p := r.Proposed(); p != nil {
		s = append(s, "proposes ISR "+ids(p))
	}
	if r.Truncating() {
		s = append(s, "a truncation is under way")
	}
	if at, yes := r.Rotten(); yes {
		s = append(s, fmt.Sprintf("rotten at %d", at))
	}
	if r.IsLeader() && r.Lags() {
		s = append(s, fmt.Sprintf("high watermark has not reached the epoch's begin, %d", r.Role().EpochStart))
	}
	return strings.Join(s, "; ")
}

// ids are the numbers of nodes.
func ids(nodes []int32) string {
	s := make([]string, len(nodes))
	for i, n := range nodes {
		s[i] = strconv.Itoa(int(n))
	}
	return "[" + strings.Join(s, " ") + "]"
}

func (l *Local) partition(t *text, args []string) error {
	if len(args) != 1 || !strings.Contains(args[0], "/") {
		return fmt.Errorf("partition takes one by its name, such as t0/0; node 1 lists them")
	}
	topic, number := history.SplitKey(args[0])
	t.row(append([]string{"node", "shard"}, columns...)...)
	found := 0
	for n := range l.c.Nodes() {
		r, shard := l.find(n, topic, number)
		if r == nil {
			t.row(fmt.Sprintf("n%d", n+1), "-", map[bool]string{true: "has none", false: "is down"}[l.c.Running(n)])
			continue
		}
		found++
		t.row(append([]string{fmt.Sprintf("n%d", n+1), strconv.Itoa(shard)}, cells(r)...)...)
	}
	if !l.decided(t, topic, number) && found == 0 {
		return fmt.Errorf("no node has %s; node 1 lists those that are there", args[0])
	}
	l.followers(t, topic, number)
	l.producers(t, topic, number)
	return nil
}

// followers prints what a leader knows of its followers: their ends, under flush.policy=ack the synced ones. It keeps that for itself.
func (l *Local) followers(t *text, topic string, number int32) {
	for n := range l.c.Nodes() {
		r, _ := l.find(n, topic, number)
		if r == nil || !r.IsLeader() {
			continue
		}
		all := field(reflect.ValueOf(r), "followers")
		now := l.c.Process(n).Now.Mono
		for i := range all.Len() {
			f := all.Index(i)
			heard := "has not fetched"
			if at := field(f, "fetched").Int(); at > 0 {
				heard = fmt.Sprintf("fetched %s ago", span(int64(now)-at))
			}
			t.row(fmt.Sprintf("n%d knows of n%d:", n+1, field(f, "node").Int()), fmt.Sprintf("end %d", field(f, "end").Int()), fmt.Sprintf("start %d", field(f, "start").Int()), heard)
		}
	}
}

// find gives a node's replica of a partition, and its shard; nil if it has none.
func (l *Local) find(node int, topic string, number int32) (*replica.Partition, int) {
	for s := range l.plan.Shards {
		if st := l.state(node, s); st != nil {
			for i := len(st.Parts) - 1; i >= 0; i-- { // a topic made anew comes later
				if r := st.Parts[i]; r.Topic == topic && r.Number == number {
					return r, s
				}
			}
		}
	}
	return nil, -1
}

// decided prints what each node's metadata say of a partition, equal ones once.
func (l *Local) decided(t *text, topic string, number int32) (any bool) {
	said := map[string][]string{}
	for n := range l.c.Nodes() {
		st := l.state(n, 0)
		if st == nil || st.Image == nil {
			continue
		}
		x := st.Image.TopicByName(topic)
		if x == nil || int(number) >= len(x.Partitions) {
			continue
		}
		p := &x.Partitions[number]
		line := fmt.Sprintf("leader %s, epoch %d.%d, ISR %s of %s, ELR %s, last known ELR %s", whom(p.Leader), p.LeaderEpoch, p.PartitionEpoch, ids(p.ISR), ids(p.Replicas), ids(p.ELR), ids(p.LastKnownELR))
		if p.Reassigning() {
			line += fmt.Sprintf(", adding %s, removing %s", ids(p.Adding), ids(p.Removing))
		}
		for _, c := range st.Image.TopicConfigs(topic) {
			if c.Key == "min.insync.replicas" {
				line += ", min.insync.replicas " + c.Value
			}
		}
		said[line] = append(said[line], fmt.Sprintf("n%d at %d", n+1, st.Image.Index()))
	}
	for _, line := range slices.Sorted(maps.Keys(said)) {
		t.line("metadata (%s): %s", strings.Join(said[line], ", "), line)
	}
	return len(said) > 0
}

// producers prints what each node knows of a partition's producers.
func (l *Local) producers(t *text, topic string, number int32) {
	for n := range l.c.Nodes() {
		r, _ := l.find(n, topic, number)
		if r == nil || r.Log == nil || r.Log.Producers().Len() == 0 {
			continue
		}
		t.line("producers on n%d:", n+1)
		known(t, r.Log.Producers())
	}
}

// known prints the producers of a table.
func known(t *text, all *producers.Table) {
	for _, p := range all.List() {
		last, open := "no batch", ""
		if p.N > 0 {
			b := p.Batches[p.N-1]
			last = fmt.Sprintf("last sequence %d at offset %d", b.LastSeq, b.LastOffset)
		}
		if p.TxnFirstOffset >= 0 {
			open = fmt.Sprintf("a transaction is open since offset %d", p.TxnFirstOffset)
		}
		t.row(fmt.Sprintf("  id %d", p.ID), fmt.Sprintf("epoch %d", p.Epoch), last, open)
	}
}
