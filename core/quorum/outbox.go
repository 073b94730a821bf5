package quorum

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// class is what an item of the outbox is, in the order in which they are drained. Within a class items are sorted by key, and only
// those of one key keep the order in which they were put: one goroutine at a time puts those.
type class uint8

const (
	classDisk       class = iota // key: the file or path
	classLog                     // key: the text
	classState                   //
	classImage                   //
	classLeadership              // after the images that a claim speaks of
	classRefused                 // key: the token
	classDial                    // key: the address
	classStream                  // key: the connection; sends, holds and the close
	classChanged                 // key: the token
	classFailed
)

type item struct {
	class class
	key   string
	disk  disk.Request
	done  chan disk.Completion // of disk
	dial  func(disk.Token)     // of classDial: told its token
	mail  step.Mail
	line  step.LogLine
}

// outbox is what goroutines want of the world until Drain takes it. Tokens are given in the order of draining, so that they are the same
// whichever goroutine ran first.
type outbox struct {
	wake func()

	mu      sync.Mutex
	items   []item
	within  bool // Step is running: it drains itself
	dead    bool
	done    bool // stopped: say so
	next    disk.Token
	waiting map[disk.Token]chan disk.Completion
}

func (o *outbox) enter() { o.set(true) }
func (o *outbox) leave() { o.set(false) }

func (o *outbox) set(within bool) {
	o.mu.Lock()
	o.within = within
	o.mu.Unlock()
}

// put adds an item; false if the node is dead.
func (o *outbox) put(i item) bool {
	o.mu.Lock()
	if o.dead {
		o.mu.Unlock()
		return false
	}
	wake := len(o.items) == 0 && !o.within && o.wake != nil
	o.items = append(o.items, i)
	o.mu.Unlock()
	if wake {
		o.wake()
	}
	return true
}

func (o *outbox) mail(c class, key string, m step.Mail) { o.put(item{class: c, key: key, mail: m}) }

func (o *outbox) log(l step.Level, text string) {
	o.put(item{class: classLog, key: text, line: step.LogLine{Level: l, Text: text}})
}

// stopped says that the node has ended. Nothing is put after it.
func (o *outbox) stopped() {
	o.mu.Lock()
	wake := !o.dead && !o.within && o.wake != nil
	o.done, o.dead = true, true
	o.mu.Unlock()
	if wake {
		o.wake()
	}
}

// kill drops everything, and all that is put later; false if the node was dead already.
func (o *outbox) kill() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.dead
	o.dead, o.items = true, nil
	return !was
}

// drain moves the items to out.
func (o *outbox) drain(lane int32, out *step.Effects) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.SortStableFunc(o.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.class, b.class), strings.Compare(a.key, b.key))
	})
	for i := range o.items {
		o.execute(&o.items[i], lane, out)
	}
	clear(o.items)
	o.items = o.items[:0]
	if o.done {
		out.Stopped = true
	}
}

func (o *outbox) execute(i *item, lane int32, out *step.Effects) {
	switch i.class {
	case classDisk:
		o.next++
		i.disk.Token = o.next
		if o.waiting == nil {
			o.waiting = map[disk.Token]chan disk.Completion{}
		}
		o.waiting[o.next] = i.done
		out.Disk = append(out.Disk, i.disk)
		return
	case classLog:
		out.Line(i.line.Level, i.line.Text)
		return
	case classDial:
		o.next++
		i.mail.Token = o.next
		i.dial(o.next)
	}
	i.mail.From, i.mail.To = lane, 0
	out.Mail = append(out.Mail, i.mail)
}

// diskDone hands a completion to the goroutine that waits for it.
func (o *outbox) diskDone(c *disk.Completion) {
	o.mu.Lock()
	done, ok := o.waiting[c.Token]
	delete(o.waiting, c.Token)
	o.mu.Unlock()
	assert.That(ok, "quorum: a completion that nothing waits for")
	done <- *c // buffered
}

// key64 makes a number a key that sorts as the number does.
func key64(v uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return string(b[:])
}
