package debug

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/seedlog/seedlog/core/kerr"
)

// Bounds of what value prints.
const (
	maxDepth = 8
	maxItems = 64   // of a list
	maxText  = 64   // bytes of a string or of bytes
	maxValue = 4000 // bytes in all
)

// value prints a plain value in one line, such as a decoded message: names of fields that are not zero, lists, texts. It calls no method and changes nothing,
// so that it may look at what a package keeps for itself.
func value(x any) string {
	v, ok := x.(reflect.Value)
	if !ok {
		v = reflect.ValueOf(x)
	}
	var b strings.Builder
	appendValue(&b, v, 0)
	if b.Len() > maxValue {
		return b.String()[:maxValue] + "…"
	}
	return b.String()
}

func appendValue(b *strings.Builder, v reflect.Value, depth int) {
	if depth > maxDepth || b.Len() > maxValue {
		b.WriteString("…")
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("none")
			return
		}
		appendValue(b, v.Elem(), depth+1)
	case reflect.Struct:
		appendStruct(b, v, depth)
	case reflect.Slice, reflect.Array:
		appendList(b, v, depth)
	case reflect.String:
		appendText(b, []byte(v.String()))
	case reflect.Bool:
		fmt.Fprint(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		fmt.Fprint(b, v.Uint())
	case reflect.Float32, reflect.Float64:
		fmt.Fprint(b, v.Float())
	case reflect.Map:
		fmt.Fprintf(b, "%d entries", v.Len()) // their order is not one
	default:
		b.WriteString(v.Kind().String())
	}
}

func appendStruct(b *strings.Builder, v reflect.Value, depth int) {
	b.WriteByte('{')
	first := true
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if name == "UnknownTags" || f.IsZero() {
			continue
		}
		if !first {
			b.WriteByte(' ')
		}
		first = false
		b.WriteString(name + ":")
		if name == "ErrorCode" && f.CanInt() {
			b.WriteString(kerr.Code(f.Int()).String())
			continue
		}
		appendValue(b, f, depth+1)
	}
	b.WriteByte('}')
}

func appendList(b *strings.Builder, v reflect.Value, depth int) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Kind() == reflect.Array {
			p := make([]byte, v.Len())
			for i := range p {
				p[i] = byte(v.Index(i).Uint())
			}
			b.WriteString(hex.EncodeToString(p))
			return
		}
		appendText(b, v.Bytes())
		return
	}
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == maxItems {
			fmt.Fprintf(b, "… %d more", v.Len()-i)
			break
		}
		appendValue(b, v.Index(i), depth+1)
	}
	b.WriteByte(']')
}

// appendText prints a text in quotes, and bytes that are none as their number and how they begin.
func appendText(b *strings.Builder, p []byte) {
	clear := utf8.Valid(p)
	for _, c := range p {
		clear = clear && c >= ' '
	}
	switch {
	case clear && len(p) <= maxText:
		fmt.Fprintf(b, "%q", p)
	case clear:
		fmt.Fprintf(b, "%q… (%d bytes)", p[:maxText], len(p))
	default:
		fmt.Fprintf(b, "%d bytes %s", len(p), hex.EncodeToString(p[:min(len(p), 16)]))
	}
}

// field gives a field of a struct or of what a pointer leads to; the zero Value if it has none of that name.
func field(v reflect.Value, name string) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}
