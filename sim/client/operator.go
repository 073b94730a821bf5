package client

import (
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
)

// Order is one change of the cluster that a plan wants made (F:M1, F:M2, F:M3).
type Order struct {
	Verb string
	A    int64 // which of the topics, partitions or voters that there are; -1: of __consumer_offsets
	B    int64 // keys what else is drawn, so that an order means the same whatever else the plan holds
	Undo bool  // what it changed is to be put back
	// Did is called once if the cluster has taken the change.
	Did func(what string)
}

// Operator makes changes of a cluster as a plan orders them, one after the other, each by what metadata say at that time. What cannot be
// had in a few tries is left alone.
//
//	idle ──order──▶ asks for metadata ──▶ asks for the change ──taken──▶ Did ──▶ idle
//	                      ▲──────────────── no answer, try again ◀──┘
//
// It has a topic of its own, which it deletes and makes again under the same name: what it then reads must be of the present one.
type Operator struct {
	base
	link    *link
	orders  []Order
	busy    bool
	tries   int
	next    func() // at the next tick
	gens    map[[16]byte]int64
	away    voter            // the voter that was removed; id 0: none
	awayOf  int64            // the order's B
	altered map[int64]string // by an order's B: the topic that it set something of
	strays  []string         // topics whose policy was to be set, with no answer: that may still come (F:N3), after it has been put back
	slowed  []string         // topics that were to be throttled, with no answer
	nextTry clock.Time       // when they are put back once more
}

// OperatorID is its client number: behind those that plans give out, since value and process numbers hang on it.
const OperatorID = 1000

// orderTries is how often an order is tried; a tick lies between two tries.
const orderTries = 12

// NewOperator makes the operator of a run.
func NewOperator(sh *Shared) *Operator {
	return &Operator{base: base{id: OperatorID, sh: sh}, gens: map[[16]byte]int64{}, altered: map[int64]string{}}
}

// Start implements Client.
func (o *Operator) Start(n Net) {
	o.start(n, "operator")
	o.onTick = o.tick
	o.link = o.newLink(0, o.work, func() {})
}

// Order queues an order. After healing only those are taken that put something back.
func (o *Operator) Order(x Order) {
	if o.healed && !x.Undo {
		return
	}
	o.orders = append(o.orders, x)
	if o.link != nil {
		o.work()
	}
}

// Healed implements Healer: what was not begun is left alone.
func (o *Operator) Healed() {
	o.base.Healed()
	kept := o.orders[:0]
	for i, x := range o.orders {
		if x.Undo || i == 0 && o.busy {
			kept = append(kept, x)
		}
	}
	o.orders = kept
}

func (o *Operator) tick() {
	if next := o.next; next != nil {
		o.next = nil
		next()
	}
	if now := o.n.Now(); len(o.strays)+len(o.slowed) > 0 && o.healed && now >= o.nextTry && o.link.open() {
		o.nextTry = now.Add(3 * clock.Second)
		for _, topic := range o.slowed {
			o.setThrottle(topic, 0, func(kerr.Code, error) {})
		}
		for _, topic := range o.strays {
			o.alterTopic(o.link, topic, "cleanup.policy", func(kerr.Code, error) {})
		}
	}
	o.work()
}

func (o *Operator) work() {
	if o.busy || len(o.orders) == 0 || !o.link.open() {
		return
	}
	o.busy, o.tries = true, 0
	o.attemptOrder()
}

func (o *Operator) attemptOrder() {
	x := &o.orders[0]
	do := verbs[x.Verb]
	if do == nil {
		o.over("")
		return
	}
	o.look(func(w *world) {
		w.src = prng.Keyed(uint64(x.B), "operator/"+x.Verb)
		do(o, x, w)
	})
}

// over ends the order in hand; what says what the cluster took, "" for nothing.
func (o *Operator) over(what string) {
	x := o.orders[0]
	o.orders, o.busy = o.orders[1:], false
	if what != "" && x.Did != nil {
		x.Did(what)
	}
	o.work()
}

// later calls f at the next tick, if there is a try left; else the order is over. What is to be put back is tried until it is.
func (o *Operator) later(f func()) {
	if o.tries++; o.tries >= orderTries && !o.orders[0].Undo {
		o.over("")
		return
	}
	o.next = f
}

