package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// control is shard 0's part: the metadata log, the controller, and the image's way to the shards. It holds each answer back until every
// shard of this broker follows the image that the answer speaks of, so that a client which goes on at once finds what it made.
type control struct {
	s       *Shard
	log     *solo.Log
	store   *metadata.Store
	machine *controller.Machine
	boot    *bootData // goes with the first image
	applied []int64   // by shard: index of the image that its partitions follow
	waiting []answer  // in the order of their images
	served  bool
}

type answer struct {
	index int64
	resp  kmsg.Response
	w     coordinator.Waiter
}

// Submit is api.Control.
func (c *control) Submit(req kmsg.Request, w coordinator.Waiter) {
	c.machine.Submit(req, &held{c, w})
}

// held turns the controller's answer into one that waits for the shards.
type held struct {
	c *control
	w coordinator.Waiter
}

// Decided is controller.Waiter.
func (h *held) Decided(resp kmsg.Response, img *metadata.Image) {
	c := h.c
	if img.Index() <= c.slowest() {
		h.w.Reply(resp)
		return
	}
	c.waiting = append(c.waiting, answer{img.Index(), resp, h.w})
}

// ImageChanged is metadata.Watcher: the image goes to every shard, to this one at once.
func (c *control) ImageChanged(img *metadata.Image, _ metadata.Commit) {
	m := &imageMail{img: img, boot: c.boot}
	c.boot = nil
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
	n := 0
	for n < len(c.waiting) && c.waiting[n].index <= low {
		n++
	}
	ready := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	for _, a := range ready {
		a.w.Reply(a.resp)
	}
}

// Refused, LeaderChanged and Failed are metadata.Fate.
func (c *control) Refused(token disk.Token, err disk.Err) { c.machine.Refused(token, err) }

// LeaderChanged is metadata.Fate.
func (c *control) LeaderChanged() { c.machine.LeaderChanged() }

// Failed is metadata.Fate: without its metadata log the process cannot go on.
func (c *control) Failed(err disk.Err, what string) {
	c.machine.Failed(err, what)
	c.s.directoryFailed(what + ": " + err.Error())
}

func (c *control) close(t *task.Task) { c.log.Close(t) }
