package client

import (
	"reflect"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/history"
)

// Shared is what the clients of one run have in common.
type Shared struct {
	Rec  *history.Recorder
	Seen *coverage.Tally // what clients ask and are told, for coverage; nil: nobody counts
	// Writers counts the clients that still write. Readers go for the end once it is 0.
	Writers int
	// Copying counts the members that still copy what they read; Copied is when there were none any more.
	Copying int
	Copied  clock.Time
	// Nodes is how many brokers there are; 0 counts as 1.
	Nodes      int
	healed     bool
	codeFields map[reflect.Type][]codeField // of answers: where their error codes are
	parts      map[string]int               // by topic: the most partitions that some client has heard of
	reached    map[string]bool              // group keys whose end some member stood at after healing
}

// NewShared makes it for a run.
func NewShared(rec *history.Recorder) *Shared {
	return &Shared{Rec: rec, parts: map[string]int{}, reached: map[string]bool{}}
}

// behind says that some client knows of more partitions of one of the topics than these are.
func (s *Shared) behind(topics []topicInfo) bool {
	for i := range topics {
		if topics[i].parts < s.parts[topics[i].name] {
			return true
		}
	}
	return false
}

// Ticks and bounds of all clients.
const (
	tickEvery = 250 * clock.Millisecond
	// healedBound is how long a request may go unanswered after healing, on top of what it asked to wait.
	healedBound = 15 * clock.Second
)

// ID is the client's number in the history.
func (b *base) ID() int { return b.id }

// kinds of timer: the high byte of a tag; the rest is a generation, so that a newer At replaces an older one.
const (
	timerTick uint64 = iota + 1
	timerWork
	timerBeat
	timerKinds
)

// base is what every client embeds: identity, timers, links.
type base struct {
	n      Net
	id     int
	sh     *Shared
	rnd    *prng.Source
	name   string
	links  []*link                // the first one is the client's own: it asks for metadata there
	known  map[[16]byte]topicInfo // the newest leaders that it heard of, by topic id
	leads  []*link                // by node, where the run has several
	onLead func()                 // a link to a leader opened
	gens   [timerKinds]uint64
	healed bool
	// oldVersions makes the client pick any version that both sides know, not the newest.
	oldVersions bool
	// repeats: its requests may be repeated by the network, where that does no harm (F:N4).
	repeats  bool
	sending  kmsg.Request // while it is being sent
	repeated bool         // and it will be sent once more
	retry    func()       // asked for again at the next tick
	onTick   func()
	onWork   func()
	onBeat   func()
}

func (b *base) start(n Net, kind string) {
	b.n, b.rnd, b.name = n, n.Rand(), kind+"-"+strconv.Itoa(b.id)
	b.oldVersions = b.rnd.Permille(350)
	b.after(tickEvery, timerTick)
}

func (b *base) after(d clock.Duration, kind uint64) {
	b.gens[kind]++
	b.n.At(b.n.Now().Add(d), kind<<56|b.gens[kind]&(1<<56-1))
}

// Timer implements Client.
func (b *base) Timer(tag uint64) {
	kind := tag >> 56
	if kind == 0 || kind >= timerKinds || tag&(1<<56-1) != b.gens[kind] {
		return
	}
	switch kind {
	case timerTick:
		for _, l := range b.links {
			l.tick()
		}
		if again := b.retry; again != nil {
			b.retry = nil
			again()
		}
		if b.onTick != nil {
			b.onTick()
		}
		b.after(tickEvery, timerTick)
	case timerWork:
		b.onWork()
	case timerBeat:
		b.onBeat()
	}
}

func (b *base) link(conn uint64) *link {
	for _, l := range b.links {
		if l.conn == conn && conn != 0 {
			return l
		}
	}
	return nil
}

// Opened implements Client.
func (b *base) Opened(conn uint64) {
	if l := b.link(conn); l != nil {
		l.opened()
	}
}

// Frame implements Client.
func (b *base) Frame(conn uint64, f []byte) {
	if l := b.link(conn); l != nil {
		l.frame(f)
	}
}

// Closed implements Client.
func (b *base) Closed(conn uint64) {
	if l := b.link(conn); l != nil {
		l.closed()
	}
}

// Healed implements Healer.
func (b *base) Healed() { b.healed, b.sh.healed = true, true }

func (b *base) process(slot int) int32 { return history.ProcessOf(b.id, slot) }

func (b *base) record(slot int, t history.Type, err string, ops ...history.Op) {
	b.sh.Rec.Op(b.process(slot), t, err, ops...)
}

func (b *base) note(slot int, op history.Op) { b.sh.Rec.Note(b.process(slot), op) }

// caught records that the client saw something that no broker may send.
func (b *base) caught(slot int, key, what, got string) {
	b.note(slot, history.Op{Kind: history.Caught, Key: key, Offset: history.NoOffset, Meta: what, Got: got})
}

// to gives the link to a node that leads something: with one broker the client's own, else one a node, made when it is first wanted.
func (b *base) to(node int) *link {
	if b.sh.Nodes <= 1 {
		return b.links[0]
	}
	if b.leads == nil {
		b.leads = make([]*link, b.sh.Nodes)
	}
	if b.leads[node] == nil {
		b.leads[node] = b.newLink(node, func() { b.led() }, func() { b.stale() })
	}
	return b.leads[node]
}

func (b *base) led() {
	if b.onLead != nil {
		b.onLead()
	}
}

// stale has the client ask for metadata again at its next tick: a leader has moved, or cannot be reached.
func (b *base) stale() {
	if b.sh.Nodes > 1 && b.retry == nil && b.links[0].open() {
		b.retry = b.links[0].onOpen
	}
}

// jitter draws between half and one and a half of d.
func (b *base) jitter(d clock.Duration) clock.Duration {
	return d/2 + clock.Duration(b.rnd.Int63n(int64(d)+1))
}

// nodeOf gives the simulator's number of a broker: node.id counts from 1.
func nodeOf(brokerID int32) int { return int(brokerID) - 1 }
