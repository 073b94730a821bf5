package offsets

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// twin is the same in one flat map; a producer's pending offsets stand under its id.
type twin map[string]int64

func id(producer int64, g, t string, p int32) string {
	return fmt.Sprintf("%d %s %s %d", producer, g, t, p)
}

func (w twin) end(producer int64, commit bool, at map[string]int64) {
	prefix := fmt.Sprintf("%d ", producer)
	for k, v := range w {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		main := "-1 " + k[len(prefix):]
		if old, ok := at[main]; commit && (!ok || at[k] > old) {
			w[main], at[main] = v, at[k]
		}
		delete(w, k)
		delete(at, k)
	}
}

func (s *Store) flat() map[string]int64 {
	out := map[string]int64{}
	add := func(producer int64, s *Store) {
		for _, g := range s.Groups() {
			for _, t := range s.Group(g).Topics {
				for _, p := range t.Partitions {
					out[id(producer, g, t.Name, p.Partition)] = p.Offset.Offset
				}
			}
		}
	}
	add(-1, s)
	s.Transactions(add)
	return out
}

func TestTheStoreIsAFlatMapWithTransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Store
		w, at := twin{}, map[string]int64{}
		n := int64(0)
		key := func(t *rapid.T) (string, string, int32) {
			return rapid.SampledFrom([]string{"", "g", "h"}).Draw(t, "group"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "topic"), rapid.Int32Range(0, 2).Draw(t, "partition")
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				g, tp, p := key(t)
				n++
				s.Put(g, tp, p, Offset{Offset: n, RecordAt: n})
				w[id(-1, g, tp, p)], at[id(-1, g, tp, p)] = n, n
			},
			"put pending": func(t *rapid.T) {
				g, tp, p := key(t)
				producer := rapid.Int64Range(0, 2).Draw(t, "producer")
				n++
				s.PutPending(producer, g, tp, p, Offset{Offset: n, RecordAt: n})
				w[id(producer, g, tp, p)], at[id(producer, g, tp, p)] = n, n
			},
			"delete": func(t *rapid.T) {
				g, tp, p := key(t)
				s.Delete(g, tp, p)
				for producer := int64(-1); producer <= 2; producer++ {
					delete(w, id(producer, g, tp, p))
					delete(at, id(producer, g, tp, p))
				}
			},
			"end": func(t *rapid.T) {
				producer, commit := rapid.Int64Range(0, 2).Draw(t, "producer"), rapid.Bool().Draw(t, "commit")
				s.End(producer, commit)
				w.end(producer, commit, at)
			},
			"": func(t *rapid.T) {
				if got, want := fmt.Sprint(s.flat()), fmt.Sprint(map[string]int64(w)); got != want {
					t.Fatalf("want %s, got %s", want, got)
				}
				committed := 0
				for k := range w {
					if strings.HasPrefix(k, "-1 ") {
						committed++
					}
				}
				if s.Len() != committed {
					t.Fatalf("%d offsets: Len says %d", committed, s.Len())
				}
				for _, g := range s.Groups() {
					checkSorted(t, s.Group(g))
				}
				g, tp, p := key(t)
				unstable, open := false, false
				for producer := int64(0); producer <= 2; producer++ {
					_, ok := w[id(producer, g, tp, p)]
					unstable = unstable || ok
					for k := range w {
						open = open || strings.HasPrefix(k, fmt.Sprintf("%d %s ", producer, g))
					}
				}
				if s.Unstable(g, tp, p) != unstable || s.Open(g) != open {
					t.Fatalf("%s: unstable want %v, got %v; open want %v, got %v", id(0, g, tp, p), unstable, s.Unstable(g, tp, p), open, s.Open(g))
				}
			},
		})
	})
}

func checkSorted(t *rapid.T, g *Group) {
	if len(g.Topics) == 0 || !sort.SliceIsSorted(g.Topics, func(i, j int) bool { return g.Topics[i].Name < g.Topics[j].Name }) {
		t.Fatal("topics are not sorted, or none")
	}
	for _, tp := range g.Topics {
		if len(tp.Partitions) == 0 || !sort.SliceIsSorted(tp.Partitions, func(i, j int) bool { return tp.Partitions[i].Partition < tp.Partitions[j].Partition }) {
			t.Fatal("partitions are not sorted, or none")
		}
	}
}
