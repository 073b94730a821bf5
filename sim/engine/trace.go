package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/seedlog/seedlog/io/clock"
)

// Line is one line of the trace: an event, or a note that a handler adds with what it saw (a checksum of bytes, a digest of state).
type Line struct {
	At      clock.Time
	Who     Entity
	Kind    Kind
	A, B, C int64
	Text    string // notes for people; part of the hash
}

const (
	lineBytes = 8 + 4 + 2 + 3*8
	// RingLines is how many of the last lines a failure report can show.
	RingLines = 256
)

type trace struct {
	sum  hash.Hash
	buf  []byte
	ring [RingLines]Line
	n    int64
	out  io.Writer
}

func (t *trace) init() {
	t.sum = sha256.New()
	t.buf = make([]byte, 0, 8<<10)
}

// WriteTrace makes every line of the trace appear on w as well, as text.
func (e *Engine) WriteTrace(w io.Writer) { e.trace.out = w }

// Trace adds a line to the trace and its hash.
func (e *Engine) Trace(who Entity, kind Kind, a, b, c int64) {
	t := &e.trace
	if len(t.buf)+lineBytes > cap(t.buf) {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
	}
	p := len(t.buf)
	t.buf = t.buf[:p+lineBytes]
	q := t.buf[p : p+lineBytes]
	binary.LittleEndian.PutUint64(q, uint64(e.now))
	binary.LittleEndian.PutUint32(q[8:], uint32(who))
	binary.LittleEndian.PutUint16(q[12:], uint16(kind))
	binary.LittleEndian.PutUint64(q[14:], uint64(a))
	binary.LittleEndian.PutUint64(q[22:], uint64(b))
	binary.LittleEndian.PutUint64(q[30:], uint64(c))
	l := &t.ring[t.n%RingLines]
	t.n++
	l.At, l.Who, l.Kind, l.A, l.B, l.C, l.Text = e.now, who, kind, a, b, c, ""
	if t.out != nil {
		fmt.Fprintln(t.out, e.Render(l))
	}
}

// Note adds a line of text to the trace and its hash. Cold.
func (e *Engine) Note(who Entity, kind Kind, text string) {
	t := &e.trace
	t.sum.Write(t.buf)
	t.buf = t.buf[:0]
	t.sum.Write([]byte(text))
	l := &t.ring[t.n%RingLines]
	t.n++
	*l = Line{At: e.now, Who: who, Kind: kind, Text: text}
	if t.out != nil {
		fmt.Fprintln(t.out, e.Render(l))
	}
}

// Hash is the hash of the trace until now, in hex.
func (e *Engine) Hash() string {
	t := &e.trace
	t.sum.Write(t.buf)
	t.buf = t.buf[:0]
	return hex.EncodeToString(t.sum.Sum(nil))
}

// Last renders the last n lines, oldest first.
func (e *Engine) Last(n int) []string {
	t := &e.trace
	if int64(n) > t.n {
		n = int(t.n)
	}
	n = min(n, RingLines)
	out := make([]string, 0, n)
	for i := t.n - int64(n); i < t.n; i++ {
		out = append(out, e.Render(&t.ring[i%RingLines]))
	}
	return out
}

var (
	describe  [1 << 10]string
	describer [1 << 10]func(a, b, c int64) string
)

// Describe names a kind for the trace. The format takes A, B and C of the line; a shorter one uses the first of them.
func Describe(k Kind, format string) bool {
	describe[k] = format
	return true
}

// DescribeFunc is Describe for numbers that read better as words.
func DescribeFunc(k Kind, f func(a, b, c int64) string) bool {
	describer[k] = f
	return true
}

// Render gives a line as text.
func (e *Engine) Render(l *Line) string {
	who := "?"
	if int(l.Who) < len(e.names) {
		who = e.names[l.Who]
	}
	head := fmt.Sprintf("%5d.%09d %-6s ", int64(l.At)/1e9, int64(l.At)%1e9, who)
	f := describe[l.Kind]
	switch {
	case l.Text != "":
		return head + f + " " + l.Text
	case describer[l.Kind] != nil:
		return head + describer[l.Kind](l.A, l.B, l.C)
	case f == "":
		return head + fmt.Sprintf("kind=%d %d %d %d", l.Kind, l.A, l.B, l.C)
	}
	return head + fill(f, l.A, l.B, l.C)
}

// fill formats with as many of the numbers as the format has verbs.
func fill(f string, v ...int64) string {
	var args []any
	for i := 0; i+1 < len(f); i++ {
		if f[i] == '%' && len(args) < len(v) {
			args = append(args, v[len(args)])
		}
	}
	return fmt.Sprintf(f, args...)
}
