package replica

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// world is one partition on a disk that keeps nothing, whose requests complete when the test says so. Beside it stands the twin: a list of
// what was appended, and how far it was written and synced.
type world struct {
	t         *rapid.T
	e         *env.Env
	p         *Partition
	flush     bool
	disk      []disk.Request
	appends   []*appended
	hw        int64
	back      int64 // where the last taken-back range began, -1 none
	failed    bool
	moved     int
	proposals []Proposal
	readied   int
	leader    int32 // whom the observer was told to fetch from, if fetches
	fetches   bool
	made      map[string]bool // files that there are
}

// appended is one append and what the twin knows of it.
type appended struct {
	w     *world
	acks  int16
	pid   int64
	n     int64
	base  int64 // once it is in the log, -1 if it was refused
	dup   *appended
	back  bool // taken back
	count int
	r     Result
}

func (a *appended) last() int64 { return a.base + a.n - 1 }

// Appended is Waiter: what is said must be true now.
func (a *appended) Appended(slot int32, r Result) {
	w := a.w
	if a.count++; a.count > 1 {
		w.t.Fatalf("append %d was answered twice", slot)
	}
	if w.appends[slot] != a {
		w.t.Fatalf("answer to slot %d is another's", slot)
	}
	a.r = r
	if r.Code != kerr.None || a.acks == AcksNone {
		return
	}
	end := r.Base + a.n
	if a.acks == AcksLeader && end > w.p.Log.WrittenEnd() {
		w.t.Fatalf("acks=1 for records below %d, written until %d", end, w.p.Log.WrittenEnd())
	}
	if a.acks == AcksAll && (end > w.p.HighWatermark() || w.flush && end > w.p.Log.SyncedEnd()) {
		w.t.Fatalf("acks=all for records below %d, synced until %d, high watermark %d", end, w.p.Log.SyncedEnd(), w.p.HighWatermark())
	}
	for _, b := range w.appends { // in order
		if b != a && b.acks == a.acks && b.dup == nil && a.dup == nil && b.base >= 0 && b.base < r.Base && b.count == 0 && !b.back {
			w.t.Fatalf("base %d is answered before base %d", r.Base, b.base)
		}
	}
}

func (w *world) HighWatermarkMoved(p *Partition) {
	if p.HighWatermark() <= w.hw {
		w.t.Fatalf("the high watermark went from %d to %d", w.hw, p.HighWatermark())
	}
	w.hw = p.HighWatermark()
	w.moved++
}
func (w *world) Failed(*Partition, disk.Err, string) { w.failed = true }
func (w *world) TakenBack(_ *Partition, from int64) {
	if from < w.hw {
		w.t.Fatalf("taken back from %d, below the high watermark %d", from, w.hw)
	}
	for _, a := range w.appends {
		if a.base >= 0 && a.last() >= from {
			a.back = true
		}
	}
}

func (w *world) AlterPartition(_ *Partition, x Proposal) { w.proposals = append(w.proposals, x) }
func (w *world) FollowerReady(*Partition)                { w.readied++ }
func (w *world) StartUnsaved(*Partition)                 {}
func (w *world) LeaderChanged(p *Partition)              { w.leader, _, w.fetches = p.Following() }

func newWorld(t *rapid.T) *world {
	w := &world{t: t, flush: rapid.Bool().Draw(t, "ack")}
	w.open()
	return w
}

func (w *world) open() {
	w.made = map[string]bool{}
	w.e, w.back = env.New(0, &buf.Pool{Mangle: true}, prng.New(1)), -1
	w.e.Out = &step.Effects{}
	w.e.Now = clock.Now{Mono: 1e9, Wall: 1_700_000_000_000}
	w.p = New(w.e, "t", [16]byte{1}, 0, 5, w.flush)
	w.p.Observer = w
	cfg := commitlog.DefaultConfig()
	cfg.FlushAck, cfg.FlushAge = w.flush, clock.Second
	task.Go(w.e, func(t *task.Task) {
		l, err := commitlog.Open(t, w.e, "d/t-0", commitlog.Options{Config: cfg, Listener: w.p, Create: true, TopicID: [16]byte{1}})
		if err != nil {
			w.t.Fatal(err)
		}
		w.p.Opened(l)
	})
	for w.p.Log == nil {
		w.round()
		w.complete(0, disk.OK)
	}
}

func (w *world) round() {
	w.e.FlushDirty()
	for t := w.e.Timers.Expired(w.e.Now.Mono); t != nil; t = w.e.Timers.Expired(w.e.Now.Mono) {
		t.Owner.TimerFired(t)
	}
	w.e.FlushDirty()
	w.disk = append(w.disk, w.e.Out.Disk...)
	w.e.Out.Reset()
	if w.p.Log != nil && !w.p.Offline() {
		w.p.CheckInvariants()
	}
}

