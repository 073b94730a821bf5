package debug

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/run"
	"github.com/seedlog/seedlog/sim/simnet"
)

// frameLength is the size of the length before each frame.
const frameLength = 4

func (l *Local) net(t *text, args []string) error {
	links := l.c.Links()
	if len(args) > 1 {
		return fmt.Errorf("net takes nothing, all, or the number of a half")
	}
	if len(args) == 1 && args[0] != "all" {
		n, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return fmt.Errorf("net %q; use nothing, all, or the number of a half", args[0])
		}
		for i := range links {
			if x := &links[i]; x.From.Num == n || x.To.Num == n {
				l.link(t, x)
				l.messages(t, &x.From, &x.To, true)
				l.messages(t, &x.To, &x.From, true)
				return nil
			}
		}
		return fmt.Errorf("no connection has a half %d now; net all lists them", n)
	}
	idle, dead := 0, 0
	for i := range links {
		x := &links[i]
		switch {
		case len(args) > 0:
		case x.From.Over && x.To.Over:
			dead++
			continue
		case quiet(x):
			idle++
			continue
		}
		l.link(t, x)
		l.messages(t, &x.From, &x.To, false)
		l.messages(t, &x.To, &x.From, false)
	}
	t.line("%d connections", len(links))
	if idle+dead > 0 {
		t.line("left out: %d idle, %d over at both ends; net all shows them", idle, dead)
	}
	return nil
}

// quiet says that nothing is under way on a connection that both ends have.
func quiet(x *simnet.Link) bool {
	for _, s := range [...]*simnet.Side{&x.From, &x.To} {
		if !s.Open || s.Closed || s.Over || s.Blocked || s.Arrived+s.Flying+s.Unsent > 0 {
			return false
		}
	}
	return true
}

// link prints the head of a connection.
func (l *Local) link(t *text, x *simnet.Link) {
	var s []string
	for _, side := range [...]*simnet.Side{&x.From, &x.To} {
		who := l.who(side.Owner)
		for _, c := range [...]struct {
			is   bool
			what string
		}{{!side.Open && !side.Over, "is not told of it yet"}, {side.Closed, "has closed"}, {side.Over, "has it reset, refused or dead"}, {!side.Reads, "does not read"},
			{side.Blocked, "is cut off: what it sends waits"}} {
			if c.is {
				s = append(s, who+" "+c.what)
			}
		}
	}
	how := "open"
	if len(s) > 0 {
		how = strings.Join(s, "; ")
	}
	port := ""
	if x.Port > 0 {
		port = " (CONTROLLER)"
	}
	t.line("halves %d/%d  %s ▶ %s%s: %s", x.From.Num, x.To.Num, l.who(x.From.Owner), l.who(x.To.Owner), port, how)
}

// who names an endpoint: clients by their numbers in the history. (The trace names them by their places in the plan.)
func (l *Local) who(e simnet.End) string {
	switch n, kind := l.run.Place(e); {
	case n > 0:
		return fmt.Sprintf("n%d", n)
	case n < 0:
		return fmt.Sprintf("c%d (%s)", -1-n, kind)
	}
	return "a repeated request"
}

// messages prints what one end has sent and the other has not taken. Where a message is follows from the bytes before it: the taker takes whole frames.
func (l *Local) messages(t *text, from, to *simnet.Side, full bool) {
	total := from.Arrived + from.Flying + from.Unsent
	if total == 0 {
		return
	}
	next := ""
	if from.Next > 0 {
		next = ", the next at " + seconds(from.Next)
	}
	t.line("  %s ▶ %s: %d bytes have arrived, %d fly%s, %d wait", l.who(from.Owner), l.who(to.Owner), from.Arrived, from.Flying, next, from.Unsent)
	pos := int64(0)
	for _, m := range l.run.UnderWay(from.Num) {
		end := pos + frameLength + m.Size
		if pos >= total {
			t.line("    %s: its bytes are lost", title(&m))
			continue
		}
		t.line("    %s", title(&m)+", sent "+seconds(clock.Time(m.Sent))+": "+whereabouts(pos, end, from))
		if full && end <= int64(len(from.Stream)) {
			t.line("      %s", decoded(from.Stream[pos+frameLength:end], &m))
		}
		pos = end
	}
}

func title(m *run.Message) string {
	s := m.What
	if m.Correlation != 0 || m.Version >= 0 {
		s += fmt.Sprintf(" #%d", m.Correlation)
	}
	return fmt.Sprintf("%s, %d bytes", s, m.Size)
}

// whereabouts says where the bytes of a frame are.
func whereabouts(pos, end int64, s *simnet.Side) string {
	arrived := min(end, s.Arrived) - pos
	left := min(end, s.Arrived+s.Flying) - pos
	switch {
	case arrived == end-pos:
		return "arrived, not taken"
	case arrived > 0:
		return fmt.Sprintf("%d of %d bytes have arrived", arrived, end-pos)
	case left == end-pos:
		return "in flight"
	case left > 0:
		return fmt.Sprintf("%d of %d bytes are in flight", left, end-pos)
	}
	return "waits to leave"
}

// decoded prints the content of a whole frame, without its length.
func decoded(b []byte, m *run.Message) string {
	req := kmsg.RequestForKey(m.Key)
	if m.Version < 0 || req == nil || m.Version > req.MaxVersion() { // raft's, or of our own brokers among themselves
		return value(b)
	}
	req.SetVersion(m.Version)
	var err error
	if m.Answer {
		resp := req.ResponseKind()
		skip := 4
		if resp.IsFlexible() && m.Key != int16(kmsg.ApiVersions) {
			skip += tags(b[min(len(b), skip):])
		}
		if err = resp.ReadFrom(b[min(len(b), skip):]); err == nil {
			return value(resp)
		}
	} else if err = req.ReadFrom(b[min(len(b), requestHead(b, req.IsFlexible())):]); err == nil {
		return value(req)
	}
	return fmt.Sprintf("cannot be decoded: %v; %s", err, value(b))
}

// requestHead is the size of a request's header: key, version, correlation id, client id, and, if flexible, tags.
func requestHead(b []byte, flexible bool) int {
	n := 10
	if len(b) < n {
		return n
	}
	if size := int16(binary.BigEndian.Uint16(b[8:])); size > 0 {
		n += int(size)
	}
	if flexible {
		n += tags(b[min(len(b), n):])
	}
	return n
}

// tags is the size of the tagged fields that b begins with.
func tags(b []byte) int {
	n, at := binary.Uvarint(b)
	for ; n > 0 && at > 0 && at < len(b); n-- {
		_, k := binary.Uvarint(b[at:])
		size, j := binary.Uvarint(b[at+max(k, 0):])
		at += max(k, 0) + max(j, 0) + int(min(size, network.MaxFrame))
	}
	return max(at, 0)
}
