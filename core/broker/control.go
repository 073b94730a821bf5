package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// control is shard 0's part: the metadata log, the controller, and the image's way to the shards. It holds each answer back until every
// shard of this broker follows the image that the answer speaks of, so that a client which goes on at once finds what it made.
type control struct {
	s        *Shard
	log      *solo.Log // of a node that is alone
	store    *metadata.Store
	machine  *controller.Machine
	boot     *bootData    // goes with the first image
	applied  []int64      // by shard: index of the image that its partitions follow
	waiting  []answer     // in the order in which they came
	forwards []*forwarded // requests of clients that wait for the active controller
}

type answer struct {
	index int64
	resp  kmsg.Response
	w     coordinator.Waiter
}

// Submit is api.Control: a client of this broker asks. A node of a cluster sends it on, unless it leads.
func (c *control) Submit(req kmsg.Request, w coordinator.Waiter) {
	if c.s.member != nil {
		c.s.member.forward(req, w)
		return
	}
	c.decide(req, decidedAt(func(resp kmsg.Response, img *metadata.Image) { c.hold(img.Index(), resp, w) }))
}

// Decide is api.Control: a broker, or somebody at the controller listener, asks this controller. Who asked waits by himself until what was
// decided has reached him.
func (c *control) Decide(req kmsg.Request, from *api.Client, w coordinator.Waiter) {
	if e, ok := req.(*kmsg.EnvelopeRequest); ok {
		c.envelope(e, w)
		return
	}
	c.s.member.watch.heard(req, from.Conn)
	c.decide(req, decidedFunc(w.Reply))
}

// decide has the controller of this node decide a request, if it leads.
func (c *control) decide(req kmsg.Request, w controller.Waiter) {
	switch req.(type) {
	case *kmsg.AddRaftVoterRequest, *kmsg.RemoveRaftVoterRequest:
		c.s.changeVoters(req, w)
	default:
		c.machine.Submit(req, w)
	}
}

// hold answers w when every shard follows the image of an index.
func (c *control) hold(index int64, resp kmsg.Response, w coordinator.Waiter) {
	if index <= c.slowest() || !c.s.static.Broker {
		w.Reply(resp)
		return
	}
	c.waiting = append(c.waiting, answer{index, resp, w})
}

// ImageChanged is metadata.Watcher: the image goes to every shard, to this one at once.
func (c *control) ImageChanged(img *metadata.Image, _ metadata.Commit) {
	if c.s.member != nil {
		c.s.member.imageChanged(img)
		return
	}
	boot := c.boot
	c.boot = nil
	c.distribute(img, boot)
}

func (c *control) distribute(img *metadata.Image, boot *bootData) {
	m := &imageMail{img: img, boot: boot}
	c.s.broadcast(step.Mail{Kind: mailImage, Body: m})
	c.s.image(m.img, m.boot)
}

func (c *control) slowest() int64 {
	low := c.applied[0]
	for _, i := range c.applied[1:] {
		low = min(low, i)
	}
	return low
}

// appliedBy notes that a shard follows the image of an index; answers that waited for it leave.
func (c *control) appliedBy(shard int, index int64) {
	c.applied[shard] = max(c.applied[shard], index)
	low := c.slowest()
	var ready []answer
	kept := c.waiting[:0]
	for _, a := range c.waiting {
		if a.index <= low {
			ready = append(ready, a)
		} else {
			kept = append(kept, a)
		}
	}
	clear(c.waiting[len(kept):])
	c.waiting = kept
	for _, a := range ready {
		a.w.Reply(a.resp)
	}
	if m := c.s.member; m != nil {
		m.maybeServe()
	}
}

// Refused, LeaderChanged and Failed are metadata.Fate.
func (c *control) Refused(token disk.Token, err disk.Err) { c.machine.Refused(token, err) }

// LeaderChanged is metadata.Fate.
func (c *control) LeaderChanged() { c.machine.LeaderChanged() }

// Failed is metadata.Fate: without its metadata log the process cannot go on.
func (c *control) Failed(err disk.Err, what string) {
	c.machine.Failed(err, what)
	c.s.directoryFailed(0, what+": "+err.Error())
}

func (c *control) close(t *task.Task) {
	if c.log != nil {
		c.log.Close(t)
	}
}

// decides says whether a request is one that the controller decides. An Envelope holds no other.
func decides(req kmsg.Request) bool {
	_, nested := req.(*kmsg.EnvelopeRequest)
	return req != nil && !nested && api.IsControllers(req.Key())
}

// Quorum is api.Control.
func (c *control) Quorum() (int32, []link.Member) {
	m := c.s.member
	if m == nil {
		return c.s.node.NodeID, nil
	}
	id, _, ok := link.NodeOf(m.remote.lead.ID)
	if !ok {
		id = -1
	}
	return id, m.remote.lead.Members
}

// refusedWith says whether a response is the refusal of the whole request with that code.
func refusedWith(resp kmsg.Response, code kerr.Code) bool { return controller.CodeOf(resp) == code }
