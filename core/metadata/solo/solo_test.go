package solo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
	"pgregory.net/rapid"
)

// node is one run of a broker's metadata: it folds what is committed, and notes what was refused.
type node struct {
	e       *env.Env
	l       *Log
	store   *metadata.Store
	acked   []int64 // by token: index, -1 refused
	failed  string
	openErr error
}

func (n *node) Refused(tok disk.Token, err disk.Err) { n.acked = append(n.acked, -1) }
func (n *node) LeaderChanged()                       {}
func (n *node) Failed(err disk.Err, what string)     { n.failed = what }
func (n *node) ImageChanged(_ *metadata.Image, c metadata.Commit) {
	n.acked = append(n.acked, c.Index)
}

func start(d *memdisk.Disk, seed uint64, snapshotBytes int64) *node {
	n := &node{e: d.Env(seed)}
	done := false
	task.Go(n.e, func(t *task.Task) {
		cfg := *config.DefaultNode()
		cfg.LogDir, cfg.MetadataSnapshotBytes, cfg.ClusterID = "data", snapshotBytes, "c"
		o, err := Open(t, n.e, &cfg)
		if n.openErr = err; err != nil || t.Stopped() {
			return
		}
		n.l, n.store = o.Log, metadata.NewStore(o.Image, n)
		n.store.Watchers = []metadata.Watcher{n}
		n.l.SetCommitter(n.store)
		done = true
	})
	d.Run(n.e)
	if !done && n.openErr == nil {
		return nil // the crash came first
	}
	return n
}

// entry number i; the cluster record makes a checkpoint never empty.
func entry(i int, term int64, size int) metadata.Entry {
	v := fmt.Sprint(i) + strings.Repeat("x", size)
	recs := []metadata.Record{
		&metadata.ClusterRecord{ClusterID: "c"},
		&metadata.ConfigRecord{ResourceType: 4, Name: "", Key: fmt.Sprintf("k%d", i%5), Value: &v},
		&metadata.ProducerIDsRecord{NextProducerID: int64(i + 1)},
	}
	return metadata.Entry{Term: term, Records: recs}
}

func TestWhatWasCommittedSurvivesCrashesAndTheRestIsAPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		d := memdisk.New(seed)
		snapshot := rapid.SampledFrom([]int64{1, 700, 5000, 1 << 20}).Draw(t, "snapshotBytes")
		var history []metadata.Entry // as recovered, then as proposed
		terms := []int64{}
		durable := 0 // what a recovery gave
		for life := range rapid.IntRange(1, 6).Draw(t, "lives") {
			d.Limit = 0
			if rapid.Bool().Draw(t, "crashes") {
				d.Limit = d.Ops + rapid.IntRange(1, 60).Draw(t, "ops")
			}
			n := start(d, seed+uint64(life), snapshot)
			if n == nil {
				end(t, d)
				continue
			}
			if n.openErr != nil {
				t.Fatalf("life %d: %v", life, n.openErr)
			}
			have := int(n.store.Image().Index() + 1)
			if have < durable {
				t.Fatalf("life %d: %d entries were recovered before, %d now", life, durable, have)
			}
			if have > len(history) {
				t.Fatalf("life %d: %d entries came out of %d", life, have, len(history))
			}
			history, terms = history[:have], terms[:have]
			compare(t, n.store.Image(), history, terms)
			for i := range rapid.IntRange(0, 12).Draw(t, "proposals") {
				e := entry(len(history), n.l.Term(), rapid.SampledFrom([]int{0, 10, 600, 3000}).Draw(t, "size"))
				history, terms = append(history, e), append(terms, n.l.Term())
				n.l.Propose(disk.Token(i+1), n.l.Term(), metadata.Encode(e))
				if rapid.Bool().Draw(t, "run") {
					d.Run(n.e)
				}
			}
			d.Run(n.e)
			if n.failed != "" {
				t.Fatalf("failed: %s", n.failed)
			}
			acked := len(n.acked)
			if d.Limit == 0 && have+acked != len(history) {
				t.Fatalf("%d of %d proposals were answered", acked, len(history)-have)
			}
			end(t, d)
			d.Limit = 0
			again := start(d, seed, 1<<20)
			if again == nil || again.openErr != nil {
				t.Fatalf("recovery: %v", again.openErr)
			}
			got := int(again.store.Image().Index() + 1)
			if got < have+acked || got > len(history) {
				t.Fatalf("life %d: %d were acknowledged and %d proposed, %d came back", life, have+acked, len(history), got)
			}
			history, terms, durable = history[:got], terms[:got], got
			compare(t, again.store.Image(), history, terms)
			if got > 0 && again.l.Term() <= terms[got-1] {
				t.Fatalf("term %d after an entry of term %d", again.l.Term(), terms[got-1])
			}
			d.Crash() // what was recovered is acted upon, so it must be durable by now
		}
	})
}

