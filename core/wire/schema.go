package wire

import (
	"math"

	"github.com/seedlog/seedlog/core/assert"
)

// The notation of schemas_gen.go, fields separated by spaces:
//
//	1 2 4 8 16      that many bytes          s s?       string, nullable string       b b?   bytes
//	[T] [T]?        array of T               (fields)   struct, ended by tagged fields if flexible
//	3+:T 1-5:T      from v3, in v1 to v5     ?10        nullable from v10 on
//	#0:T            tagged field 0, in flexible versions, at the end of its struct
//
// A nullable struct, (fields)?, is preceded by a byte: negative for null.

type fieldKind uint8

const (
	fixedField fieldKind = iota + 1
	stringField
	bytesField
	arrayField
	structField
)

// never is a version that no API reaches.
const never = math.MaxInt16

// field is what is known of one field of a request or an answer.
type field struct {
	kind     fieldKind
	tagged   bool
	tag      uint32
	size     int   // fixedField: bytes
	from, to int16 // versions that have it
	nullFrom int16 // versions from here on may send null
	fields   []field
	elem     *field
}

// requestSchemas and answerSchemas are, by API key, the fields of the request and of its answer.
var requestSchemas, answerSchemas = read(&requests), read(&answers)

func read(texts *[maxKey + 1]string) (t [maxKey + 1][]field) {
	for key, text := range texts {
		p := notation{text}
		t[key] = p.fields()
		assert.That(p.text == "", "a schema is read to its end")
	}
	return t
}

// notation reads schemas_gen.go's texts, which are ours: a mistake in them is an assertion.
type notation struct{ text string }

func (p *notation) peek() byte {
	if p.text == "" {
		return 0
	}
	return p.text[0]
}

func (p *notation) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *notation) number() (n int) {
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		n = n*10 + int(c-'0')
		p.text = p.text[1:]
	}
	return n
}

func (p *notation) fields() (list []field) {
	for p.text != "" && p.peek() != ')' {
		list = append(list, p.field())
		p.take(' ')
	}
	return list
}

// field reads "[range:|#tag:]type". A number is a size unless a range's sign or a colon follows.
func (p *notation) field() field {
	if p.take('#') {
		tag := uint32(p.number())
		assert.That(p.take(':'), "a tag is followed by its type")
		f := p.typ(0)
		f.tagged, f.tag, f.to = true, tag, never
		return f
	}
	n := p.number()
	from, to := int16(0), int16(never)
	switch {
	case p.take('+'):
		from, n = int16(n), 0
		assert.That(p.take(':'), "a range is followed by its type")
		n = p.number()
	case p.take('-'):
		from, to, n = int16(n), int16(p.number()), 0
		assert.That(p.take(':'), "a range is followed by its type")
		n = p.number()
	}
	f := p.typ(n)
	f.from, f.to = from, to
	return f
}

// typ reads a type; size is the number that stood before, if any.
func (p *notation) typ(size int) (f field) {
	if size == 0 {
		size = p.number()
	}
	switch {
	case size > 0:
		f.kind, f.size = fixedField, size
	case p.take('s'):
		f.kind = stringField
	case p.take('b'):
		f.kind = bytesField
	case p.take('['):
		elem := p.typ(0)
		f.kind, f.elem = arrayField, &elem
		assert.That(p.take(']'), "an array is closed")
	case p.take('('):
		f.kind, f.fields = structField, p.fields()
		assert.That(p.take(')'), "a struct is closed")
	default:
		assert.Never("a type that the notation does not have")
	}
	f.nullFrom = never
	if p.take('?') {
		f.nullFrom = int16(p.number())
	}
	return f
}
