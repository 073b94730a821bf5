package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// moment is one row of a story: something at a place.
type moment struct {
	at      int64
	place   int // as in Message; aside: the cluster as a whole
	text    string
	class   string
	weight  int
	message int // index + 1 of the message that is sent (out) or taken here; 0: none
	out     bool
}

// What a moment matters to a story.
const (
	noise = iota + 1 // what goes on all the time
	said             // what names the partition
	event            // a fault, a controller
	turn             // who leads, who is in sync, how far copies have come
	must             // what happened to the record, to processes and to logs
)

// aside is the place of what concerns the cluster as a whole.
const aside = 0

// moments are all that a story of the violation may tell, in order.
func (r *Run) moments() (all []moment) {
	shown := r.Violation.shown()
	put := func(m moment) {
		if m.at <= shown || m.at == r.Violation.At && m.class == "disk" {
			all = append(all, m)
		}
	}
	r.spoken(put)
	r.asked(put)
	r.around(put)
	r.led(put)
	r.stood(put)
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return all
}

// shown is when what is wrong was there to be seen.
func (v *Violation) shown() int64 {
	if v.Shown > 0 {
		return v.Shown
	}
	return v.At
}

// decisive are the requests by which a cluster changes, which are few.
var decisive = []string{"AlterPartition", "BrokerRegistration", "ControlledShutdown", "AllocateProducerIDs", "InitProducerID", "EndTxn", "WriteTxnMarkers", "AddPartitionsToTxn", "TxnOffsetCommit",
	"DeleteRecords", "DeleteTopics", "ElectLeaders", "UnregisterBroker", "AlterPartitionAssignments"}

func isDecisive(what string) bool {
	what = strings.TrimPrefix(what, "answer to ")
	name, _, _ := strings.Cut(what, " ")
	return slices.Contains(decisive, name)
}

// spoken adds the messages.
func (r *Run) spoken(put func(moment)) {
	v := r.Violation
	for i := range r.Messages {
		m := &r.Messages[i]
		weight := said
		switch {
		case m.Quiet, !m.About && v.Key != "" && !isDecisive(m.What):
			continue
		case r.bears(m):
			weight = turn
		case m.About && isDecisive(m.What):
			weight = event
		case m.Idle, !m.About:
			weight = noise
		}
		put(moment{at: m.Sent, place: m.From, text: fmt.Sprintf("%s, %s B", m.What, Number(m.Size)), class: "send", message: i + 1, out: true, weight: weight})
		if m.Taken >= 0 {
			put(moment{at: m.Taken, place: m.To, class: "take", message: i + 1, weight: weight})
		}
	}
}

// bears says that a message carried the record in question between a client and a broker.
func (r *Run) bears(m *Message) bool {
	if !m.About {
		return false
	}
	for i := range r.Ops {
		o := &r.Ops[i]
		asked := m.From == -1-o.Client && m.Sent >= o.Begin && m.Sent <= o.End
		told := m.To == -1-o.Client && m.Taken >= o.Begin && m.Taken <= o.End
		what := map[string]string{"send": "Produce", "poll": "Fetch"}[o.F]
		if o.About && what != "" && (asked || told) && strings.Contains(m.What, what) && (asked || o.F == "send" || m.Taken == o.End) {
			return true
		}
	}
	return false
}

// asked adds what clients were told.
func (r *Run) asked(put func(moment)) {
	v := r.Violation
	for i := range r.Ops {
		o := &r.Ops[i]
		if v.Key != "" && o.Key != v.Key && !o.About {
			continue
		}
		weight := noise
		switch {
		case o.About:
			weight = must
		case o.Type != "ok":
			weight = said
		}
		if len(r.Messages) == 0 { // else a message says so
			put(moment{at: o.Begin, place: -1 - o.Client, text: "asks: " + o.F + " " + o.Key, class: "op", weight: weight})
		}
		text := o.F + ", " + o.Type + ": " + o.Text
		switch {
		case !o.About || !v.Record || o.Type != "ok":
		case o.F == "send":
			text = fmt.Sprintf("is told of its send, which has offset %d: ok", v.Offset)
		case o.F == "poll":
			text = fmt.Sprintf("has read offset %d", v.Offset)
		}
		if o.Type != "open" {
			put(moment{at: o.End, place: -1 - o.Client, text: text, class: "op " + o.Type, weight: weight})
		}
	}
}

// ending are the classes of fault that end a process.
var ending = map[string]bool{"F:P1": true, "F:P3": true, "F:P4": true, "F:D1": true}

