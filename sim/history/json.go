package history

import (
	"encoding/json"
	"strconv"
)

// AppendJSON appends e as one line without its newline. Forms of a micro-operation, with the fields that are not at their default last:
//
//	["send",key,[offset|null,"value"],{…}]     one for each record; the object stands on the first of a batch
//	["poll",{key:[[offset,"value"],…]},{…}]
//	[kind,key,offset|null,{…}]                 all others
func (e *Event) AppendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"i":`...), e.I, 10)
	b = strconv.AppendInt(append(b, `,"process":`...), int64(e.Process), 10)
	b = append(append(append(b, `,"type":"`...), e.Type.String()...), '"')
	b = appendString(append(b, `,"f":`...), e.F)
	b = append(b, `,"value":[`...)
	for i := range e.Ops {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.Ops[i].appendJSON(b)
	}
	for i, k := range e.Keys {
		if i > 0 || len(e.Ops) > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
	}
	b = strconv.AppendInt(append(b, `],"t_ns":`...), int64(e.Time), 10)
	if e.Err != "" {
		b = appendString(append(b, `,"error":`...), e.Err)
	}
	return append(b, '}')
}

func (o *Op) appendJSON(b []byte) []byte {
	switch o.Kind {
	case Send:
		return o.appendSend(b)
	case Poll:
		b = append(appendString(append(b, `["poll",{`...), o.Key), ":["...)
		for i, r := range o.Records {
			if i > 0 {
				b = append(b, ',')
			}
			b = r.appendJSON(b)
		}
		return append(o.appendFields(append(b, "]}"...)), ']')
	}
	b = append(append(append(b, `["`...), o.Kind.String()...), `",`...)
	b = appendOffset(append(appendString(b, o.Key), ','), o.Offset)
	return append(o.appendFields(b), ']')
}

func (o *Op) appendSend(b []byte) []byte {
	for i, r := range o.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, `["send",`...), o.Key), ',')
		b = r.appendJSON(b)
		if i == 0 {
			b = o.appendFields(b)
		}
		b = append(b, ']')
	}
	return b
}

func (r Record) appendJSON(b []byte) []byte {
	b = append(appendOffset(append(b, '['), r.Offset), `,"`...)
	return append(r.Value.AppendText(b), `"]`...)
}

func appendOffset(b []byte, o int64) []byte {
	if o == NoOffset {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, o, 10)
}

func appendString(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return append(b, q...)
}

// fields is the object at the end of a micro-operation. An absent field is the default that op gives it.
type fields struct {
	Acks       *int16 `json:"acks,omitempty"`
	PID        *int64 `json:"pid,omitempty"`
	Epoch      int16  `json:"epoch,omitempty"`
	Seq        int32  `json:"seq,omitempty"`
	Attempts   int32  `json:"attempts,omitempty"`
	Batches    int32  `json:"batches,omitempty"`
	From       *int64 `json:"from,omitempty"`
	HW         *int64 `json:"hw,omitempty"`
	Start      *int64 `json:"start,omitempty"`
	Timestamp  int64  `json:"ts,omitempty"`
	Generation int32  `json:"gen,omitempty"`
	Member     string `json:"member,omitempty"`
	Meta       string `json:"meta,omitempty"`
	Want       string `json:"want,omitempty"`
	Got        string `json:"got,omitempty"`
}

func (o *Op) appendFields(b []byte) []byte {
	f := fields{Epoch: o.Epoch, Seq: o.Seq, Attempts: o.Attempts, Batches: o.Batches, Timestamp: o.Timestamp, Generation: o.Generation, Member: o.Member, Meta: o.Meta, Want: o.Want, Got: o.Got}
	switch o.Kind {
	case Send:
		f.Acks, f.PID = &o.Acks, &o.PID
	case InitProducerID, TxnCall, Txn:
		f.PID = &o.PID
	case Poll, Seen:
		f.From, f.HW, f.Start = &o.From, &o.HW, &o.Start
	case EpochEnd:
		f.From = &o.From
	case Excuse:
		if o.HW > 0 {
			f.HW = &o.HW
		}
	}
	if f == (fields{}) {
		return b
	}
	j, err := json.Marshal(&f)
	if err != nil { // plain data always marshals
		panic(err)
	}
	return append(append(b, ','), j...)
}

func (f *fields) op(k Kind, key string) Op {
	o := Op{Kind: k, Key: key, Acks: -1, PID: -1, From: NoOffset, HW: -1, Start: -1, Offset: NoOffset,
		Epoch: f.Epoch, Seq: f.Seq, Attempts: f.Attempts, Batches: f.Batches, Timestamp: f.Timestamp, Generation: f.Generation, Member: f.Member, Meta: f.Meta, Want: f.Want, Got: f.Got}
	if f.Acks != nil {
		o.Acks = *f.Acks
	}
	if f.PID != nil {
		o.PID = *f.PID
	}
	if f.From != nil {
		o.From = *f.From
	}
	if f.HW != nil {
		o.HW = *f.HW
	}
	if f.Start != nil {
		o.Start = *f.Start
	}
	return o
}
