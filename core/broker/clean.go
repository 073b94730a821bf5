package broker

import (
	"errors"
	"math"
	"slices"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/quota"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/stats"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// cleaning is a shard's log cleaner, as Kafka's LogCleaner with one thread: of the logs that have enough to clean the dirtiest comes first, one at a
// time, until none has; then it rests for log.cleaner.backoff.ms. The rate and the memory that the settings name are the broker's, and each shard
// has an equal share of them.
//
//	resting ── backoff ──▶ dirtiest log ─▶ Clean ─▶ the next dirtiest … none ──▶ resting
type cleaning struct {
	rate    quota.Bucket
	waiting map[*commitlog.Log]wait // lookups only, but for sweeping
	did     stats.Cleaner           // but for what is counted when it is asked for
	looked  clock.Time              // when the dirtiest log was last looked for
}

// wait is until when a log that cannot be cleaned is left alone, and what was said of it.
type wait struct {
	until clock.Time
	said  string
}

const (
	uncleanableFor = 10 * 60 * clock.Second // a log that cannot be cleaned is tried again so late
	noRoomFor      = 60 * clock.Second
)

// clean begins a round of the cleaner.
func (s *Shard) clean() {
	if !s.node.CleanerEnable || s.phase != serving {
		s.restCleaning()
		return
	}
	task.Go(s.env, func(t *task.Task) {
		if s.learnAges(t); t.Stopped() {
			return
		}
		for s.phase == serving && s.node.CleanerEnable {
			p := s.dirtiest()
			if p == nil {
				break
			}
			if s.cleanLog(t, p); t.Stopped() {
				return
			}
			t.Sleep(0)
		}
		if !t.Stopped() {
			s.restCleaning()
		}
	})
}

// learnAges has the logs look how old what they have to clean is.
func (s *Shard) learnAges(t *task.Task) {
	for _, p := range slices.Clone(s.state.Parts) {
		if s.phase != serving || t.Stopped() {
			return
		}
		if topic := s.applied.TopicByID(p.TopicID); p.Log != nil && topic != nil && s.cleanable(p) && s.state.Settings(topic).Compact {
			p.Log.LearnAges(t) // one that cannot be read is tried again the next time; that it cannot is told when it is cleaned
		}
	}
}

func (s *Shard) restCleaning() {
	if s.phase < closing {
		s.env.After(&s.timers[timerClean], clock.MS(max(s.node.CleanerBackoffMS, 1)))
	}
}

// dirtiest gives the log that is to be cleaned next, nil if none is.
func (s *Shard) dirtiest() (best *replica.Partition) {
	most := int64(-1)
	did := &s.cleaning.did
	s.cleaning.looked, did.MaxDirtyPPM, did.MaxOverdueMS = s.env.Now.Mono, 0, 0
	for _, p := range s.state.Parts {
		t := s.applied.TopicByID(p.TopicID)
		if p.Log == nil || t == nil || !s.cleanable(p) {
			continue
		}
		set := s.state.Settings(t)
		if !set.Compact {
			continue
		}
		p.Log.RollDue()
		d := p.Log.Dirt(p.LastStable())
		r := d.Ratio()
		did.MaxDirtyPPM, did.MaxOverdueMS = max(did.MaxDirtyPPM, r), max(did.MaxOverdueMS, d.OverdueMS)
		if d.From != d.To && (r > set.MinCleanableRatioPPM || d.OverdueMS > 0) && r > most {
			best, most = p, r
		}
	}
	return best
}

// cleanable says whether a log may be looked at now.
func (s *Shard) cleanable(p *replica.Partition) bool {
	if _, rotten := p.Rotten(); rotten || p.Offline() || p.Closed() || p.Truncating() || p.Log.Failed() {
		return false
	}
	w, waits := s.cleaning.waiting[p.Log]
	return !waits || w.until <= s.env.Now.Mono
}

// cleanLog cleans one log, and leaves it alone for a while where that does not go.
func (s *Shard) cleanLog(t *task.Task, p *replica.Partition) {
	c := &s.cleaning
	c.rate.SetRate(s.env.Now.Mono, shareOf(s.node.CleanerRate, s.shards))
	began := s.env.Now.Mono
	done, err := p.Log.Clean(t, commitlog.CleanLimits{
		Stable: p.LastStable(), MapBytes: s.node.CleanerMapBytes / int64(s.shards), Room: s.cleanRoom(p),
		Spend: func(n int64) clock.Duration {
			c.rate.Take(s.env.Now.Mono, n)
			return c.rate.Wait(s.env.Now.Mono)
		},
		Cancelled: func() bool { return s.phase != serving || p.Offline() || p.Closed() || !s.node.CleanerEnable },
		Deletes:   p.Everywhere(),
	})
	if t.Stopped() {
		return
	}
	w := wait{until: s.env.Now.Mono.Add(uncleanableFor)}
	switch {
	case err == nil:
		delete(c.waiting, p.Log)
		c.cleaned(done, s.env.Now.Mono.Sub(began))
		return
	case err == commitlog.ErrCleanEnded:
		w.until = s.env.Now.Mono.Add(clock.Second)
	case errors.Is(err, disk.ErrNoSpace):
		w.until = s.env.Now.Mono.Add(noRoomFor)
		w.said = nameOf(p) + " is not compacted: there is no room for the new segment; free space, or lower segment.bytes"
	default:
		w.said = nameOf(p) + " is not compacted: " + err.Error()
	}
	if w.said != "" {
		c.did.Failures++
	}
	if was := c.waiting[p.Log]; w.said != was.said && w.said != "" {
		s.env.Errorf("%s", w.said)
	}
	s.sweepWaiting()
	c.waiting[p.Log] = w
}

// cleaned counts a clean that ended well.
func (c *cleaning) cleaned(done commitlog.Cleaned, took clock.Duration) {
	c.did.Cleans++
	c.did.ReadBytes += done.Read
	c.did.RemovedBytes += max(done.Before-done.After, 0)
	c.did.LastBefore, c.did.LastAfter, c.did.LastNS, c.did.LastMapPPM = done.Before, done.After, int64(took), done.MapPPM
}

// cleanerStats is what the cleaner has done, and what it cannot do.
func (s *Shard) cleanerStats() stats.Cleaner {
	c := s.cleaning.did
	c.SinceRunNS = int64(s.env.Now.Mono.Sub(s.cleaning.looked))
	for _, p := range s.state.Parts {
		if w, ok := s.cleaning.waiting[p.Log]; ok && p.Log != nil && w.said != "" {
			c.Uncleanable++
			c.UncleanableBytes += p.Log.Dirt(p.LastStable()).Dirty
		}
	}
	return c
}

// sweepWaiting forgets logs that are not this shard's any more.
func (s *Shard) sweepWaiting() {
	keep := make(map[*commitlog.Log]wait)
	for _, p := range s.state.Parts {
		if w, ok := s.cleaning.waiting[p.Log]; ok && p.Log != nil {
			keep[p.Log] = w
		}
	}
	s.cleaning.waiting = keep
}

// cleanRoom is how many bytes a clean may write beside the log: the reserve is for what must go on.
func (s *Shard) cleanRoom(p *replica.Partition) int64 {
	d := &s.state.Dirs[p.Dir]
	if d.FreeBytes < 0 {
		return math.MaxInt64
	}
	room := d.FreeBytes - d.SinceFree
	if p.Topic != controller.OffsetsTopic && p.Topic != controller.TransactionTopic {
		room -= s.node.DiskReserveBytes
	}
	return room
}

// shareOf is a shard's part of a rate.
func shareOf(rate int64, shards int) int64 {
	if rate == quota.Unlimited {
		return rate
	}
	return max(rate/int64(shards), 1)
}
