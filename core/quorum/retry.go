package quorum

import (
	"time"

	"github.com/seedlog/seedlog/io/disk"
)

// Without space a write is tried again for a second: retention or an operator may be at it, and what is lost is the node.
const (
	fullTries = 10
	fullWait  = 100 * time.Millisecond
)

// retryFull tries f again while the disk is full.
func retryFull(n *Node, f func() *diskError) *diskError {
	for try := 1; ; try++ {
		err := f()
		if err == nil || err.err != disk.ErrNoSpace || try == fullTries {
			return err
		}
		t := time.NewTimer(fullWait)
		select {
		case <-t.C:
		case <-n.dead:
			t.Stop()
			return err
		}
	}
}
