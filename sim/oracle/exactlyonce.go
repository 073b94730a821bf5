package oracle

import (
	"slices"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// exactlyOnce: of what members of a group copy in transactions that commit their offsets too (KIP-447), each record stands in the output once, and nothing
// else does (I:T10). The output of topic X is read from X-in. It is void where records, offsets or decisions may be gone.
type exactlyOnce struct {
	quiet
	g     *ghosts
	of    map[string]string   // by copy: what it is a copy of
	in    map[string]*input   // by value
	out   map[string][]string // by input value: its copies that were read last of all
	whole map[string]bool     // partitions of outputs: read to their end, or not
	since clock.Time          // what stood in the input then must have been copied
	void  bool
}

// input is where a value stands in the input: at one offset, or at more if its producer's id had expired when a request came that was late.
type input struct {
	key string
	at  []int64
	of  clock.Time // when it was read first
}

const inputSuffix = "-in"

func (x *exactlyOnce) Name() string { return "I:T10" }

// Due implements Due.
func (x *exactlyOnce) Due() bool { return len(x.out) > 0 && !x.void }

// Event implements Oracle.
func (x *exactlyOnce) Event(e *history.Event) error {
	if x.of == nil {
		x.of, x.in, x.out, x.whole = map[string]string{}, map[string]*input{}, map[string][]string{}, map[string]bool{}
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		topic, _ := history.SplitKey(o.Key)
		switch {
		case o.Kind == history.Txn && e.Type == history.Invoke && o.Want != "":
			x.begun(o)
		case o.Kind == history.Poll && e.Type == history.OK && strings.HasSuffix(topic, inputSuffix):
			for _, r := range o.Records {
				x.polled(e, o.Key, r)
			}
		case o.Kind == history.Seen && o.Member == "final":
			if err := x.read(e, o); err != nil {
				return err
			}
		case o.Kind == history.Excuse && (o.Key == "" || strings.HasPrefix(topic, "__") || x.concerns(topic)):
			x.void = true
		case (o.Kind == history.DeleteTopic || o.Kind == history.Alter) && x.concerns(o.Key):
			x.void = true
		}
	}
	return nil
}

// concerns says whether a topic is an input or an output.
func (x *exactlyOnce) concerns(topic string) bool {
	if strings.HasSuffix(topic, inputSuffix) {
		return true
	}
	for k := range x.whole {
		if t, _ := history.SplitKey(k); t == topic {
			return true
		}
	}
	return false
}

func (x *exactlyOnce) polled(e *history.Event, key string, r history.Record) {
	v := r.Value.String()
	in := x.in[v]
	if in == nil {
		in = &input{key: key, of: e.Time}
		x.in[v] = in
	}
	if !slices.Contains(in.at, r.Offset) {
		in.at = append(in.at, r.Offset)
	}
}

// stands says how often a value stands in the input, as far as somebody has read it.
func (x *exactlyOnce) stands(v string) int {
	if in := x.in[v]; in != nil {
		return len(in.at)
	}
	return 1
}

func (x *exactlyOnce) begun(o *history.Op) {
	if _, ok := x.whole[o.Key]; !ok {
		x.whole[o.Key] = false
	}
	ins := strings.Fields(o.Want)
	for i, v := range strings.Fields(o.Meta) {
		x.of[v] = ins[i]
	}
}

func (x *exactlyOnce) judged() bool { return !x.void && !x.g.facts.OffsetsExpire }

func (x *exactlyOnce) read(e *history.Event, o *history.Op) error {
	if _, ok := x.whole[o.Key]; !ok {
		return nil
	}
	x.whole[o.Key], x.since = x.whole[o.Key] || o.Want == "end" && !x.g.behind(e, o), clock.Time(o.Timestamp)
	for _, v := range strings.Fields(o.Meta) {
		in, ok := x.of[v]
		if !ok || !x.judged() {
			continue
		}
		x.checks++
		if slices.Contains(x.out[in], v) {
			continue
		}
		x.out[in] = append(x.out[in], v)
		if n := x.stands(in); len(x.out[in]) > n {
			return fail(x.Name(), "copies of "+in, e.I, itoa(int64(n)), strings.Join(x.out[in], ", ")+" in "+o.Key)
		}
	}
	return nil
}

// End implements Oracle: everything was copied.
func (x *exactlyOnce) End(View) error {
	if !x.judged() || len(x.whole) == 0 {
		return nil
	}
	for _, end := range x.whole {
		if !end {
			return nil
		}
	}
	var missing []string
	for v, in := range x.in {
		if in.of > x.since {
			continue
		}
		if x.checks++; len(x.out[v]) == 0 {
			missing = append(missing, in.key+" "+v)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		return fail(x.Name(), "records without a copy", -1, "each input record copied once", strings.Join(missing, ", "))
	}
	return nil
}
