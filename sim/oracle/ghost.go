package oracle

import (
	"strings"

	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
)

// ghosts is what the clients' histories prove, by partition. The suite feeds it; oracles read it.
type ghosts struct {
	byKey   map[string]*ghost
	keys    []string // in the order in which they were first heard of
	facts   facts
	open    map[int32][]mark // by process: what was exposed when its present operation was invoked, by micro-operation
	stale   map[int32]bool   // processes whose present operation spans an excuse: its answer may tell of what is gone
	weak    models.Windows
	begun   map[int32]int64 // by process: the event that invoked its present operation
	deleted map[string]bool // topics that somebody asked to delete
	// retained are topics that retention may shorten at any time.
	retained map[string]bool
	nameless bool                // the checkpoint that says of which topics log starts are has rotted
	renewed  map[string]*renewed // by group
}

// mark is what a partition had shown when an operation began.
type mark struct {
	key     string
	exposed int64
}

// mark finds what was exposed when the operation began that an event ends. The refusal of one partition of a poll stands on a process of
// its own; the poll was the client's first process's.
func (g *ghosts) mark(process int32, key string) mark {
	for _, p := range [...]int32{process, history.ProcessOf(history.ClientOf(process), 0)} {
		for _, m := range g.open[p] {
			if m.key == key {
				return m
			}
		}
	}
	return mark{}
}

// lagging says that the answer in e about a key may come from a node that was deposed without knowing it.
func (g *ghosts) lagging(e *history.Event, key string) bool {
	begun, ok := g.begun[e.Process]
	if !ok {
		begun = g.begun[history.ProcessOf(history.ClientOf(e.Process), 0)]
	}
	if e.Ops[0].Kind == history.Poll {
		return g.weak.WeakFetch(key, e.Ops[0].Member, begun, e.I)
	}
	return g.weak.Weak(key, begun, e.I)
}

// behind says whether what a reader of committed records saw may have come from a node that knew less than others had told: a deposed leader, which may
// stand at the end of its own log. A note that does not tell when its request was made is of its own moment.
func (g *ghosts) behind(e *history.Event, o *history.Op) bool {
	asked := int64(o.Generation)
	if asked == 0 {
		asked = e.I
	}
	return g.weak.WeakFetch(o.Key, history.NodeName(int(o.Seq)), asked, e.I)
}

// ghost is one partition as clients know it.
type ghost struct {
	key       string
	cells     []cell // by offset
	exposed   int64  // end of what somebody read, or was told of as acknowledged with acks=all
	acked     int64  // end of what was acknowledged with acks=all
	removable int64  // what stands below may have been deleted: DeleteRecords asked for it, or an answer gave it as the log start
	asked     int64  // end of what DeleteRecords was asked to delete
	toldStart int64  // the highest log start that DeleteRecords answered with
	retains   bool   // retention may delete at any time
	// What stands between was excused once. A copy that is no leader's may show it until it hears of the leader that lost it.
	doubtFrom, doubtEnd int64
}

// cell is one offset.
type cell struct {
	value history.Value
	known bool // value is
	acked bool // an acknowledgement of acks=all promised it
	read  bool // somebody read it
}

func (g *ghosts) of(key string) *ghost {
	h := g.byKey[key]
	if h == nil {
		topic, _ := history.SplitKey(key)
		h = &ghost{key: key, retains: g.facts.Retention || g.retained[topic]}
		g.byKey[key] = h
		g.keys = append(g.keys, key)
	}
	return h
}

// maxCells bounds a ghost: an offset beyond it is a broken broker's, and is judged without one.
const maxCells = 1 << 24

func (h *ghost) cell(offset int64) *cell {
	if offset < 0 || offset >= maxCells {
		return &cell{}
	}
	for int64(len(h.cells)) <= offset {
		h.cells = append(h.cells, cell{})
	}
	return &h.cells[offset]
}

// before takes in what oracles may rely on while they look at an event: invocations, notes, facts.
func (g *ghosts) before(e *history.Event) {
	if e.Type == history.Invoke {
		if g.begun == nil {
			g.begun = map[int32]int64{}
		}
		g.begun[e.Process] = e.I
		g.invoked(e)
		return
	}
	g.weak.Note(e)
	for i := range e.Ops {
		o := &e.Ops[i]
		switch o.Kind {
		case history.Config:
			g.facts.ReadFacts(o.Meta)
		case history.Excuse:
			g.excuse(o)
		case history.Anew:
			g.renew(e, o.Key)
		case history.Join:
			if e.Type == history.OK {
				g.joined(e, o)
			}
		case history.Copy:
			g.forgetStarts() // the checkpoint of log starts was on the same disk
		case history.Fault:
			// Log starts stand in one checkpoint and nowhere else, and another says of which topics it speaks. What rot leaves of either is not
			// used, and the logs begin with their first segments again, as Kafka's do: to guess might delete records that nobody has deleted.
			rotten := strings.HasPrefix(o.Meta, fault.D4.String()+" ")
			if rotten && (strings.HasSuffix(o.Meta, "/log-start-offset-checkpoint") || strings.HasSuffix(o.Meta, "/topic-id-checkpoint") ||
				strings.HasSuffix(o.Meta, "/truncation-checkpoint")) {
				g.forgetStarts()
			}
			// This one is not written anew with each start that is told, so that what is told from now on is in doubt as well.
			g.nameless = g.nameless || rotten && strings.HasSuffix(o.Meta, "/topic-id-checkpoint")
		}
	}
}

