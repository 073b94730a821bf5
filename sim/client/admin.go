package client

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// TopicSpec is a topic that a run needs.
type TopicSpec struct {
	Name       string   `json:"name"`
	Partitions int32    `json:"partitions"`
	Replicas   int16    `json:"replicas,omitempty"` // 0 counts as 1
	Configs    []string `json:"configs,omitempty"`  // "name=value"
}

// AdminConfig says what an administrator does.
type AdminConfig struct {
	ID            int         `json:"id"`
	Node          int         `json:"node"`
	Topics        []TopicSpec `json:"topics,omitempty"` // made at the start
	Watch         []string    `json:"watch,omitempty"`  // topics whose offsets it lists
	EveryMS       int64       `json:"every_ms"`
	Churn         bool        `json:"churn,omitempty"`          // makes and deletes topics of its own
	DeleteRecords bool        `json:"delete_records,omitempty"` // on watched topics
	Trims         bool        `json:"trims,omitempty"`          // deletes records all the time, close to the end
	Alter         []string    `json:"alter,omitempty"`          // settings that it sets on watched topics, "name=value"
}

// Admin makes topics and then does one administrative thing after another.
type Admin struct {
	base
	cfg    AdminConfig
	link   *link
	made   int // topics of cfg that exist
	topics []topicInfo
	bounds map[string]int64 // latest offset that it heard, by key
	busy   bool
	count  int
	mine   string // the topic of its own that exists
	writer bool
}

// NewAdmin makes an administrator.
func NewAdmin(cfg AdminConfig, sh *Shared) *Admin {
	sh.Writers++
	return &Admin{base: base{id: cfg.ID, sh: sh}, cfg: cfg, bounds: map[string]int64{}, writer: true}
}

// Start implements Client.
func (a *Admin) Start(n Net) {
	a.start(n, "admin")
	a.onWork, a.onTick = a.work, a.tick
	a.link = a.newLink(a.cfg.Node, a.work, func() {})
	a.after(a.jitter(clock.MS(a.cfg.EveryMS)), timerWork)
}

func (a *Admin) tick() {
	if a.made < len(a.cfg.Topics) && !a.busy {
		a.work()
	}
	if a.healed && !a.busy && a.made == len(a.cfg.Topics) && a.writer {
		a.writer = false
		a.sh.Writers--
	}
}

func (a *Admin) work() {
	if a.made == len(a.cfg.Topics) {
		a.after(a.jitter(clock.MS(a.cfg.EveryMS)), timerWork)
	}
	switch {
	case a.busy || !a.link.open():
	case a.made < len(a.cfg.Topics):
		t := a.cfg.Topics[a.made]
		a.create(t, func(ok bool) {
			if ok {
				a.made++
				a.work()
			}
		})
	case a.healed:
	case a.topics == nil && len(a.cfg.Watch) > 0:
		a.askTopics(a.link, a.cfg.Watch, func(ts []topicInfo) { a.topics = ts })
	default:
		a.something()
	}
}

func (a *Admin) something() {
	if a.cfg.Trims && len(a.topics) > 0 && a.rnd.Permille(700) {
		a.deleteRecords()
		return
	}
	switch a.rnd.Intn(6) {
	case 0:
		if a.cfg.Churn {
			a.churn()
		}
	case 1:
		if a.cfg.DeleteRecords && len(a.topics) > 0 {
			a.deleteRecords()
		}
	case 2:
		if len(a.cfg.Alter) > 0 && len(a.topics) > 0 {
			a.alter()
		}
	default:
		if len(a.topics) > 0 {
			a.list()
		}
	}
}

// simple asks one thing, and nothing else until it is over.
func (a *Admin) simple(l *link, req kmsg.Request, low int16, op history.Op, code func(kmsg.Response, *history.Op) kerr.Code, done func(kerr.Code, error)) {
	a.busy = true
	a.attempt(l, req, low, op, code, func(c kerr.Code, err error) {
		a.busy = false
		done(c, err)
	})
}

func (a *Admin) create(t TopicSpec, done func(bool)) {
	a.busy = true
	a.createTopic(a.link, t, func(c kerr.Code, err error) {
		a.busy = false
		done(err == nil && (c == kerr.None || c == kerr.TopicAlreadyExists))
	})
}

