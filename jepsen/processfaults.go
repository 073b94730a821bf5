package jepsen

import (
	"errors"
	"syscall"
	"time"
)

// killFault is kill -9 of one node, of a minority, or of all at once. What was acknowledged is in the page cache at least.
var killFault = &fault{kind: "kill", begin: func(x *Nemesis) (string, func() error, error) {
	count := 1
	switch most := (len(x.c.nodes) - 1) / 2; x.rnd.IntN(4) {
	case 0:
		count = len(x.c.nodes)
	case 1:
		count = most
	}
	nodes := x.some(count)
	for _, n := range nodes {
		n.p.Signal(syscall.SIGKILL)
	}
	for _, n := range nodes {
		n.kill(x.c)
	}
	return names(nodes), func() (err error) {
		for _, n := range nodes {
			err = errors.Join(err, n.start(x.c))
		}
		return err
	}, nil
}}

// pauseFault is SIGSTOP of one node or of a minority, for less or for more than a session: it goes on as if no time had passed.
var pauseFault = &fault{kind: "pause", weak: true, begin: func(x *Nemesis) (string, func() error, error) {
	nodes := x.some(1 + x.rnd.IntN((len(x.c.nodes)-1)/2))
	for _, n := range nodes {
		n.p.Signal(syscall.SIGSTOP)
	}
	return names(nodes), func() error {
		for _, n := range nodes {
			n.p.Signal(syscall.SIGCONT)
		}
		return nil
	}, nil
}}

// stopBound is how long a node may take to end in good order.
const stopBound = time.Minute

// restartFault is a rolling restart: each node in turn ends in good order and comes back.
var restartFault = &fault{kind: "restart", lasts: time.Millisecond, begin: func(x *Nemesis) (string, func() error, error) {
	for i, n := range x.c.nodes {
		if err := n.term(x.c, stopBound); err != nil {
			x.Wrong = append(x.Wrong, err.Error())
		}
		if err := n.start(x.c); err != nil {
			return names(x.c.nodes[:i+1]), nil, err
		}
		if err := x.settled(); err != nil {
			return names(x.c.nodes[:i+1]), nil, err
		}
	}
	return names(x.c.nodes), nil, nil
}}
