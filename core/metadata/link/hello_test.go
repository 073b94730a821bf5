package link

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAHelloComesBackAsItWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Hello{rapid.String().Draw(t, "want"), rapid.String().Draw(t, "from"), rapid.String().Draw(t, "addr"), rapid.String().Draw(t, "cluster")}
		b := AppendHello(nil, h)
		if got, ok := ParseHello(b); !ok || got != h {
			t.Fatalf("%+v came back as %+v, %v", h, got, ok)
		}
		if _, ok := ParseHello(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); ok {
			t.Fatal("a cut hello was taken")
		}
	})
}

func TestARaftIDNamesNodeAndDirectory(t *testing.T) {
	d := make([]byte, 16)
	d[0], d[1] = 1, 255
	id := RaftID(7, [16]byte(d))
	if n, dir, ok := NodeOf(id); !ok || n != 7 || dir != [16]byte(d) {
		t.Fatalf("%s reads as %d %x %v", id, n, dir, ok)
	}
	for _, bad := range []string{"", "7", "7-", "x-AAAAAAAAAAAAAAAAAAAAAA", "7-AAAA"} {
		if _, _, ok := NodeOf(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
