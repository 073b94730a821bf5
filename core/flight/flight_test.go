package flight

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/disk"
)

func TestATokenTakesOutWhatItWasGivenForAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Table[int]
		out := map[disk.Token]int{}
		var used, order []disk.Token
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				next++
				tok := f.Put(next)
				if _, there := out[tok]; there || tok == 0 {
					t.Fatalf("token %d was given twice, or is none", tok)
				}
				out[tok] = next
				order = append(order, tok)
			},
			"take": func(t *rapid.T) {
				if len(order) == 0 {
					t.Skip("nothing in flight")
				}
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				tok := order[i]
				if got := f.Take(tok); got != out[tok] {
					t.Fatalf("took %d, want %d", got, out[tok])
				}
				delete(out, tok)
				order = append(order[:i], order[i+1:]...)
				used = append(used, tok)
			},
			"": func(t *rapid.T) {
				if f.Len() != len(out) {
					t.Fatalf("%d in flight, want %d", f.Len(), len(out))
				}
				for _, tok := range used {
					if _, ok := f.Peek(tok); ok {
						t.Fatalf("token %d is taken and still there", tok)
					}
				}
			},
		})
	})
}

func TestAStaleTokenPanics(t *testing.T) {
	var f Table[int]
	tok := f.Put(1)
	f.Take(tok)
	f.Put(2)
	defer func() {
		if recover() == nil {
			t.Fatal("a stale token was taken")
		}
	}()
	f.Take(tok)
}
