package oracle

import (
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// exercised notes what a run gave the oracles to look at. It goes by the history alone and shares nothing with the oracles' own ways, so
// that one which lets everything pass, or is never called, is found dead.
type exercised struct {
	g    *ghosts
	due  map[string]bool
	long map[int32]bool     // by process: its present operation began after healing
	idem map[int]bool       // clients that are idempotent producers
	late map[ownership]bool // memberships that were answered across an excuse
	heal bool
	asks clock.Time      // healing
	txns int             // transactions under way
	lost bool            // the end of one is not known
	made map[string]bool // topics that clients made
	gone bool            // what the controller had committed may be
}

func newExercised(g *ghosts) *exercised {
	return &exercised{g: g, due: map[string]bool{}, long: map[int32]bool{}, idem: map[int]bool{}, late: map[ownership]bool{}}
}

// event is called once the oracles have seen it; answers of an operation that spans an excuse prove nothing.
func (x *exercised) event(e *history.Event) {
	stale := x.g.stale[e.Process]
	if e.Type == history.Invoke {
		x.long[e.Process] = x.heal
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Phase:
			if o.Meta == "liveness" {
				x.heal, x.asks = true, e.Time
			}
		case o.Kind == history.Send && e.Type == history.Invoke && o.PID >= 0:
			x.idem[history.ClientOf(e.Process)] = true
		case o.Kind == history.Join && e.Type == history.OK && stale:
			x.late[ownership{o.Generation, o.Member}] = true
		case o.Kind == history.Own:
			late := stale || x.late[ownership{o.Generation, o.Member}] || x.g.outlived(o)
			x.on("history:double-owner", !late)
			x.on("I:G2", !x.g.facts.OffsetsExpire && !late)
		case o.Kind == history.Probe && (e.Type == history.OK || e.Type == history.Fail):
			x.on("exact-errors", !x.g.facts.ProducersExpire || !strings.HasPrefix(o.Meta, "sequence "))
		case o.Kind == history.Txn && i == 0:
			x.wrote(e)
		case o.Kind == history.Excuse || o.Kind == history.ReadTopic:
			x.topic(o)
		case o.Kind == history.Seen:
			long := int64(o.Batches) >= longWait && x.heal && clock.Time(o.Timestamp) >= x.asks
			x.on("txn:prompt", long && o.Meta != "" && o.Member == "" && x.txns == 0 && !x.lost)
		case e.Type == history.OK:
			x.answered(e, o, stale)
		}
	}
	if x.heal && (e.Type == history.OK || e.Type == history.Fail) {
		x.on("every-request-answered", true)
	}
}

// topic sees whether brokers told of topics, and whether what the controller had committed may be gone.
func (x *exercised) topic(o *history.Op) {
	switch {
	case o.Kind == history.Excuse && o.Key == "":
		x.gone = true
		delete(x.due, "history:M5")
	case o.Kind == history.ReadTopic:
		x.on("history:M5", !x.gone)
	}
}

func (x *exercised) wrote(e *history.Event) {
	switch {
	case e.Type == history.Invoke:
		x.txns++
	case e.Type == history.OK || e.Err == "aborted":
		x.txns--
	default:
		x.lost = true
	}
}

func (x *exercised) answered(e *history.Event, o *history.Op, stale bool) {
	switch o.Kind {
	case history.Poll:
		x.polled(e, o, stale)
	case history.Send:
		n := len(o.Records) > 0
		x.on("history:M1", n && o.Acks == -1)
		x.on("history:M2", n && o.PID >= 0)
		x.on("history:phantom-offset", n && o.Acks == -1)
	case history.FetchOffsets:
		x.on("I:G7", !x.g.facts.OffsetsExpire && !stale)
		x.on("history:M3", true)
	case history.EpochEnd:
		topic, _ := history.SplitKey(o.Key)
		x.on("epoch-end", !stale && !x.g.deleted[topic])
	case history.InitProducerID:
		x.on("producer-id-unique", true)
		x.on("history:producer-id-reuse", true)
	}
}

func (x *exercised) polled(e *history.Event, o *history.Op, stale bool) {
	x.on("I:I13", true)
	x.on("log-start", o.Start >= 0)
	x.on("prompt-fetch", !stale && x.long[e.Process] && o.From >= 0 && o.Timestamp >= longWait)
	if len(o.Records) == 0 {
		return
	}
	for _, n := range [...]string{"history:M1", "history:inconsistent-offsets", "history:phantom-value", "history:precommitted-read"} {
		x.on(n, true)
	}
	x.on("dense-offsets", o.From >= 0)
	for _, r := range o.Records {
		x.on("I:T1", x.idem[r.Value.Client()] && !x.g.facts.ProducersExpire && !stale)
	}
}

func (x *exercised) on(name string, yes bool) {
	if yes {
		x.due[name] = true
	}
}
