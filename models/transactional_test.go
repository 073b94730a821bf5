package models

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
)

// txnCalls is the history of one transactional id.
type txnCalls struct {
	events []*history.Event
	first  txnState
	gone   []int64
}

func (c *txnCalls) add(p int32, t history.Type, why string, op history.Op) *txnCalls {
	c.events = append(c.events, &history.Event{I: int64(len(c.events)), Process: p, Type: t, F: "txn-call", Err: why, Ops: []history.Op{op}})
	return c
}

// call is asked and answered; to is the producer in the answer.
func (c *txnCalls) call(t history.Type, why, what string, pid int64, epoch int16, toPID int64, toEpoch int32) *txnCalls {
	op := history.Op{Kind: history.TxnCall, Key: "id", Meta: what, PID: pid, Epoch: epoch, Offset: history.NoOffset}
	c.add(1, history.Invoke, "", op)
	op.Offset, op.Generation = toPID, toEpoch
	return c.add(1, t, why, op)
}

func (c *txnCalls) init(pid int64, epoch int32) *txnCalls {
	return c.call(history.OK, "", "init", -1, -1, pid, epoch)
}
func (c *txnCalls) renew(fromPID int64, from int16, pid int64, epoch int32) *txnCalls {
	return c.call(history.OK, "", "init", fromPID, from, pid, epoch)
}
func (c *txnCalls) expires() *txnCalls {
	c.add(-1, history.Info, "", history.Op{Kind: history.Forgot, Key: "id"})
	c.gone = append(c.gone, int64(len(c.events)-1))
	return c
}
func (c *txnCalls) write(pid int64, epoch int16) *txnCalls {
	return c.call(history.OK, "", "write", pid, epoch, -1, 0)
}
func (c *txnCalls) commit(pid int64, epoch int16, toPID int64, toEpoch int32) *txnCalls {
	return c.call(history.OK, "", "commit", pid, epoch, toPID, toEpoch)
}
func (c *txnCalls) abort(pid int64, epoch int16, toPID int64, toEpoch int32) *txnCalls {
	return c.call(history.OK, "", "abort", pid, epoch, toPID, toEpoch)
}
func (c *txnCalls) refused(what string, pid int64, epoch int16, why string) *txnCalls {
	return c.call(history.Fail, why, what, pid, epoch, -1, 0)
}

func (c *txnCalls) unknown(what string, pid int64, epoch int16) *txnCalls {
	return c.call(history.Info, "closed", what, pid, epoch, -1, 0)
}

// old has all calls be of the first version, whose answers name no producer but that of init.
func (c *txnCalls) old() *txnCalls {
	for _, e := range c.events {
		if e.Ops[0].Member = "old"; e.Ops[0].Meta != "init" {
			e.Ops[0].Offset, e.Ops[0].Generation = history.NoOffset, 0
		}
	}
	return c
}

func (c *txnCalls) verdict() Verdict {
	first := txnState{pid: noPID, prev: noPID, last: noEpoch}
	if c.first.phase != txnUnknown {
		first = c.first
	}
	return checkTransactional("id", first, Calls(c.events), c.gone, Options{Timeout: 5 * time.Second}).Verdict
}

func began() *txnCalls { return (&txnCalls{}).init(7, 0).write(7, 0) }

func TestWhatACoordinatorMayAnswerIsAccepted(t *testing.T) {
	for name, c := range map[string]*txnCalls{
		"one after the other":                    began().commit(7, 0, 7, 1).write(7, 1).abort(7, 1, 7, 2).init(7, 3),
		"a retry":                                began().unknown("commit", 7, 0).commit(7, 0, 7, 1).commit(7, 0, 7, 1),
		"an abort of nothing":                    (&txnCalls{}).init(7, 0).abort(7, 0, 7, 1),
		"a commit of nothing":                    (&txnCalls{}).init(7, 0).refused("commit", 7, 0, "INVALID_TXN_STATE"),
		"a time-out":                             began().refused("commit", 7, 0, "INVALID_TXN_STATE").init(7, 2),
		"an abort that retries a time-out":       began().abort(7, 0, 7, 1).write(7, 1),
		"another producer":                       began().init(7, 2).refused("commit", 7, 0, "PRODUCER_FENCED"),
		"late":                                   began().unknown("commit", 7, 0).init(7, 2),
		"an init that nobody heard of":           began().commit(7, 0, 7, 1).unknown("init", -1, -1).init(7, 3),
		"one that did not happen":                began().commit(7, 0, 7, 1).unknown("init", -1, -1).init(7, 2),
		"epochs run out":                         worn().write(7, 32766).commit(7, 32766, 8, 0).commit(7, 32766, 8, 0).write(8, 0),
		"the first version":                      began().commit(7, 0, 7, 0).commit(7, 0, 7, 0).write(7, 0).abort(7, 0, 7, 0).refused("abort", 7, 1, "PRODUCER_FENCED").init(7, 1).old(),
		"who had the last epoch is nobody":       worn().init(8, 0).write(8, 0).refused("abort", 7, 32766, "INVALID_PRODUCER_ID_MAPPING").commit(8, 0, 8, 1),
		"epochs run out at a time-out":           worn().write(7, 32766).refused("commit", 7, 32766, "INVALID_PRODUCER_ID_MAPPING").init(8, 1).old(),
		"an id that has expired":                 began().commit(7, 0, 7, 1).expires().refused("commit", 7, 1, "INVALID_PRODUCER_ID_MAPPING").init(8, 0).write(8, 0),
		"an expiry that was taken back":          began().commit(7, 0, 7, 1).expires().write(7, 1).commit(7, 1, 7, 2),
		"one that goes on":                       began().commit(7, 0, 7, 1).renew(7, 1, 7, 2).write(7, 2),
		"one that goes on once it has timed out": began().renew(7, 0, 7, 1).write(7, 1),
		"one that goes on twice":                 began().commit(7, 0, 7, 1).renew(7, 1, 7, 2).renew(7, 1, 7, 2).write(7, 2),
		"one that did not hear of its end":       began().unknown("commit", 7, 0).renew(7, 0, 7, 1).write(7, 1),
		"a second try to go on":                  began().commit(7, 0, 7, 1).unknown("init", 7, 1).renew(7, 1, 7, 2).write(7, 2),
		"one that goes on from the last":         worn().renew(7, 32766, 8, 0).renew(7, 32766, 8, 0).write(8, 0),
		"an unknown id that goes on":             (&txnCalls{}).renew(9, 4, 7, 0).write(7, 0),
		"an unknown id":                          (&txnCalls{}).refused("commit", 7, 0, "INVALID_PRODUCER_ID_MAPPING"),
	} {
		require.Equal(t, OK, c.verdict(), name)
	}
}

