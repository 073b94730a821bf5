package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// M5: what there is of a topic is a register at the controller: how many partitions it has, and one more for each of its settings. Administrators
// write it. A broker tells what its own image says, which may lag behind by any time; but it is a prefix of the controller's log, and only grows.
// So what a broker tells are values that the register had, in the register's order, none before somebody has asked for it.
//
// A read is no operation of the register then. Each state of the register shows itself at once to whoever may have told of it next; showing more
// never hurts, so there is nothing to choose. What remains is the order of the writes, which porcupine looks for: by the time when a read was
// answered, some state must have shown itself to it.

// What a register holds: absent, or a value.
const absent = "-"

// topicState is a register, and the reads to which it has shown itself: a bit for each.
type topicState struct {
	value string
	shown string
}

type topicOp struct {
	call    string // create, delete, grow, alter, told; whole: a read that may not lag
	value   string
	parts   int64 // grow
	read    int   // told, whole
	unknown bool
	what    string
}

// reading is what a broker said of a register.
type reading struct {
	broker    string
	value     string
	call, ret int64
	whole     bool // it may not lag: the state shows itself to it when its own operation comes
}

// readings are those of one register, by their ends.
type readings []reading

// show gives the reads to which a value shows itself: those of each broker in order, as far as they tell of it.
func (rs readings) show(value, shown string) string {
	bits := []byte(shown)
	for again := true; again; {
		again = false
		for i := range rs {
			if rs[i].value == value && !rs[i].whole && !has(bits, i) && rs.next(i, bits) {
				bits[i/8] |= 1 << (i % 8)
				again = true
			}
		}
	}
	return string(bits)
}

func has(bits []byte, i int) bool { return bits[i/8]&(1<<(i%8)) != 0 }

// next says that all that the same broker had answered before a read was asked is shown.
func (rs readings) next(i int, bits []byte) bool {
	for j := range rs {
		if rs[j].ret < rs[i].call && rs[j].broker == rs[i].broker && !has(bits, j) {
			return false
		}
	}
	return true
}

// brief leaves out what a broker said twice in a row.
func (rs readings) brief() (out readings) {
	slices.SortStableFunc(rs, func(a, b reading) int { return int(a.ret - b.ret) })
	last := map[string]string{}
	for _, r := range rs {
		if was, ok := last[r.broker]; !ok || was != r.value || r.whole {
			out = append(out, r)
		}
		last[r.broker] = r.value
	}
	return out
}

// step gives the state after an operation; false: it cannot have gone so.
func (s topicState) step(op *topicOp, rs readings) (bool, topicState) {
	is := s.value != absent
	var ok bool
	value := op.value
	switch op.call {
	case "told":
		return has([]byte(s.shown), op.read), s
	case "whole":
		bits := []byte(s.shown)
		ok = s.value == rs[op.read].value && rs.next(op.read, bits)
		bits[op.read/8] |= 1 << (op.read % 8)
		return ok, topicState{s.value, rs.show(s.value, string(bits))}
	case "create":
		ok = !is
	case "delete":
		ok, value = is, absent
	case "grow":
		n, err := strconv.ParseInt(s.value, 10, 64)
		ok, value = is && err == nil && op.parts > n, strconv.FormatInt(op.parts, 10)
		if is && err != nil { // a setting, which new partitions leave alone
			return true, s
		}
	case "alter":
		ok = is
	}
	if !ok {
		return op.unknown, s
	}
	return true, topicState{value, rs.show(value, s.shown)}
}

func topicModel(rs readings) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return topicState{absent, rs.show(absent, string(make([]byte, len(rs)/8+1)))} },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := state.(topicState).step(input.(*topicOp), rs)
			return ok, next
		},
		DescribeOperation: func(in, _ any) string { return in.(*topicOp).what },
	}
}

// metadataKeys are the registers of which something was read, in order: topics, and "topic name" of settings.
func metadataKeys(events []*history.Event) []string {
	vague, read := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		for i := range e.Ops {
			switch o := &e.Ops[i]; o.Kind {
			case history.CreateTopic:
				vague[o.Key] = vague[o.Key] || o.Offset <= 0 // with as many partitions as the broker likes
			case history.ReadTopic, history.ReadConfig:
				read[metadataKey(o)] = true
			}
		}
	}
	return slices.DeleteFunc(keys(read), func(k string) bool {
		topic, _, _ := strings.Cut(k, " ")
		return vague[topic]
	})
}

