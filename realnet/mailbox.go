package realnet

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// mailbox is how other threads reach a loop: slices behind a lock, which the loop empties once a round, and an eventfd that is written only
// if the loop sleeps.
type mailbox struct {
	full     atomic.Bool // something is in the box, or with the disk
	sleeping atomic.Bool // the loop is about to wait, or waits; who turns it off writes the eventfd
	efd      int

	mu       sync.Mutex
	mails    []step.Mail
	adopted  []adopted
	resolved []resolved
	stop     bool
	closed   bool
}

// adopted is a connection that shard 0 accepted for this one.
type adopted struct {
	fd       int
	listener int
	peer     netip.AddrPort
}

// resolved are the addresses of a Dial by name, or none.
type resolved struct {
	token disk.Token
	addrs []netip.AddrPort
}

func newMailbox() (*mailbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &mailbox{efd: fd}, nil
}

// one is what the eventfd is told.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// posted wakes the loop if it sleeps. The order matters: full first, then sleeping, as the loop does it the other way round.
func (b *mailbox) posted() {
	b.full.Store(true)
	if !b.sleeping.Load() || !b.sleeping.CompareAndSwap(true, false) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		_, _ = unix.Write(b.efd, one) // It fails only if 2^64 wake-ups are unread.
	}
}

// post adds mail, in order.
func (b *mailbox) post(mails ...step.Mail) {
	b.mu.Lock()
	b.mails = append(b.mails, mails...)
	b.mu.Unlock()
	b.posted()
}

func (b *mailbox) adopt(a adopted) {
	b.mu.Lock()
	defer b.posted()
	defer b.mu.Unlock()
	if b.closed {
		unix.Close(a.fd)
		return
	}
	b.adopted = append(b.adopted, a)
}

func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	unix.Close(b.efd)
	for _, a := range b.adopted {
		unix.Close(a.fd)
	}
}

// letters is what a loop takes out of its mailbox at once.
type letters struct {
	mails    []step.Mail
	adopted  []adopted
	resolved []resolved
	stop     bool
}

// take swaps the contents of the box with the emptied slices of in.
func (b *mailbox) take(in *letters) {
	clear(in.mails)
	b.full.Store(false)
	b.mu.Lock()
	in.mails, b.mails = b.mails, in.mails[:0]
	in.adopted, b.adopted = b.adopted, in.adopted[:0]
	in.resolved, b.resolved = b.resolved, in.resolved[:0]
	in.stop, b.stop = b.stop, false
	b.mu.Unlock()
}