// worn is a producer with its last epoch.
func worn() *txnCalls {
	return &txnCalls{first: txnState{phase: txnEmpty, pid: 7, epoch: lastEpoch, prev: noPID, last: noEpoch}}
}

func TestWhatACoordinatorMustNotAnswerIsRejected(t *testing.T) {
	for name, c := range map[string]*txnCalls{
		"an epoch that was given out":                (&txnCalls{}).init(7, 0).init(7, 0),
		"another producer id though epochs are left": (&txnCalls{}).init(7, 0).init(8, 0),
		"no new epoch at the end":                    began().commit(7, 0, 7, 0),
		"a commit of nothing":                        (&txnCalls{}).init(7, 0).commit(7, 0, 7, 1),
		"a zombie commits":                           began().init(7, 2).commit(7, 0, 7, 1),
		"a zombie writes":                            began().init(7, 2).write(7, 0),
		"a retry is refused":                         began().commit(7, 0, 7, 1).refused("commit", 7, 0, "INVALID_TXN_STATE"),
		"a retry is fenced":                          began().commit(7, 0, 7, 1).refused("commit", 7, 0, "PRODUCER_FENCED"),
		"a commit becomes an abort":                  began().commit(7, 0, 7, 1).abort(7, 0, 7, 1),
		"the present one is fenced":                  (&txnCalls{}).init(7, 0).refused("abort", 7, 0, "PRODUCER_FENCED"),
		"a forgotten id":                             began().commit(7, 0, 7, 1).refused("commit", 7, 1, "INVALID_PRODUCER_ID_MAPPING"),
		"an id that was forgotten":                   began().commit(7, 0, 7, 1).expires().refused("commit", 7, 1, "INVALID_PRODUCER_ID_MAPPING").write(7, 1),
		"one that goes on in the same epoch":         began().commit(7, 0, 7, 1).renew(7, 1, 7, 1),
		"a zombie that goes on":                      began().init(7, 2).renew(7, 0, 7, 3),
		"a zombie that goes on from an epoch before": began().commit(7, 0, 7, 1).init(7, 2).renew(7, 1, 7, 2),
		"an epoch beyond the last":                   worn().init(7, 32767),
		"the same id with epoch 0 again":             worn().init(7, 0),
		"the first version: an abort after a commit": began().commit(7, 0, 7, 0).abort(7, 0, 7, 0).old(),
	} {
		require.Equal(t, Illegal, c.verdict(), name)
	}
}

func TestADeposedCoordinatorMayRefuseByWhatIsOver(t *testing.T) {
	c := began().refused("commit", 7, 0, "INVALID_PRODUCER_ID_MAPPING")
	weak := func(key string, _, _ int64) bool { return key == "__transaction_state/0" }
	require.Equal(t, Illegal, c.verdict())
	r := CheckTransactional("id", Calls(c.events), c.gone, Options{Timeout: 5 * time.Second, Weak: weak, TxnPartitions: 1})
	require.Equal(t, OK, r.Verdict)
	require.Equal(t, 2, r.Weak)
	// What one that was deposed has told may all have happened, each after the other.
	all := func(_ string, call, _ int64) bool { return call > 3 }
	long := began().commit(7, 0, 7, 1).write(7, 1).commit(7, 1, 7, 2).write(7, 2)
	n := len(long.events) - 2
	require.Equal(t, OK, CheckTransactional("id", Calls(long.commit(7, 2, 7, 3).events), nil, Options{Timeout: 5 * time.Second, Weak: func(k string, call, ret int64) bool {
		return all(k, call, ret) && call <= int64(n)
	}}).Verdict)
	late := began().commit(7, 0, 7, 1).init(7, 2).commit(7, 0, 7, 1)
	require.Equal(t, Illegal, late.verdict())
	last := late.events[len(late.events)-1].I
	weak = func(_ string, _, ret int64) bool { return ret == last }
	require.Equal(t, OK, CheckTransactional("id", Calls(late.events), nil, Options{Timeout: 5 * time.Second, Weak: weak}).Verdict)
}
