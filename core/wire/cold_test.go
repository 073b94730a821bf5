package wire

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// fill sets a kmsg value's fields at random. Floats stay what they are (NaN is not equal to itself).
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rapid.Int8().Draw(t, "int")))
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(rapid.Uint8().Draw(t, "uint")))
	case reflect.String:
		v.SetString(rapid.StringN(0, 4, 8).Draw(t, "string"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, "len")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, "byte")))
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			if rapid.IntRange(0, 4).Draw(t, "tagged") == 0 {
				tags.Set(uint32(rapid.IntRange(90, 300).Draw(t, "tag")), []byte("tag"))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				fill(t, v.Field(i), depth)
			}
		}
	}
}

// ofEachAPI checks a property of a request of each API, of any version, as a client writes it.
func ofEachAPI(t *testing.T, check func(*rapid.T, kmsg.Request)) {
	for key := int16(0); key <= maxKey; key++ {
		if Known(key) {
			rapid.Check(t, func(t *rapid.T) { check(t, drawRequest(t, key)) })
		}
	}
}

func drawRequest(t *rapid.T, key int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	req.SetVersion(int16(rapid.IntRange(0, int(req.MaxVersion())).Draw(t, "version")))
	fill(t, reflect.ValueOf(req).Elem(), 0)
	return req
}

