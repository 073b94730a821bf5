package wire

// maxElements bounds the array elements and tagged fields, in sum, of a request that kmsg decodes. kmsg allocates up to some hundred bytes for
// an element of which one byte is present; this keeps that below some ten MiB.
const maxElements = 1 << 18

// maxAnswered is the same for the answers of other brokers, which may tell of every partition there is. A peer that is no broker can make this one
// allocate some hundred MiB at most.
const maxAnswered = 1 << 20

// walk passes over a request, or another broker's answer, by its schema before kmsg reads it, for three things in which kmsg is no server's decoder: it allocates an
// array by the announced number as long as that is below the bytes that are left, it loops over an announced number of tagged
// fields whether or not they are there, and it takes null for what is not nullable, where Kafka closes the connection.
//
// Lengths that Kafka and kmsg read differently (compact ones above 0x7fffffff, which Kafka takes for null, and surplus bits in the fifth byte of
// a varint) are rewritten in place, without moving anything.
type walk struct {
	r       Reader
	version int16
	flex    bool
	left    int // elements that may still come
}

// wellFormed says whether the body is a request of that API and version, perhaps followed by more bytes.
func wellFormed(key, version int16, body []byte) bool {
	return walks(requestSchemas[key], key, version, body, maxElements)
}

// wellFormedAnswer is the same for an answer.
func wellFormedAnswer(key, version int16, body []byte) bool {
	return walks(answerSchemas[key], key, version, body, maxAnswered)
}

func walks(schema []field, key, version int16, body []byte, elements int) bool {
	w := walk{r: Reader{B: body}, version: version, flex: Flexible(key, version), left: elements}
	w.fields(schema)
	return w.r.OK()
}

// fields walks the fields of a struct, and its tagged fields.
func (w *walk) fields(list []field) {
	for i := range list {
		f := &list[i]
		if !f.tagged && f.from <= w.version && w.version <= f.to && w.r.OK() {
			w.field(f)
		}
	}
	if w.flex {
		w.tags(list)
	}
}

func (w *walk) field(f *field) {
	nullable := w.version >= f.nullFrom
	switch f.kind {
	case fixedField:
		w.r.Span(f.size)
	case stringField:
		n, null := w.length(nullable, 2)
		if n > maxString {
			w.r.Fail()
		}
		if !null {
			w.r.Span(n)
		}
	case bytesField:
		if n, null := w.length(nullable, 4); !null {
			w.r.Span(n)
		}
	case arrayField:
		w.array(f, nullable)
	case structField:
		if nullable && w.absent() {
			return
		}
		w.fields(f.fields)
	}
}

func (w *walk) array(f *field, nullable bool) {
	n, null := w.length(nullable, 4)
	if null {
		return
	}
	if w.left -= n; w.left < 0 {
		w.r.Fail()
	}
	for ; n > 0 && w.r.OK(); n-- {
		w.field(f.elem)
	}
}

// absent reads the byte before a nullable struct.
func (w *walk) absent() bool {
	at := w.r.B
	if w.r.Int8() >= 0 || !w.r.OK() {
		return false
	}
	at[0] = 0xff
	return true
}

// length reads a length of that many bytes, or a compact one. Null is a failure unless it is allowed.
func (w *walk) length(nullable bool, size int) (n int, null bool) {
	switch {
	case w.flex:
		v, at := w.uvarint()
		if n = int(int32(v) - 1); n < -1 {
			zero(at)
		}
	case size == 2:
		n = int(w.r.Int16())
	default:
		n = int(w.r.Int32())
	}
	if n < 0 && !nullable {
		w.r.Fail()
	}
	if n > len(w.r.B) {
		w.r.Fail()
	}
	if !w.r.OK() {
		return 0, true
	}
	return n, n < 0
}

// uvarint reads a number, and clears the surplus bits of a fifth byte, at which kmsg fails. at is where it stood.
func (w *walk) uvarint() (v uint32, at []byte) {
	at = w.r.B
	v = w.r.Uvarint()
	if w.r.OK() && len(at)-len(w.r.B) == 5 {
		at[4] &= 0x0f
	}
	return v, at
}

// zero makes a 0 of the five bytes of a number that Kafka takes for negative.
func zero(at []byte) { copy(at[:5], "\x80\x80\x80\x80\x00") }

func (w *walk) tags(known []field) {
	v, at := w.uvarint()
	n := int(int32(v))
	if n < 0 {
		zero(at)
		n = 0
	}
	if w.left -= n; w.left < 0 || n > len(w.r.B)/2 {
		w.r.Fail()
	}
	for ; n > 0 && w.r.OK(); n-- {
		tag, _ := w.uvarint()
		size, _ := w.uvarint()
		sub := walk{r: Reader{B: w.r.Span(int(int32(size)))}, version: w.version, flex: w.flex, left: w.left}
		for i := range known {
			if known[i].tagged && known[i].tag == tag {
				sub.field(&known[i])
			}
		}
		if w.left = sub.left; !sub.r.OK() {
			w.r.Fail()
		}
	}
}
