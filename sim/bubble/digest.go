package bubble

import (
	"fmt"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// digest is FNV-1a over effects: two runs that differ in one byte of one effect differ in their traces from there on.
type digest struct{ sum uint64 }

func (d *digest) start() { d.sum = 14695981039346656037 }

func (d *digest) word(x uint64) {
	for range 8 {
		d.sum = (d.sum ^ x&255) * 1099511628211
		x >>= 8
	}
}

func (d *digest) bytes(b []byte) {
	d.word(uint64(len(b)))
	for _, c := range b {
		d.sum = (d.sum ^ uint64(c)) * 1099511628211
	}
}

func (d *digest) add(mail []step.Mail, ops []disk.Request, deadline clock.Time) {
	d.word(uint64(deadline))
	for i := range mail {
		d.mail(&mail[i])
	}
	for i := range ops {
		o := &ops[i]
		d.word(uint64(o.Kind)<<32 | uint64(o.File))
		d.word(uint64(o.Token))
		d.word(uint64(o.Off))
		d.word(uint64(o.Size))
		for _, v := range o.Vec {
			d.bytes(v)
		}
		d.bytes([]byte(o.Path))
		d.bytes([]byte(o.NewPath))
	}
}

func (d *digest) mail(m *step.Mail) {
	d.word(uint64(m.Kind)<<16 | uint64(uint16(m.Code)))
	d.word(uint64(m.Token))
	d.word(uint64(m.A))
	d.word(uint64(m.B))
	d.word(uint64(m.C))
	d.bytes(m.Bytes)
	switch b := m.Body.(type) {
	case []byte:
		d.bytes(b)
	case string:
		d.bytes([]byte(b))
	case *link.Committed:
		d.bytes(fmt.Append(nil, b.Commit))
	case *link.Leadership:
		d.bytes(fmt.Append(nil, *b))
	case *link.Dial:
		d.bytes(fmt.Append(nil, *b))
	}
}