// churn makes a topic, or deletes the one made before.
func (a *Admin) churn() {
	if a.mine == "" {
		a.count++
		name := a.name + "." + strconv.Itoa(a.count)
		a.create(TopicSpec{Name: name, Partitions: int32(1 + a.rnd.Intn(4))}, func(ok bool) {
			if ok {
				a.mine = name
			}
		})
		return
	}
	a.busy = true
	a.deleteTopic(a.link, a.mine, func(c kerr.Code, err error) {
		a.busy = false
		if err == nil && (c == kerr.None || c == kerr.UnknownTopicOrPartition) {
			a.mine = ""
		}
	})
}

func (a *Admin) pick() *position {
	t := &a.topics[a.rnd.Intn(len(a.topics))]
	p := a.rnd.Intn(t.parts)
	return &position{topic: t, part: int32(p), key: t.keys[p]}
}

// leader gives the link to a partition's leader, nil if none is known.
func (a *Admin) leader(p *position) *link {
	if p.topic.lead[p.part] < 0 {
		a.refresh()
		return nil
	}
	return a.to(p.topic.lead[p.part])
}

// refresh asks for metadata again, where leaders may move.
func (a *Admin) refresh() {
	if a.sh.Nodes > 1 {
		a.topics = nil
	}
}

func (a *Admin) deleteRecords() {
	p := a.pick()
	end := a.bounds[p.key]
	if end == 0 || a.cfg.Trims && a.rnd.Permille(400) {
		a.listOne(p, -1)
		return
	}
	l := a.leader(p)
	if l == nil {
		return
	}
	to := a.rnd.Int63n(end + 1)
	if a.cfg.Trims {
		to = end - a.rnd.Int63n(end/8+1)
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	t := kmsg.NewDeleteRecordsRequestTopic()
	tp := kmsg.NewDeleteRecordsRequestTopicPartition()
	tp.Partition, tp.Offset = p.part, to
	t.Topic, t.Partitions = p.topic.name, append(t.Partitions, tp)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	op := history.Op{Kind: history.DeleteRecords, Key: p.key, Offset: to}
	a.simple(l, req, 0, op, func(r kmsg.Response, op *history.Op) kerr.Code {
		resp := r.(*kmsg.DeleteRecordsResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return kerr.UnknownServerError
		}
		got := &resp.Topics[0].Partitions[0]
		if got.ErrorCode == 0 {
			if got.LowWatermark < to {
				a.caught(0, p.key, "DeleteRecords answers a low watermark below what was asked for", fmt.Sprintf("%d < %d", got.LowWatermark, to))
			}
			op.Offset = got.LowWatermark
		}
		return kerr.Code(got.ErrorCode)
	}, func(c kerr.Code, err error) {
		if c != kerr.None || err != nil {
			a.refresh()
		}
	})
}

func (a *Admin) alter() {
	p := a.pick()
	set := a.cfg.Alter[a.rnd.Intn(len(a.cfg.Alter))]
	a.busy = true
	a.alterTopic(a.link, p.topic.name, set, func(kerr.Code, error) { a.busy = false })
}

// list asks for the earliest, the latest, or the offset at a time.
func (a *Admin) list() {
	ts := [...]int64{-1, -1, -2, int64(a.n.Wall()) - a.rnd.Int63n(5000)}[a.rnd.Intn(4)]
	a.listOne(a.pick(), ts)
}

func (a *Admin) listOne(p *position, ts int64) {
	l := a.leader(p)
	if l == nil {
		return
	}
	a.busy = true
	a.listOffsets(l, []*position{p}, ts, 1, func(found []int64) {
		a.busy = false
		if found == nil {
			a.refresh()
		}
		if found != nil && ts == -1 {
			a.bounds[p.key] = found[0]
		}
	})
}

// Done implements Settler.
func (a *Admin) Done() bool { return !a.writer }

// Waiting implements Settler.
func (a *Admin) Waiting() string {
	return fmt.Sprintf("%s: busy=%v, %d of %d topics made", a.name, a.busy, a.made, len(a.cfg.Topics))
}