func TestEveryRequestThatKmsgWritesIsWellFormedAndReadBack(t *testing.T) {
	ofEachAPI(t, func(t *rapid.T, req kmsg.Request) {
		body := req.AppendTo(nil)
		want := kmsg.RequestForKey(req.Key())
		want.SetVersion(req.GetVersion())
		if err := want.ReadFrom(bytes.Clone(body)); err != nil {
			t.Fatal(err)
		}
		got, ok := Cold(req.Key(), req.GetVersion(), body)
		if !ok {
			t.Fatalf("%T v%d refused: %x", req, req.GetVersion(), body)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestNoPrefixOfARequestIsWellFormed(t *testing.T) {
	ofEachAPI(t, func(t *rapid.T, req kmsg.Request) {
		body := req.AppendTo(nil)
		for n := range body {
			if wellFormed(req.Key(), req.GetVersion(), bytes.Clone(body[:n])) {
				t.Fatalf("%T v%d: %d of %d bytes pass: %x", req, req.GetVersion(), n, len(body), body)
			}
		}
		if !wellFormed(req.Key(), req.GetVersion(), append(bytes.Clone(body), 1, 2, 3)) {
			t.Fatalf("%T v%d: trailing bytes are refused", req, req.GetVersion())
		}
	})
}

// allocated gives the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAnAnnouncedLengthThatIsNotThereAllocatesNextToNothing(t *testing.T) {
	for key := int16(0); key <= maxKey; key++ {
		if !Known(key) {
			continue
		}
		for version := int16(0); version <= kmsg.RequestForKey(key).MaxVersion(); version++ {
			n := 0
			sum := allocated(func() {
				for _, announced := range []string{"\x7f\xff\xff\xff", "\xff\xff\xff\xff\x07", "\xfe\xff\xff\xff\x0f", "\xff\xff\xff\xff\x0f", "\x80\x80\x80\x80\x08", "\x00\x00\x00\x40"} {
					for at := 0; at < 40; at++ { // whichever field it hits
						body := make([]byte, 100)
						copy(body[at:], announced)
						Cold(key, version, body)
						n++
					}
				}
			})
			if sum > uint64(n)*8<<10 {
				t.Fatalf("key %d v%d: %d bytes allocated for a request", key, version, sum/uint64(n))
			}
		}
	}
}

func TestManyElementsInOneRequestAreRefusedRatherThanMultiplied(t *testing.T) {
	for _, version := range []int16{0, 5} { // DescribeGroups: an array of strings, classic and flexible
		flex := Flexible(15, version)
		body := func(n int) []byte {
			b := AppendArray(nil, flex, n)
			for range n {
				b = AppendString(b, flex, "")
			}
			return append(b, 0, 0)
		}
		if _, ok := Cold(15, version, body(maxElements+1)); ok {
			t.Errorf("v%d: more elements than the limit are taken", version)
		}
		if _, ok := Cold(15, version, body(maxElements)); !ok {
			t.Errorf("v%d: as many elements as the limit are refused", version)
		}
	}
}

func TestACompactLengthAboveTheSignBitReadsAsNullAsInKafka(t *testing.T) {
	// ListPartitionReassignments v0: time-out, nullable topics, tags.
	for _, c := range []struct {
		body string
		ok   bool
	}{
		{"\x00\x00\x00\x05" + "\xff\xff\xff\xff\x0f" + "\x00", true}, // topics null
		{"\x00\x00\x00\x05" + "\x00" + "\xff\xff\xff\xff\x0f", true}, // no tags
		{"\x00\x00\x00\x05" + "\x00" + "\xff\xff\xff\xff\x7f", true}, // surplus bits
		{"\x00\x00\x00\x05" + "\x00" + "\x80\x80\x80\x80\x08", true}, // the sign bit alone
		{"\x00\x00\x00\x05" + "\x80\x80\x80\x80\x10" + "\x00", true}, // surplus bits, null
		{"\x00\x00\x00\x05" + "\x80\x80\x80\x80\x08" + "\x00", false},
		{"\x00\x00\x00\x05" + "\xf0\xff\xff\xff\x07" + "\x00", false},
		{"\x00\x00\x00\x05" + "\xff\xff\xff\xff\xff\x0f" + "\x00", false},
	} {
		req, ok := Cold(46, 0, []byte(c.body))
		if ok != c.ok {
			t.Errorf("%x: accepted %v, want %v", c.body, ok, c.ok)
		}
		if ok && (req.(*kmsg.ListPartitionReassignmentsRequest).Topics != nil || req.(*kmsg.ListPartitionReassignmentsRequest).TimeoutMillis != 5) {
			t.Errorf("%x: %+v", c.body, req)
		}
	}
}

func TestNullWhereItIsNotAllowedIsRefusedAsInKafka(t *testing.T) {
	if _, ok := Cold(42, 0, AppendInt32(nil, -1)); ok { // DeleteGroups: names
		t.Error("a null array is taken")
	}
	if _, ok := Cold(10, 0, AppendInt16(nil, -1)); ok { // FindCoordinator: key
		t.Error("a null string is taken")
	}
	if _, ok := Cold(36, 0, AppendInt32(nil, -1)); ok { // SaslAuthenticate: bytes
		t.Error("null bytes are taken")
	}
}

func TestUnknownKeysAndVersionsAreRefused(t *testing.T) {
	for _, c := range [][2]int16{{-1, 0}, {95, 0}, {math.MaxInt16, 0}, {math.MinInt16, 0}, {3, -1}, {3, 99}} {
		if _, ok := Cold(c[0], c[1], make([]byte, 64)); ok {
			t.Errorf("key %d v%d is taken", c[0], c[1])
		}
	}
}

func FuzzCold(f *testing.F) {
	f.Add(int16(46), int16(0), []byte("\x00\x00\x00\x05\x00\x00"))
	f.Add(int16(19), int16(7), []byte{2, 2, 'a', 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 5, 0, 0})
	f.Add(int16(88), int16(0), make([]byte, 60))
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		var req kmsg.Request
		var ok bool
		if n := allocated(func() { req, ok = Cold(key, version, body) }); n > 64<<10+uint64(len(body))*1024 {
			t.Fatalf("%d bytes allocated for %d", n, len(body))
		}
		if !ok {
			return
		}
		again, ok := Cold(key, version, req.AppendTo(nil))
		if !ok || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", req) && !bytes.Equal(again.AppendTo(nil), req.AppendTo(nil)) {
			t.Fatalf("key %d v%d: %+v, and again %+v", key, version, req, again)
		}
	})
}
