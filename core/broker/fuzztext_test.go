package broker

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/seedlog/seedlog/core/metadata/link"
)

// The small texts that a broker keeps beside its logs, and names of their directories.
func FuzzTexts(f *testing.F) {
	f.Add(markerText(7))
	f.Add("ack 17")
	f.Add("topic-with-dashes-12")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) {
		if n := parseMarker(text); n < -1 {
			t.Fatalf("the marker %q names epoch %d", text, n)
		} else if n >= 0 && parseMarker(markerText(n)) != n {
			t.Fatalf("epoch %d does not come back", n)
		}
		if n := parseSynced(text); n < -1 {
			t.Fatalf("%q names epoch %d", text, n)
		}
		if topic, n, ok := splitName(text); ok && (topic == "" || n < 0 || len(fmt.Sprintf("%s-%d", topic, n)) > len(text)) {
			t.Fatalf("%q is partition %d of %q", text, n, topic)
		}
	})
}

func FuzzPrivateHeader(f *testing.F) {
	f.Add([]byte{0x7f, 0xff, 0, 0, 0, 0, 0, 7, 0, 1, 'x', 1, 2})
	f.Add(binary.BigEndian.AppendUint16(nil, uint16(link.KeyFounding&0x7fff)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, body, ok := parsePrivate(b); ok && len(body)+len(h.ClientID)+10 != len(b) {
			t.Fatalf("%+v and a body of %d bytes, of %d", h, len(body), len(b))
		}
	})
}
