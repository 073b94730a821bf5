package txn

import (
	"sort"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// ProducerIDs gives producer ids that nobody has.
type ProducerIDs interface {
	// NextProducerID has w told one, at once or later.
	NextProducerID(w IDWaiter)
}

// IDWaiter is told once. A code other than None says why there is no id.
type IDWaiter interface {
	GotProducerID(id int64, code kerr.Code)
}

// Coordinator is the transactional ids of one partition of __transaction_state. It is loaded once, and dropped once.
type Coordinator struct {
	env    *env.Env
	cfg    *Config
	epoch  int32 // leader epoch of the partition: markers carry it
	pids   ProducerIDs
	sender *Sender
	shard  *coordinator.Shard
	gone   kerr.Code // what requests are told after Unload or Failed

	ids    map[string]*entry // a fold over the log, with what is soft about each id
	open   list.List[entry]  // those that are Ongoing, in the order in which they became so
	resume []string          // those whose decision was loaded and may stand above the high watermark
	undone list.List[ending] // all markers are written, and the record of that was refused

	aborts  timer.Timer
	expires timer.Timer
	retries timer.Timer
}

// entry is one transactional id.
type entry struct {
	Metadata
	id     string
	at     int64            // offset of the record that gave the metadata
	inOpen list.Elem[entry] // place in open
	held   list.List[call]
	ending *ending // markers are being written
}

// New makes a coordinator that waits for its log to be loaded. epoch is the partition's leader epoch.
func New(e *env.Env, log coordinator.Log, epoch int32, cfg *Config, pids ProducerIDs, sender *Sender) *Coordinator {
	c := &Coordinator{env: e, cfg: cfg, epoch: epoch, pids: pids, sender: sender, ids: make(map[string]*entry)}
	c.shard = coordinator.NewShard(e, log, c, options(cfg))
	c.aborts.Owner, c.expires.Owner, c.retries.Owner = c, c, c
	c.aborts.Kind, c.expires.Kind, c.retries.Kind = timerAborts, timerExpires, timerRetries
	return c
}

// The coordinator's timers.
const (
	timerAborts = iota
	timerExpires
	timerRetries
)

func options(cfg *Config) coordinator.Options {
	return coordinator.Options{MaxBatchBytes: cfg.MaxBatchBytes, StallMS: cfg.StallMS}
}

// Updated gives the wall clock of a transactional id's last record, in milliseconds; false: the id is not known.
func (c *Coordinator) Updated(id string) (int64, bool) {
	e := c.ids[id]
	if e == nil {
		return 0, false
	}
	return e.UpdatedMS, true
}

// Load replays one batch of the log; they come in order, from its start to its end. After an error the instance is of no use.
func (c *Coordinator) Load(batch records.View) error { return c.shard.Load(batch) }

// Loaded makes the coordinator active. What was decided goes on once it is below the high watermark, which the caller tells next.
func (c *Coordinator) Loaded() {
	c.shard.Loaded()
	for _, id := range sortedKeys(c.ids) {
		if c.ids[id].State.Preparing() {
			sometimes.Hit("txn: a coordinator loads what another has decided and not ended")
			c.resume = append(c.resume, id)
		}
	}
	c.arm()
	c.check()
}

func (c *Coordinator) arm() {
	c.env.After(&c.aborts, clock.MS(int64(max(c.cfg.AbortEachMS, 1))))
	c.env.After(&c.expires, clock.MS(int64(max(c.cfg.ExpireEachMS, 1))))
}

// HighWatermarkMoved lets go the replies that hw covers, and has markers written for the decisions that it covers.
func (c *Coordinator) HighWatermarkMoved(hw int64) {
	c.shard.HighWatermarkMoved(hw)
	if len(c.resume) == 0 || !c.Active() {
		return
	}
	ids := c.resume
	c.resume = nil
	for _, id := range ids {
		switch e := c.ids[id]; {
		case e == nil || !e.State.Preparing():
		case e.at < hw:
			c.sendMarkers(e)
		default:
			c.resume = append(c.resume, id)
		}
	}
	c.check()
}

// Unload ends the instance, because the partition is led elsewhere or nowhere: whoever waits is told code, and so is whoever still asks. Markers
// that are under way are another coordinator's to repeat.
func (c *Coordinator) Unload(code kerr.Code) {
	if c.shard.Phase() == coordinator.Dropped {
		return
	}
	c.gone = code
	c.shard.Drop(code)
	for _, id := range sortedKeys(c.ids) {
		e := c.ids[id]
		if e.ending != nil {
			sometimes.Hit("txn: a coordinator goes while its markers are being written")
			e.ending.stopped = true
		}
		for x := e.held.First(); x != nil; x = e.held.First() {
			c.unhold(e, x)
			x.refuse(code)
		}
	}
	c.env.Timers.Cancel(&c.aborts)
	c.env.Timers.Cancel(&c.expires)
	c.env.Timers.Cancel(&c.retries)
}

// Failed says that the log took back everything from an offset on. State that was replayed cannot be taken back: the instance ends, and the
// caller loads a new one.
func (c *Coordinator) Failed(int64) { c.Unload(kerr.CoordinatorNotAvailable) }

// Active says whether the coordinator has been loaded and not dropped.
func (c *Coordinator) Active() bool { return c.shard.Phase() == coordinator.Active }

// unavailable is the code for every request while the coordinator is not active.
func (c *Coordinator) unavailable() kerr.Code {
	switch c.shard.Phase() {
	case coordinator.Loading:
		return kerr.CoordinatorLoadInProgress
	case coordinator.Dropped:
		return c.gone
	}
	return kerr.None
}

// TimerFired is the heap's call.
func (c *Coordinator) TimerFired(t *timer.Timer) {
	switch t.Kind {
	case timerAborts:
		c.abortTimedOut()
		c.env.After(&c.aborts, clock.MS(int64(max(c.cfg.AbortEachMS, 1))))
	case timerExpires:
		c.expire()
		c.env.After(&c.expires, clock.MS(int64(max(c.cfg.ExpireEachMS, 1))))
	case timerRetries:
		c.retryCompletions()
	}
	c.check()
}

// write puts an id's next metadata into the log. It takes effect at once, and is told once the high watermark has passed it.
func (c *Coordinator) write(id string, m *Metadata) kerr.Code {
	c.shard.SetOptions(options(c.cfg))
	_, code := c.shard.Write(id, []coordinator.Record{record(id, m, c.cfg.Version)})
	if code == kerr.None {
		c.ids[id].lastEpoch = m.lastEpoch
	}
	return coordinator.ClientCode(code)
}

// reply answers a call once everything that was replayed for its id is below the high watermark.
func (c *Coordinator) reply(x *call, resp kmsg.Response) { c.park(x.id, x.w, resp) }

// park is reply for whoever asks. That an id is not known may rest on any batch of tombstones.
func (c *Coordinator) park(id string, w coordinator.Waiter, resp kmsg.Response) {
	switch _, added := resp.(*kmsg.AddPartitionsToTxnResponse); {
	case added && plant.On(plant.T6):
		coordinator.Reply(w, resp)
		return
	case c.ids[id] == nil:
		c.shard.ParkAll(w, resp)
		return
	}
	c.shard.Park(id, w, resp)
}

func (c *Coordinator) nowMS() int64 { return int64(c.env.Now.Wall) }

// Len is the number of transactional ids.
func (c *Coordinator) Len() int { return len(c.ids) }

// Open is the number of transactions that are neither decided nor empty.
func (c *Coordinator) Open() int { return c.open.Len() }

func sortedKeys[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}
