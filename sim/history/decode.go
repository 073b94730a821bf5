package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"

	"github.com/seedlog/seedlog/io/clock"
)

// MaxLine bounds one line of a history, in bytes.
const MaxLine = 64 << 20

// Decoder reads a history, one event a line. It takes histories of other programs too: values of any shape are interned.
type Decoder struct {
	s     *bufio.Scanner
	line  int
	names map[string]Value
}

// NewDecoder reads from r.
func NewDecoder(r io.Reader) *Decoder {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), MaxLine)
	return &Decoder{s: s, names: map[string]Value{}}
}

// Next gives the next event, or io.EOF.
func (d *Decoder) Next() (*Event, error) {
	for d.s.Scan() {
		d.line++
		if len(d.s.Bytes()) == 0 {
			continue
		}
		e, err := d.event(d.s.Bytes())
		if err != nil {
			return nil, fmt.Errorf("history line %d: %w", d.line, err)
		}
		return e, nil
	}
	if err := d.s.Err(); err != nil {
		return nil, fmt.Errorf("history line %d: %w", d.line+1, err)
	}
	return nil, io.EOF
}

// ReadAll reads a whole history.
func ReadAll(r io.Reader) ([]*Event, error) {
	d := NewDecoder(r)
	var all []*Event
	for {
		e, err := d.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
}

// WriteAll writes a whole history.
func WriteAll(w io.Writer, events []*Event) error {
	var b []byte
	for _, e := range events {
		b = append(e.AppendJSON(b[:0]), '\n')
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("history event %d: %w", e.I, err)
		}
	}
	return nil
}

type line struct {
	I       int64             `json:"i"`
	Process json.RawMessage   `json:"process"`
	Type    string            `json:"type"`
	F       string            `json:"f"`
	Value   []json.RawMessage `json:"value"`
	TimeNS  int64             `json:"t_ns"`
	Error   string            `json:"error"`
}

func (d *Decoder) event(b []byte) (*Event, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, err
	}
	e := &Event{I: l.I, F: l.F, Time: clock.Time(l.TimeNS), Err: l.Error, Process: Nemesis}
	if n, err := strconv.ParseInt(string(l.Process), 10, 32); err == nil {
		e.Process = int32(n)
	}
	for i, n := range typeNames {
		if n != "" && n == l.Type {
			e.Type = Type(i)
		}
	}
	if e.Type == 0 {
		return nil, fmt.Errorf("type %q is none of invoke, ok, fail, info", l.Type)
	}
	for _, raw := range l.Value {
		if err := d.value(e, raw); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (d *Decoder) value(e *Event, raw json.RawMessage) error {
	if len(raw) > 0 && raw[0] == '"' {
		var k string
		if err := json.Unmarshal(raw, &k); err != nil {
			return err
		}
		e.Keys = append(e.Keys, k)
		return nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	var name string
	if len(parts) == 0 || json.Unmarshal(parts[0], &name) != nil {
		return errors.New("a micro-operation begins with its name")
	}
	k := kindOf(name)
	switch k {
	case 0:
		return fmt.Errorf("unknown micro-operation %q", name)
	case Poll:
		return d.poll(e, parts)
	case Send:
		return d.send(e, parts)
	}
	return d.plain(e, k, parts)
}

func kindOf(name string) Kind {
	for i, n := range kindNames {
		if n != "" && n == name {
			return Kind(i)
		}
	}
	return 0
}

func object(parts []json.RawMessage, i int) (fields, bool, error) {
	var f fields
	if len(parts) <= i {
		return f, false, nil
	}
	return f, true, json.Unmarshal(parts[i], &f)
}

// send joins records of one batch: those after the first carry no object of their own.
func (d *Decoder) send(e *Event, parts []json.RawMessage) error {
	if len(parts) < 3 {
		return errors.New("send takes a key and [offset, value]")
	}
	var key string
	if err := unquote(parts[1], &key); err != nil {
		return err
	}
	f, own, err := object(parts, 3)
	if err != nil {
		return err
	}
	r, err := d.record(parts[2])
	if err != nil {
		return err
	}
	if n := len(e.Ops); !own && n > 0 && e.Ops[n-1].Kind == Send && e.Ops[n-1].Key == key {
		e.Ops[n-1].Records = append(e.Ops[n-1].Records, r)
		return nil
	}
	o := f.op(Send, key)
	o.Records = []Record{r}
	e.Ops = append(e.Ops, o)
	return nil
}

func (d *Decoder) poll(e *Event, parts []json.RawMessage) error {
	f, _, err := object(parts, 2)
	if err != nil || len(parts) < 2 {
		return err
	}
	byKey := map[string][]json.RawMessage{}
	if err := json.Unmarshal(parts[1], &byKey); err != nil {
		return err
	}
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		o := f.op(Poll, k)
		for _, raw := range byKey[k] {
			r, err := d.record(raw)
			if err != nil {
				return err
			}
			o.Records = append(o.Records, r)
		}
		e.Ops = append(e.Ops, o)
	}
	return nil
}

func (d *Decoder) plain(e *Event, k Kind, parts []json.RawMessage) error {
	f, _, err := object(parts, 3)
	if err != nil {
		return err
	}
	o := f.op(k, "")
	if len(parts) > 1 {
		if err := unquote(parts[1], &o.Key); err != nil {
			return err
		}
	}
	if len(parts) > 2 {
		if o.Offset, err = offset(parts[2]); err != nil {
			return err
		}
	}
	e.Ops = append(e.Ops, o)
	return nil
}

// record reads [offset|null, value] or a bare value.
func (d *Decoder) record(raw json.RawMessage) (Record, error) {
	var parts []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' {
		return Record{NoOffset, d.intern(raw)}, nil
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return Record{}, err
	}
	if len(parts) != 2 {
		return Record{}, errors.New("a record is [offset, value]")
	}
	o, err := offset(parts[0])
	return Record{o, d.intern(parts[1])}, err
}

func offset(raw json.RawMessage) (int64, error) {
	if string(raw) == "null" {
		return NoOffset, nil
	}
	return strconv.ParseInt(string(raw), 10, 64)
}

// unquote takes keys that are numbers too, as Jepsen's own are.
func unquote(raw json.RawMessage, s *string) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, s)
	}
	*s = string(raw)
	return nil
}

func (d *Decoder) intern(raw json.RawMessage) Value {
	var s string
	if unquote(raw, &s) == nil {
		if v, ok := ParseValue([]byte(s)); ok {
			return v
		}
	}
	v, ok := d.names[s]
	if !ok {
		v = Value(1<<63 | uint64(len(d.names)))
		d.names[s] = v
	}
	return v
}
