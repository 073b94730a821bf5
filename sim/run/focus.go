package run

import (
	"cmp"
	"regexp"
	"strconv"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// focus is the record of which a violation speaks.
type focus struct {
	key    string
	offset int64
	value  history.Value
	valued bool // value is known
	ok     bool
}

// How texts of violations name an offset, the plainest first.
var offsetNames = []*regexp.Regexp{
	regexp.MustCompile(`\boffset (\d+)`), regexp.MustCompile(`\bends at (\d+)`), regexp.MustCompile(`\bend (\d+)`), regexp.MustCompile(`\bhigh watermark (\d+)`),
	regexp.MustCompile(`\bup to (\d+)`), regexp.MustCompile(`\bbelow (\d+)`), regexp.MustCompile(`\bat (\d+)\b`),
}

var valueName = regexp.MustCompile(`\bv\d+\.\d+\b`)

// focused finds the record: by its offset, or by a value that one of the partition's records has.
func focused(v *report.Violation, events []*history.Event) (f focus) {
	f.key = v.Key
	if v.Key == "" {
		return f
	}
	text := v.Is + " " + v.Was
	if m := offsetNames[0].FindStringSubmatch(text); m != nil {
		return f.at(m[1], events)
	}
	if m := valueName.FindString(text); m != "" {
		if f.value, f.valued = history.ParseValue([]byte(m)); f.valued {
			if f.offset, f.ok = offsetOf(events, v.Key, f.value); f.ok {
				return f
			}
		}
	}
	for _, name := range offsetNames[1:] {
		if m := name.FindStringSubmatch(text); m != nil {
			return f.at(m[1], events)
		}
	}
	return f
}

func (f focus) at(digits string, events []*history.Event) focus {
	n, err := strconv.ParseInt(digits, 10, 64)
	f.offset, f.ok = n, err == nil
	f.value, f.valued = 0, false
	for _, e := range events {
		if e.Type != history.OK {
			continue
		}
		for i := range e.Ops {
			for _, r := range recordsOf(&e.Ops[i], f.key) {
				if r.Offset == n {
					f.value, f.valued = r.Value, true
					return f
				}
			}
		}
	}
	return f
}

func offsetOf(events []*history.Event, key string, v history.Value) (int64, bool) {
	for _, e := range events {
		if e.Type != history.OK {
			continue
		}
		for i := range e.Ops {
			for _, r := range recordsOf(&e.Ops[i], key) {
				if r.Value == v && r.Offset != history.NoOffset {
					return r.Offset, true
				}
			}
		}
	}
	return 0, false
}

// recordsOf gives the records of a partition that an operation sent or read.
func recordsOf(o *history.Op, key string) []history.Record {
	if o.Key != key || o.Kind != history.Send && o.Kind != history.Poll {
		return nil
	}
	return o.Records
}

// holds says that an operation has to do with the record.
func (f *focus) holds(o *history.Op) bool {
	for _, r := range recordsOf(o, f.key) {
		if f.ok && r.Offset == f.offset || f.valued && r.Value == f.value {
			return true
		}
	}
	return false
}

// mark says which operations a story about the record needs: who sent it, and who was the first and the last to read it.
func (f *focus) mark(all []report.Op, held []bool) {
	sent, read, last := -1, -1, -1
	for i, o := range all {
		switch {
		case !held[i]:
		case o.F == history.Send.String() && sent < 0:
			sent = i
		case o.F == history.Poll.String() && read < 0:
			read = i
		case o.F == history.Poll.String():
			last = i
		}
	}
	for _, i := range [...]int{sent, read, last} {
		if i >= 0 {
			all[i].About = true
		}
	}
}

// eventName is how texts of violations name an event of the history. Of a pair the second one counts: it shows what is wrong.
var eventName = regexp.MustCompile(`\bevents? (\d+)(?: to (\d+))?`)

// witness finds the operation that shows what is wrong, where a judge of the whole history names its event: it is marked, and its time is when the
// violation was there to be seen.
func witness(v *report.Violation, events []*history.Event, ops []report.Op) {
	m := eventName.FindStringSubmatch(v.Is)
	if m == nil {
		return
	}
	n, err := strconv.ParseInt(cmp.Or(m[2], m[1]), 10, 64)
	if err != nil || n >= int64(len(events)) || events[n].Process < 0 {
		return
	}
	e := events[n]
	v.Shown = int64(e.Time)
	for i := range ops {
		if o := &ops[i]; o.Client == history.ClientOf(e.Process) && o.Slot == int(e.Process)%history.Slots && (o.Begin == v.Shown || o.End == v.Shown) {
			o.About = true
			return
		}
	}
}