// metadataKey is the register that a read is of.
func metadataKey(o *history.Op) string {
	if o.Kind == history.ReadTopic {
		return o.Key
	}
	name, _, _ := strings.Cut(o.Meta, "=")
	return o.Key + " " + name
}

// setting gives what settings, "k=v,k=v", say of one: its value, and whether they say anything.
func setting(settings, name string) (value string, said bool) {
	for _, s := range strings.Split(settings, ",") {
		if k, v, _ := strings.Cut(s, "="); k == name {
			return "=" + v, true
		}
	}
	return "=", false
}

// repeated are the refusals that a broker may pass on of its second try, when the first one was carried out and its answer was lost.
var repeated = map[string]bool{"TOPIC_ALREADY_EXISTS": true, "UNKNOWN_TOPIC_OR_PARTITION": true, "INVALID_PARTITIONS": true}

// written gives the operation of a call on a register; nil: it does not touch it.
func written(c *Call, topic, name string) *topicOp {
	op := &topicOp{unknown: c.Type != history.OK}
	switch {
	case c.Op.Key != topic || c.Type == history.Fail && !repeated[c.Err]:
		return nil
	case c.Op.Kind == history.CreateTopic:
		op.call, op.value = "create", strconv.FormatInt(c.Op.Offset, 10)
		if name != "" {
			op.value, _ = setting(c.Op.Meta, name)
		}
	case c.Op.Kind == history.DeleteTopic:
		op.call = "delete"
	case c.Op.Kind == history.CreatePartitions:
		op.call, op.parts = "grow", c.Op.Offset
	case c.Op.Kind == history.Alter && name != "":
		value, said := setting(c.Op.Meta, name)
		if op.call, op.value = "alter", value; !said {
			return nil
		}
	default:
		return nil
	}
	op.what = fmt.Sprintf("%s of %s%s: %s", op.call, topic, strings.TrimRight(fmt.Sprintf(" to %s %s", said(op), name), " "), c.Type)
	return op
}

func said(op *topicOp) string {
	if op.call == "grow" {
		return strconv.FormatInt(op.parts, 10)
	}
	return op.value
}

// CheckMetadata checks a topic, or one setting of it, as a register (M5).
func CheckMetadata(key string, events []*history.Event, calls []Call, opt Options) Result {
	topic, name, _ := strings.Cut(key, " ")
	r := Result{Model: "M5", Key: key}
	var rs readings
	var ops []porcupine.Operation
	for _, e := range events {
		for i := range e.Ops {
			o := &e.Ops[i]
			if o.Kind != history.ReadTopic && o.Kind != history.ReadConfig || metadataKey(o) != key {
				continue
			}
			x := reading{broker: o.Member, value: readValue(o), call: int64(o.Generation), ret: e.I}
			if x.call == 0 {
				x.call = x.ret
			}
			if x.whole = o.Want == "whole"; x.whole {
				r.Strong++
			} else {
				r.Weak++
			}
			rs = append(rs, x)
		}
	}
	rs = rs.brief()
	for i := range rs {
		x := &rs[i]
		op := &topicOp{call: "told", read: i, what: fmt.Sprintf("%s tells of %s: %s", x.broker, key, x.value)}
		if x.whole {
			op.call, op.what = "whole", fmt.Sprintf("%s of a whole cluster tells of %s: %s", x.broker, key, x.value)
		}
		ops = append(ops, porcupine.Operation{Call: x.call, Return: x.ret, Input: op})
	}
	for i := range calls {
		if op := written(&calls[i], topic, name); op != nil {
			ops = append(ops, porcupine.Operation{ClientId: int(calls[i].Process), Input: op, Call: calls[i].Call, Return: calls[i].Return})
		}
	}
	r.Ops = len(ops)
	r.window(sorted(ops), opt.Timeout, topicModel(rs))
	return r
}

func readValue(o *history.Op) string {
	switch {
	case o.Kind == history.ReadTopic && o.Offset < 0, o.Got == "absent":
		return absent
	case o.Kind == history.ReadTopic:
		return strconv.FormatInt(o.Offset, 10)
	}
	_, value, _ := strings.Cut(o.Meta, "=")
	return "=" + value
}

// metadataExcused says that what the controller had committed may be gone.
func metadataExcused(events []*history.Event) bool {
	for _, e := range events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Excuse && (o.Key == "" || strings.HasPrefix(o.Key, "__cluster_metadata/")) {
				return true
			}
		}
	}
	return false
}