func (g *ghosts) forgetStarts() {
	for _, k := range g.keys {
		g.byKey[k].toldStart = 0
	}
}

func (g *ghosts) invoked(e *history.Event) {
	marks := g.open[e.Process][:0]
	for i := range e.Ops {
		o := &e.Ops[i]
		m := mark{}
		switch o.Kind {
		case history.Poll, history.ListOffsets:
			h := g.of(o.Key)
			m = mark{o.Key, h.exposed}
		case history.DeleteRecords:
			h := g.of(o.Key)
			h.removable, h.asked = max(h.removable, o.Offset), max(h.asked, o.Offset)
		case history.DeleteTopic:
			if g.deleted == nil {
				g.deleted = map[string]bool{}
			}
			g.deleted[o.Key] = true
		case history.CreateTopic, history.Alter:
			g.configured(o)
		}
		marks = append(marks, m)
	}
	g.open[e.Process] = marks
	delete(g.stale, e.Process)
}

// after takes in what a completed operation proves.
func (g *ghosts) after(e *history.Event) {
	if e.Type != history.OK || g.stale[e.Process] {
		return
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Poll:
			h := g.of(o.Key)
			h.removable = max(h.removable, o.Start)
			lags := h.doubtEnd > h.doubtFrom && g.lagging(e, o.Key)
			for _, r := range o.Records {
				if lags && r.Offset >= h.doubtFrom && r.Offset < h.doubtEnd {
					continue
				}
				c := h.cell(r.Offset)
				c.value, c.known, c.read = r.Value, true, true
				h.exposed = max(h.exposed, r.Offset+1)
			}
		case o.Kind == history.Send && o.Acks == -1:
			h := g.of(o.Key)
			for _, r := range o.Records {
				c := h.cell(r.Offset)
				c.value, c.known, c.acked = r.Value, true, true
				h.exposed, h.acked = max(h.exposed, r.Offset+1), max(h.acked, r.Offset+1)
			}
		case o.Kind == history.DeleteRecords && !g.nameless:
			h := g.of(o.Key)
			h.toldStart = max(h.toldStart, o.Offset)
		case o.Kind == history.ListOffsets && o.Timestamp == -1:
			h := g.of(o.Key)
			h.exposed = max(h.exposed, o.Offset)
		}
	}
}

// configured notes which topics may lose records to retention.
func (g *ghosts) configured(o *history.Op) {
	if !hasRetention(o.Meta) {
		return
	}
	if g.retained == nil {
		g.retained = map[string]bool{}
	}
	g.retained[o.Key] = true
	for k, h := range g.byKey {
		if topic, _ := history.SplitKey(k); topic == o.Key {
			h.retains = true
		}
	}
}

// excuse forgets what the ledger says may be gone.
func (g *ghosts) excuse(o *history.Op) {
	for _, k := range g.keys {
		if o.Key != "" && o.Key != k {
			continue
		}
		h := g.byKey[k]
		if at := max(o.Offset, 0); at < int64(len(h.cells)) {
			h.cells = h.cells[:at]
		}
		if o.Generation > 0 || o.Key == "" { // a leader that was not in sync may have what was deleted (F:M1), and so may a disk that lied
			h.toldStart = 0
		}
		h.doubt(max(o.Offset, 0), max(o.HW, h.exposed))
		h.exposed, h.acked = min(h.exposed, max(o.Offset, 0)), min(h.acked, max(o.Offset, 0))
	}
	if g.stale == nil {
		g.stale = map[int32]bool{}
	}
	for p, ms := range g.open {
		g.stale[p] = true
		for i := range ms { // what was begun before may see less
			ms[i] = mark{}
		}
	}
}

// doubt notes that what stands between two offsets may be gone.
func (h *ghost) doubt(from, end int64) {
	if h.doubtEnd > h.doubtFrom {
		from, end = min(from, h.doubtFrom), max(end, h.doubtEnd)
	}
	h.doubtFrom, h.doubtEnd = from, end
}

// floor is the offset from which on records must be there.
func (h *ghost) floor(start int64) int64 { return max(h.removable, start) }
