package debug

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// command is one word that a user may say.
type command struct {
	name, args, help string
	move             func(s *Session, args []string) error        // it goes somewhere
	show             func(l *Local, t *text, args []string) error // it prints what is there
	broker           bool                                         // it looks into brokers
}

// commands are all of them, in the order of help.
var commands []command

func init() {
	commands = []command{
		{name: "to", args: "TIME", help: "go to a virtual time, such as 26.437s or 900ms: all that happens until then, and at it, has happened", move: (*Session).to},
		{name: "event", args: "N", help: "go to where N events have happened", move: (*Session).event},
		{name: "violation", help: "go on to the first broken property, or to the run's end", move: (*Session).violation},
		{name: "until", args: "TEXT", help: "go on to the next event with TEXT in one of its lines of the trace", move: (*Session).until},
		{name: "change", args: "N TOPIC/N [COUNT]", help: "go on until a node shows a partition otherwise (role, epoch, ISR, an offset), so many times (1); shows each", move: (*Session).change, broker: true},
		{name: "next", args: "[N | TIME]", help: "go on by N events (1), or by a time", move: (*Session).next},
		{name: "back", args: "[N | TIME]", help: "go back by N events (1), or by a time: the run is run again from its start", move: (*Session).back},
		{name: "where", help: "the time, the number of the event, how the nodes are, the last events and the next ones", show: (*Local).where},
		{name: "trace", args: "[N]", help: "the last N lines of the trace (20; at most 256)", show: (*Local).trace},
		{name: "faults", args: "[N]", help: "what the plan has in store, and the last N faults that happened (20)", show: (*Local).faults},
		{name: "node", args: "N", help: "a node: process, quorum, metadata, partitions, groups, transactions", show: (*Local).node, broker: true},
		{name: "partition", args: "TOPIC/N", help: "a partition on all nodes side by side, and what the metadata say of it", show: (*Local).partition, broker: true},
		{name: "net", args: "[all | HALF]", help: "connections with something under way, or all of them; one by the number of a half, with its messages in full", show: (*Local).net, broker: true},
		{name: "disk", args: "N [PART]", help: "a node's files, what of them is synced, and what is asked of the disk; those with PART in their path; if it is one, what is in it: batches of a .log, else text or bytes", show: (*Local).disk},
		{name: "history", args: "[N] [TEXT]", help: "the last N operations of clients (20), or of those with TEXT in them", show: (*Local).history, broker: true},
		{name: "help", help: "this list", move: (*Session).help},
		{name: "quit", help: "end", move: (*Session).quit},
	}
}

// find gives a command by its name, nil if there is none.
func find(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// Help is the list of commands.
func Help() string {
	t := &text{}
	for i := range commands {
		c := &commands[i]
		t.row("  "+c.name+" "+c.args, c.help)
	}
	return t.String()
}

// text is what a command prints: lines, and tables whose columns are as wide as they must be.
type text struct {
	b    strings.Builder
	rows *tabwriter.Writer
}

// line adds a line.
func (t *text) line(format string, args ...any) {
	t.end()
	fmt.Fprintf(&t.b, format+"\n", args...)
}

// row adds a line of a table, which ends with the next line.
func (t *text) row(cells ...string) {
	if t.rows == nil {
		t.rows = tabwriter.NewWriter(&t.b, 0, 1, 2, ' ', 0)
	}
	fmt.Fprintln(t.rows, strings.Join(cells, "\t"))
}

// head adds a heading, once.
func (t *text) head(s *string) {
	if *s != "" {
		t.line("%s", *s)
		*s = ""
	}
}

func (t *text) end() {
	if t.rows != nil {
		t.rows.Flush() // a strings.Builder takes everything
		t.rows = nil
	}
}

// String gives what was printed, no line with blanks at its end.
func (t *text) String() string {
	t.end()
	var b strings.Builder
	for line := range strings.Lines(t.b.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
