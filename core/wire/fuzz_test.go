package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func FuzzHeaders(f *testing.F) {
	f.Add(AppendRequestHeader(nil, 0, 9, 7, "client"), int16(0), int16(9))
	f.Add(AppendRequestHeader(nil, 18, 3, 7, "client"), int16(18), int16(3))
	f.Add([]byte{0, 7, 0, 0, 0, 0, 0, 1}, int16(7), int16(0))
	f.Add([]byte{0, 3, 0, 12, 0, 0, 0, 1, 255, 255, 2, 1, 1, 9, 200, 255, 255, 255, 15}, int16(3), int16(12))
	f.Fuzz(func(t *testing.T, frame []byte, key, version int16) {
		if h, body, ok := ParseHeader(frame); ok {
			if !bytes.HasSuffix(frame, body) || h.Flexible != Flexible(h.Key, h.Version) {
				t.Fatalf("%+v, body %x of %x", h, body, frame)
			}
			kh := kmsg.RequestForKey(h.Key)
			if kh == nil {
				t.Fatalf("key %d", h.Key)
			}
		}
		if corr, body, ok := ParseResponseHeader(frame, key, version); ok {
			again := append(AppendResponseHeader(nil, key, version, corr), body...)
			if c, b, ok := ParseResponseHeader(again, key, version); !ok || c != corr || !bytes.Equal(b, body) {
				t.Fatalf("%d and %x come back as %d and %x", corr, body, c, b)
			}
		}
	})
}