func (w *world) complete(i int, err disk.Err) {
	r := w.disk[i]
	w.disk = append(w.disk[:i:i], w.disk[i+1:]...)
	c := disk.Completion{Token: r.Token, Err: err}
	switch {
	case err != disk.OK:
	case r.Kind == disk.Write:
		for _, b := range r.Vec {
			c.N += int64(len(b))
		}
	case r.Kind == disk.Open && r.Flags&disk.Create != 0:
		w.made[r.Path] = true
	case r.Kind == disk.Rename:
		w.made[r.NewPath] = true
	case r.Kind == disk.List, r.Kind == disk.Open && !w.made[r.Path]:
		c.Err = disk.ErrNotExist
	}
	w.e.Done(&c)
	w.round()
}

func (w *world) append(acks int16, n int, pid int64, seq int32, dup *appended) {
	b := records.NewBuilder(records.Options{HasProducer: pid >= 0, ProducerID: pid, BaseSequence: seq})
	for range n {
		b.Add(nil, []byte("v"), int64(w.e.Now.Wall))
	}
	lease := w.e.Pool.Get(b.Size() + 100)
	v := records.View(lease.Bytes[:copy(lease.Bytes, b.Build())])
	a := &appended{w: w, acks: acks, pid: pid, n: int64(n), base: -1, dup: dup}
	w.appends = append(w.appends, a)
	end := w.p.Log.End()
	if !w.failed {
		a.base = end
	}
	w.p.Append(v, lease, acks, a, int32(len(w.appends)-1))
	lease.Release()
	if a.count > 0 && a.r.Code != kerr.None {
		a.base = -1
	}
	if a.dup != nil && w.p.Log.End() == end {
		a.base = a.dup.base
	}
	w.round()
}

func TestAppendsAreAnsweredAsADumbTwinSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		var newest *appended // of the idempotent producer
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			acks := int16(rapid.IntRange(-1, 1).Draw(t, "acks"))
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				w.append(acks, rapid.IntRange(1, 3).Draw(t, "n"), -1, -1, nil)
			case 3:
				w.append(acks, 1, int64(len(w.appends)), 0, nil)
				newest = w.appends[len(w.appends)-1]
			case 4:
				if newest == nil || newest.base < 0 {
					continue
				}
				again := newest
				before := w.p.Log.End()
				w.append(acks, 1, again.pid, 0, again)
				if grew := w.p.Log.End() > before; !w.failed && grew != again.back {
					t.Fatalf("a batch was sent again: taken back %v, appended %v", again.back, grew)
				}
				if again.back {
					newest = w.appends[len(w.appends)-1]
					newest.dup = nil
				}
			case 5, 6, 7, 8:
				if len(w.disk) > 0 {
					i := rapid.IntRange(0, len(w.disk)-1).Draw(t, "which")
					err := disk.OK
					if w.disk[i].Kind == disk.Write && rapid.IntRange(0, 3).Draw(t, "full") == 0 {
						err = disk.ErrNoSpace
					}
					if w.disk[i].Kind == disk.Sync && rapid.IntRange(0, 30).Draw(t, "broken") == 0 {
						err = disk.ErrIO
					}
					w.complete(i, err)
				}
			case 9:
				w.e.Now.Mono += clock.Time(rapid.IntRange(1, 2000).Draw(t, "ms")) * 1e6
				w.round()
			}
		}
		for range 1000 {
			w.e.Now.Mono += 1e8
			w.round()
			if len(w.disk) > 0 {
				w.complete(0, disk.OK)
			}
		}
		w.settle()
	})
}

// settle checks that each append got one answer, and the right one.
func (w *world) settle() {
	for i, a := range w.appends {
		if a.count != 1 {
			w.t.Fatalf("append %d (acks=%d, base %d) was answered %d times", i, a.acks, a.base, a.count)
		}
		switch {
		case a.acks == AcksNone:
		case a.back && a.r.Code == kerr.None:
			w.t.Fatalf("append %d was taken back, and acknowledged at %d", i, a.r.Base)
		case !a.back && !w.failed && a.r.Code != kerr.None:
			w.t.Fatalf("append %d was refused with %s for nothing", i, a.r.Code)
		case a.r.Code == kerr.None && a.r.Base != a.base:
			w.t.Fatalf("append %d stands at %d, and was told %d", i, a.base, a.r.Base)
		}
	}
	if w.p.Waiting() != 0 {
		w.t.Fatalf("%d appends wait", w.p.Waiting())
	}
	if !w.failed && w.hw != w.p.Log.End() && w.p.Log.End() > 0 {
		w.t.Fatalf("the high watermark is %d of %d", w.hw, w.p.Log.End())
	}
	if !w.failed && w.e.Pool.Out != 0 {
		w.t.Fatalf("%d bytes are still leased", w.e.Pool.Out)
	}
}