// again tries the order once more from its begin.
func (o *Operator) again() { o.later(o.attemptOrder) }

// settled ends the order, or tries it again where another try may help.
func (o *Operator) settled(c kerr.Code, err error, what string) {
	switch {
	case err == nil && c == kerr.None:
		o.over(what)
	case err == nil && c == kerr.UnknownTopicOrPartition && o.orders[0].Undo:
		o.over("") // the topic is gone
	case err != nil || retriable(c) || unclear(c) || c == kerr.NotController:
		o.again()
	default:
		o.over("")
	}
}

// ask sends a request of which only the code of its answer matters.
func (o *Operator) ask(req kmsg.Request, what string, code func(kmsg.Response) int16) {
	o.link.ask(req, 0, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		c := kerr.Code(0)
		if err == nil {
			c = kerr.Code(code(r))
		}
		o.settled(c, err, what)
	})
}

// world is the cluster as its metadata tell it.
type world struct {
	brokers []int32
	topics  []topicState // by name
	src     *prng.Source
}

type topicState struct {
	name  string
	id    [16]byte
	parts []partState
}

type partState struct {
	topic    *topicState
	number   int32
	leader   int32
	replicas []int32
}

const offsetsTopic = "__consumer_offsets"

// look asks for the metadata of all topics.
func (o *Operator) look(done func(*world)) {
	if !o.link.open() {
		o.later(func() { o.look(done) })
		return
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Topics, req.AllowAutoTopicCreation = nil, false
	asked := o.sh.Rec.Len()
	o.link.ask(req, 10, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			o.later(func() { o.look(done) })
			return
		}
		o.toldTopics(o.link.node, asked, r.(*kmsg.MetadataResponse))
		done(worldOf(r.(*kmsg.MetadataResponse)))
	})
}

func worldOf(resp *kmsg.MetadataResponse) *world {
	w := &world{}
	for _, b := range resp.Brokers {
		w.brokers = append(w.brokers, b.NodeID)
	}
	sort.Slice(w.brokers, func(i, j int) bool { return w.brokers[i] < w.brokers[j] })
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.ErrorCode != 0 || len(t.Partitions) == 0 {
			continue
		}
		s := topicState{name: *t.Topic, id: t.TopicID}
		for _, p := range t.Partitions {
			s.parts = append(s.parts, partState{number: p.Partition, leader: p.Leader, replicas: p.Replicas})
		}
		sort.Slice(s.parts, func(i, j int) bool { return s.parts[i].number < s.parts[j].number })
		w.topics = append(w.topics, s)
	}
	sort.Slice(w.topics, func(i, j int) bool { return w.topics[i].name < w.topics[j].name })
	for i := range w.topics {
		for p := range w.topics[i].parts {
			w.topics[i].parts[p].topic = &w.topics[i]
		}
	}
	return w
}

func (w *world) topic(name string) *topicState {
	for i := range w.topics {
		if w.topics[i].name == name {
			return &w.topics[i]
		}
	}
	return nil
}

// partition picks by A: of __consumer_offsets, if that is asked for and there, else of all that clients made. nil: there is none.
func (w *world) partition(a int64) *partState {
	if t := w.topic(offsetsTopic); a < 0 && t != nil {
		return &t.parts[w.src.Intn(len(t.parts))]
	}
	t := w.pick(a)
	if t == nil {
		return nil
	}
	return &t.parts[w.src.Intn(len(t.parts))]
}

// pick gives one of the clients' topics, nil if there is none.
func (w *world) pick(a int64) *topicState {
	var own []*topicState
	for i := range w.topics {
		if !strings.HasPrefix(w.topics[i].name, "__") {
			own = append(own, &w.topics[i])
		}
	}
	if len(own) == 0 {
		return nil
	}
	return own[max(a, 0)%int64(len(own))]
}

// Done implements Settler.
func (o *Operator) Done() bool { return o.healed && !o.busy && len(o.orders) == 0 }

// Waiting implements Settler.
func (o *Operator) Waiting() string {
	if len(o.orders) == 0 {
		return o.name + ": nothing"
	}
	return o.name + ": " + o.orders[0].Verb
}
