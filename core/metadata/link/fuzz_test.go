package link

import "testing"

func FuzzHello(f *testing.F) {
	f.Add(AppendHello(nil, Hello{"1-a", "2-b", "h:1", "c"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := ParseHello(b); ok && string(AppendHello(nil, h)) != string(b) {
			t.Fatal("not the only form")
		}
	})
}