// around adds what became of nodes.
func (r *Run) around(put func(moment)) {
	for n := range r.Lanes {
		for i, l := range r.Lanes[n].Lives {
			if l.Begin > 0 {
				put(moment{at: l.Begin, place: n + 1, text: fmt.Sprintf("process %d starts", i+1), class: "life", weight: must})
			}
			if l.End < r.End {
				text := l.Text
				if c, ok := r.copyAt(n+1, l.End); ok {
					text += fmt.Sprintf("; %s was at %d, synced %d", r.Violation.Key, c.End, c.Synced)
				}
				put(moment{at: l.End, place: n + 1, text: text, class: "death", weight: must})
			}
		}
	}
	for i := range r.Spans {
		s := &r.Spans[i]
		if ending[s.Class] && s.Node > 0 {
			continue // the end of a process says it
		}
		text := FaultName(s.Class)
		if s.Text != text {
			text += ": " + s.Text
		}
		put(moment{at: s.Begin, place: s.Node, text: text, class: "fault", weight: event})
		if s.End > s.Begin && s.End < r.End {
			put(moment{at: s.End, place: s.Node, text: FaultName(s.Class) + " is over", class: "fault", weight: event})
		}
	}
	for i := range r.Control {
		c := &r.Control[i]
		weight := event
		if strings.HasPrefix(r.Violation.Property, "I:K") {
			weight = must
		}
		put(moment{at: c.Begin, place: c.Node, text: "leads the quorum", class: "lead", weight: weight})
	}
}

// led adds who led the partition, and what the quorum decided of it.
func (r *Run) led(put func(moment)) {
	for i := range r.Parts {
		p := &r.Parts[i]
		weight := turn
		if r.Violation.Key != "" && p.Key != r.Violation.Key || r.Violation.Key == "" && internal(p.Key) {
			continue
		}
		if r.Violation.Key == "" {
			weight = said
		}
		for _, l := range p.Leaders {
			put(moment{at: l.Begin, place: l.Node, text: fmt.Sprintf("leads %s, epoch %d", p.Key, l.Epoch), class: "lead", weight: weight})
		}
		if r.Nodes == 1 {
			continue
		}
		for _, s := range p.States {
			put(moment{at: s.At, place: aside, text: fmt.Sprintf("quorum: %s leader %s, epoch %d, in sync %s", p.Key, nodeName(s.Leader), s.Epoch, nodeNames(s.ISR)), class: "state", weight: weight})
		}
	}
}

// copyAt is where a node's copy stood at a time.
func (r *Run) copyAt(node int, at int64) (c Copy, ok bool) {
	for i := range r.Copies {
		if r.Copies[i].At > at {
			break
		}
		if r.Copies[i].Node == node {
			c, ok = r.Copies[i], true
		}
	}
	return c, ok
}

// stood adds what became of the partition's copies: what was written, synced, committed, cut, and found again.
func (r *Run) stood(put func(moment)) {
	v := r.Violation
	last := map[int]Copy{}
	for _, c := range r.Copies {
		was, known := last[c.Node]
		last[c.Node] = c
		m := moment{at: c.At, place: c.Node, class: "disk", weight: turn}
		switch {
		case c.Fresh && !known:
			continue
		case c.Fresh:
			m.text, m.weight = fmt.Sprintf("finds %s with end %d (was %d), high watermark %d", v.Key, c.End, was.End, c.High), must
		case c.End < was.End:
			m.text, m.weight = fmt.Sprintf("cuts %s from %d to %d, high watermark %d", v.Key, was.End, c.End, c.High), must
		default:
			m.text = r.passed(&was, &c)
		}
		if m.text != "" {
			put(m)
		}
	}
	for n := range r.Nodes {
		if c, ok := r.copyAt(n+1, v.At); ok {
			put(moment{at: v.At, place: n + 1, text: fmt.Sprintf("%s stands at %d, synced %d, high watermark %d", v.Key, c.End, c.Synced, c.High), class: "disk", weight: must})
		}
	}
}

// passed says which of a copy's marks passed the record in question, "" if none did.
func (r *Run) passed(was, is *Copy) string {
	o := r.Violation.Offset
	if !r.Violation.Record {
		return ""
	}
	var marks []string
	if was.End <= o && o < is.End {
		marks = append(marks, "written")
	}
	if was.Synced <= o && o < is.Synced {
		marks = append(marks, "synced")
	}
	if was.High <= o && o < is.High {
		marks = append(marks, "committed")
	}
	if len(marks) == 0 {
		return ""
	}
	return fmt.Sprintf("offset %d is %s", o, strings.Join(marks, " and "))
}

func nodeName(n int) string {
	if n <= 0 {
		return "none"
	}
	return fmt.Sprintf("n%d", n)
}

func nodeNames(all []int) string {
	if len(all) == 0 {
		return "nobody"
	}
	names := make([]string, len(all))
	for i, n := range all {
		names[i] = nodeName(n)
	}
	return strings.Join(names, " ")
}