// end kills the process or takes the power away.
func end(t *rapid.T, d *memdisk.Disk) {
	if rapid.Bool().Draw(t, "power") {
		d.Crash()
		return
	}
	d.Kill()
}

func compare(t *rapid.T, img *metadata.Image, history []metadata.Entry, terms []int64) {
	want := metadata.Empty()
	for i, e := range history {
		want, _ = want.Apply(int64(i), terms[i], e)
	}
	if img.Digest() != want.Digest() || img.NextProducerID() != want.NextProducerID() {
		t.Fatalf("recovered %d entries to another state", len(history))
	}
}

func TestNothingIsCommittedBeforeItsSync(t *testing.T) {
	d := memdisk.New(1)
	n := start(d, 1, 1<<20)
	n.l.Propose(7, n.l.Term(), metadata.Encode(entry(0, n.l.Term(), 0)))
	for _, kind := range []disk.Kind{disk.Write, disk.Sync} {
		if len(n.e.Out.Disk) != 1 || n.e.Out.Disk[0].Kind != kind || len(n.acked) != 0 {
			t.Fatalf("want one request of kind %d and no answer, got %v and %v", kind, n.e.Out.Disk, n.acked)
		}
		d.Limit = d.Ops + 1
		r := n.e.Out.Disk[0]
		n.e.Out.Disk = nil
		n.e.Done(&disk.Completion{Token: r.Token})
	}
	if len(n.acked) != 1 || n.acked[0] != 0 {
		t.Fatalf("got %v", n.acked)
	}
}

func TestAFailedSyncFailsTheLogForGood(t *testing.T) {
	d := memdisk.New(1)
	n := start(d, 1, 1<<20)
	d.Fail = func(r *disk.Request) disk.Err {
		if r.Kind == disk.Sync {
			return disk.ErrIO
		}
		return disk.OK
	}
	n.l.Propose(1, n.l.Term(), metadata.Encode(entry(0, n.l.Term(), 0)))
	d.Run(n.e)
	if len(n.acked) != 0 || n.l.Leader() || !strings.Contains(n.failed, "sync failed") {
		t.Fatalf("acked %v, leader %v, failed %q", n.acked, n.l.Leader(), n.failed)
	}
	n.l.Propose(2, n.l.Term(), metadata.Encode(entry(1, n.l.Term(), 0)))
	if len(n.e.Out.Disk) != 0 {
		t.Fatal("the log went on after a failed sync")
	}
}

func TestAFullDiskRefusesTheProposalAndTakesTheNext(t *testing.T) {
	d := memdisk.New(1)
	n := start(d, 1, 1<<20)
	full := true
	d.Fail = func(r *disk.Request) disk.Err {
		if r.Kind == disk.Write && full {
			full = false
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	n.l.Propose(1, n.l.Term(), metadata.Encode(entry(0, n.l.Term(), 0)))
	d.Run(n.e)
	n.l.Propose(2, n.l.Term(), metadata.Encode(entry(0, n.l.Term(), 0)))
	d.Run(n.e)
	if len(n.acked) != 2 || n.acked[0] != -1 || n.acked[1] != 0 {
		t.Fatalf("got %v", n.acked)
	}
}

func TestDamageBeforeWholeBatchesIsRefused(t *testing.T) {
	d := memdisk.New(1)
	n := start(d, 1, 1<<20)
	for i := range 3 {
		n.l.Propose(disk.Token(i+1), n.l.Term(), metadata.Encode(entry(i, n.l.Term(), 0)))
		d.Run(n.e)
	}
	d.Crash()
	b := d.Bytes("data/__cluster_metadata-0/00000000000000000000.log")
	b[80] ^= 1
	m := start(d, 2, 1<<20)
	if m == nil || m.openErr == nil || !strings.Contains(m.openErr.Error(), "damaged at byte 0") {
		t.Fatalf("got %v", m.openErr)
	}
}

func TestALogWhoseCheckpointWasLostKeepsTheLogBeforeIt(t *testing.T) {
	d := memdisk.New(1)
	n := start(d, 1, 1<<20)
	for i := range 2 {
		n.l.Propose(disk.Token(i+1), n.l.Term(), metadata.Encode(entry(i, n.l.Term(), 0)))
		d.Run(n.e)
	}
	d.Kill()
	d.Put("data/"+Dir+"/"+logName(2), nil) // the checkpoint's rename was lost with the power, the new log's name was not
	for range 3 {
		m := start(d, 2, 1<<20)
		if m == nil || m.openErr != nil || m.store.Image().Index() < 1 {
			t.Fatalf("lost: %+v", m)
		}
		m.l.Propose(1, m.l.Term(), metadata.Encode(entry(int(m.l.Next()), m.l.Term(), 0)))
		d.Run(m.e)
		d.Kill()
	}
}
