package report

import "slices"

// classes says what each class of fault is called and what it does, in the order of the menu.
var classes = []struct{ name, short, means string }{
	{"F:N1", "delay", "bytes are delayed, each connection for itself"},
	{"F:N2", "reset", "a connection is reset in the midst of a request or an answer"},
	{"F:N3", "late request", "a request arrives very late"},
	{"F:N4", "repeat", "a request is repeated on a second connection"},
	{"F:N5", "partition", "a partition of the network"},
	{"F:N6", "clog", "a link stands still"},
	{"F:N7", "narrow link", "a narrow link with a small queue"},
	{"F:N8", "cut frames", "frames are cut anywhere; a side closes early"},
	{"F:D1", "power loss", "power is lost: what was not synced stays, tears or goes"},
	{"F:D2", "lying sync", "a sync lies, or fails once"},
	{"F:D3", "I/O error", "I/O errors, a full disk, short writes"},
	{"F:D4", "bit rot", "bits rot"},
	{"F:D5", "misplaced write", "a write goes elsewhere"},
	{"F:D6", "slow disk", "a disk is slow, or stands still"},
	{"F:D7", "wiped disk", "a disk is replaced by an empty one"},
	{"F:D8", "old disk", "a disk is replaced by an old image"},
	{"F:P1", "kill", "a process is killed"},
	{"F:P2", "pause", "a process or a shard is paused"},
	{"F:P3", "stop", "a process stops in good order and starts again"},
	{"F:P4", "restarts", "a process crashes again and again, or all do, or all are restarted in turn"},
	{"F:C1", "clock", "a clock jumps or drifts"},
	{"F:C2", "ties reordered", "what happens at one instant happens in another order"},
	{"F:L1", "retention", "tiny segments, retention, DeleteRecords"},
	{"F:L2", "expiry", "producers and offsets expire soon"},
	{"F:L3", "misbehaviour", "a client misbehaves"},
	{"F:M1", "operator", "an operator moves and adds partitions, makes topics anew"},
	{"F:M2", "settings", "an operator changes settings"},
	{"F:M3", "voters", "voters come and go"},
	{"F:B1", "rare ways", "what is rare and allowed is made common"},
}

// Real is the prefix of a class of fault that is done to real processes.
const Real = "real:"

// realClasses are those, in the same form.
var realClasses = []struct{ name, short, means string }{
	{Real + "kill", "kill", "processes are ended by SIGKILL: one, a minority, or all at once"},
	{Real + "pause", "pause", "processes are stopped by SIGSTOP and go on as if no time had passed"},
	{Real + "restart", "restart", "each node in turn ends in good order and comes back"},
	{Real + "partition", "partition", "links between nodes lose everything, both ways or one"},
	{Real + "slow", "slow link", "what a node sends is late, lost in part, or goes through a narrow link"},
	{Real + "disk", "full disk", "a node's file system has no byte left"},
	{Real + "member", "member", "a node leaves the quorum, is perhaps replaced by an empty one, and comes back"},
	{Real + "clock", "clock", "a node's wall clock jumps"},
}

// FaultText says what a class of fault does, "" if it is not known.
func FaultText(class string) string {
	for _, c := range slices.Concat(classes, realClasses) {
		if c.name == class {
			return c.means
		}
	}
	return ""
}

// FaultName is a class's short name, "" if it is not known.
func FaultName(class string) string {
	for _, c := range slices.Concat(classes, realClasses) {
		if c.name == class {
			return c.short
		}
	}
	return ""
}
