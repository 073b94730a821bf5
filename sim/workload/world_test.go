package workload

import (
	"container/heap"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/history"
)

// world is a small event loop that stands in for the simulator: one node, delays, lost connections.
type world struct {
	now    clock.Time
	seq    int
	queue  events
	rnd    *prng.Source
	broker *broker
	conns  map[uint64]*pipe
	next   uint64
	reset  int // per mille of frames that end their connection, half of them after they were handled
	down   bool
	set    *Set
	log    []*history.Event
	rec    *history.Recorder
	steps  int
}

type event struct {
	at  clock.Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any     { x := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return x }

// pipe is one connection. The broker handles its frames one after another, as Kafka does.
type pipe struct {
	id      uint64
	owner   client.Client
	open    bool
	last    clock.Time
	frames  [][]byte
	working bool
}

type netOf struct {
	w   *world
	c   client.Client
	rnd *prng.Source
}

func (n *netOf) Now() clock.Time    { return n.w.now }
func (n *netOf) Wall() clock.Wall   { return clock.Wall(1e12 + int64(n.w.now)/1e6) }
func (n *netOf) Rand() *prng.Source { return n.rnd }
func (n *netOf) Close(conn uint64)  { delete(n.w.conns, conn) }
func (n *netOf) At(t clock.Time, tag uint64) {
	n.w.at(max(t, n.w.now), func() { n.c.Timer(tag) })
}

func (n *netOf) Dial(int) uint64 {
	n.w.next++
	p := &pipe{id: n.w.next, owner: n.c}
	n.w.conns[p.id] = p
	n.w.at(n.w.delay(), func() {
		switch {
		case n.w.conns[p.id] == nil:
		case n.w.down:
			n.w.cut(p)
		default:
			p.open = true
			n.c.Opened(p.id)
		}
	})
	return p.id
}

func (n *netOf) Send(conn uint64, frame []byte) {
	p := n.w.conns[conn]
	if p == nil {
		return
	}
	f := append([]byte(nil), frame...)
	p.last = max(p.last, n.w.delay())
	n.w.at(p.last, func() { n.w.arrive(p, f) })
}

func (w *world) at(t clock.Time, do func()) {
	w.seq++
	heap.Push(&w.queue, event{t, w.seq, do})
}

func (w *world) delay() clock.Time {
	return w.now.Add(clock.Duration(1+w.rnd.Intn(10)) * clock.Millisecond)
}

func (w *world) arrive(p *pipe, f []byte) {
	if w.conns[p.id] == nil || w.down {
		return
	}
	if w.rnd.Permille(w.reset / 2) {
		w.cut(p)
		return
	}
	p.frames = append(p.frames, f)
	w.work(p)
}

func (w *world) work(p *pipe) {
	if p.working || len(p.frames) == 0 || w.conns[p.id] == nil {
		return
	}
	f := p.frames[0]
	p.frames = p.frames[1:]
	p.working = true
	w.broker.handle(f, func(answer []byte, closeIt bool) {
		p.working = false
		if w.conns[p.id] == nil {
			return
		}
		if closeIt || w.rnd.Permille(w.reset/2) {
			w.cut(p)
			return
		}
		if answer != nil {
			p.last = max(p.last, w.delay())
			w.at(p.last, func() {
				if w.conns[p.id] != nil {
					p.owner.Frame(p.id, answer)
				}
			})
		}
		w.work(p)
	})
}

func (w *world) cut(p *pipe) {
	if w.conns[p.id] != nil {
		delete(w.conns, p.id)
		p.owner.Closed(p.id)
	}
}

func newWorld(seed uint64, plan Plan) *world {
	w := &world{rnd: prng.Keyed(seed, "world"), conns: map[uint64]*pipe{}, now: 1}
	w.broker = newBroker(w)
	w.rec = history.NewRecorder(func() clock.Time { return w.now }, func(e *history.Event) { w.log = append(w.log, snapshot(e)) })
	set, err := plan.Build(w.rec)
	if err != nil {
		panic(err)
	}
	w.set = set
	for i, c := range set.Clients {
		c.Start(&netOf{w, c, prng.Keyed(seed, "client"+string(rune('a'+i)))})
	}
	return w
}

// snapshot copies an event as it was when it was recorded: a client that changed it afterwards would be found out.
func snapshot(e *history.Event) *history.Event {
	c := *e
	c.Ops = append([]history.Op(nil), e.Ops...)
	for i := range c.Ops {
		c.Ops[i].Records = append([]history.Record(nil), c.Ops[i].Records...)
	}
	return &c
}

func (w *world) run(d clock.Duration, until func() bool) bool {
	end := w.now.Add(d)
	for len(w.queue) > 0 && w.queue[0].at <= end {
		if until != nil && until() {
			return true
		}
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		w.steps++
		e.do()
	}
	w.now = end
	return until != nil && until()
}
