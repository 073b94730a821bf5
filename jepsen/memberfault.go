package jepsen

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memberBound is how long a change of the quorum may take.
const memberBound = time.Minute

// memberFault takes a node out of the quorum's voters and back in. In one of two turns it is stopped meanwhile and comes back without
// anything, as a machine that replaces it: it fetches all it had from the others.
var memberFault = &fault{kind: "member", begin: func(x *Nemesis) (string, func() error, error) {
	n := x.some(1)[0]
	if err := x.c.removeVoter(x.ctx, n); err != nil {
		return n.name() + " leaves the quorum", nil, err
	}
	if x.rnd.IntN(2) == 0 {
		return n.name() + " leaves the quorum", func() error { return x.c.addVoter(x.ctx, n) }, nil
	}
	what := n.name() + " leaves the quorum and is replaced by an empty one"
	if err := n.term(x.c, stopBound); err != nil {
		return what, nil, err
	}
	return what, func() error {
		if err := x.replace(n); err != nil {
			return err
		}
		return x.c.addVoter(x.ctx, n)
	}, nil
}}

// replace starts a node that has stopped with nothing.
func (x *Nemesis) replace(n *Node) (err error) {
	n.thread.Do(func() { err = os.RemoveAll(n.dir) })
	if err == nil {
		err = n.start(x.c)
	}
	if err == nil {
		err = x.settled()
	}
	return err
}

// directoryID is the directory.id of a node's directory.
func (n *Node) directoryID() (id [16]byte, err error) {
	var b []byte
	n.thread.Do(func() { b, err = os.ReadFile(filepath.Join(n.dir, "meta.properties")) })
	if err != nil {
		return id, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "directory.id="); ok {
			raw, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(text))
			if err != nil || len(raw) != len(id) {
				return id, fmt.Errorf("%s: directory.id %q: %w", n.name(), text, err)
			}
			return [16]byte(raw), nil
		}
	}
	return id, fmt.Errorf("%s has no directory.id", n.name())
}

func (c *Cluster) removeVoter(ctx context.Context, n *Node) error {
	id, err := n.directoryID()
	if err != nil {
		return err
	}
	q := kmsg.NewPtrRemoveRaftVoterRequest()
	q.VoterID, q.VoterDirectoryID = int32(n.id+1), id
	return c.change(ctx, q, kerr.VoterNotFound, func(r kmsg.Response) int16 { return r.(*kmsg.RemoveRaftVoterResponse).ErrorCode })
}

func (c *Cluster) addVoter(ctx context.Context, n *Node) error {
	id, err := n.directoryID()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(n.inner)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	q := kmsg.NewPtrAddRaftVoterRequest()
	q.TimeoutMillis, q.VoterID, q.VoterDirectoryID = 20_000, int32(n.id+1), id
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", host, uint16(number)
	q.Listeners = append(q.Listeners, l)
	return c.change(ctx, q, kerr.DuplicateVoter, func(r kmsg.Response) int16 { return r.(*kmsg.AddRaftVoterResponse).ErrorCode })
}

// change asks for a change of the quorum until it is done, which a repetition may find.
func (c *Cluster) change(ctx context.Context, q kmsg.Request, already error, code func(kmsg.Response) int16) error {
	ctx, cancel := context.WithTimeout(ctx, memberBound)
	defer cancel()
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		r, err := cl.Request(ctx, q)
		if err == nil {
			if err = kerr.ErrorForCode(code(r)); err == nil || errors.Is(err, already) {
				return nil
			}
		}
		if pause(ctx, 300*time.Millisecond) != nil {
			return fmt.Errorf("the quorum does not change: %w", err)
		}
	}
}
