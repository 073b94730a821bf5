package commitlog

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// texts gives each kind of file with a sum, and how it is read.
func texts(t *rapid.T) map[string]struct {
	text []byte
	read func([]byte) (any, bool)
} {
	type file = struct {
		text []byte
		read func([]byte) (any, bool)
	}
	offset := rapid.Int64Range(0, 1<<40)
	topic := rapid.StringMatching(`[a-zA-Z0-9._-]{1,20}`)
	var entries []Entry
	var names []TopicName
	e := epochs{}
	for i := range rapid.IntRange(1, 5).Draw(t, "entries") {
		entries = append(entries, Entry{topic.Draw(t, "topic"), rapid.Int32Range(0, 2000).Draw(t, "partition"), offset.Draw(t, "offset")})
		names = append(names, TopicName{entries[i].Topic, [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))})
		e.add(int32(i*3), int64(i)*offset.Draw(t, "start")+int64(i))
	}
	l := lowered{1 + offset.Draw(t, "point"), offset.Draw(t, "log start")}
	meta := "version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\n"
	return map[string]file{
		"offsets": {AppendCheckpoint(nil, entries), func(b []byte) (any, bool) { x, err := ParseCheckpoint(b); return x, err == nil }},
		"topics":  {AppendTopicNames(nil, names), func(b []byte) (any, bool) { x, err := ParseTopicNames(b); return x, err == nil }},
		"epochs": {e.appendText(nil), func(b []byte) (any, bool) {
			var x epochs
			ok := x.parse(b)
			return x.list, ok
		}},
		"cap":  {l.appendText(nil), func(b []byte) (any, bool) { x := parseLowered(b); return x, x != lowered{} }},
		"id":   {[]byte(meta + sumLine([]byte(meta))), func(b []byte) (any, bool) { x, ok := parseMetadata(b); return x, ok }},
		"none": {AppendCheckpoint(nil, nil), func(b []byte) (any, bool) { x, err := ParseCheckpoint(b); return x, err == nil }},
	}
}

func TestAFlippedBitOfACheckpointIsNeverAnotherNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for kind, f := range texts(t) {
			want, ok := f.read(f.text)
			if !ok {
				t.Fatalf("%s: %q is refused", kind, f.text)
			}
			for i := range 8 * len(f.text) {
				b := bytes.Clone(f.text)
				b[i/8] ^= 1 << (i % 8)
				if got, ok := f.read(b); ok && !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: bit %d of byte %d: %q is taken for %v, not %v", kind, i%8, i/8, b, got, want)
				}
			}
		}
	})
}

// Kafka splits each line behind the first two at white space, drops what is empty at the end, and wants as many fields as an entry has; of
// partition.metadata it reads two lines.
func TestKafkaReadsCheckpointsWithSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for kind, fields := range map[string]int{"offsets": 3, "topics": 2, "epochs": 2, "cap": 2, "none": 0} {
			f := texts(t)[kind]
			lines := strings.Split(strings.TrimSuffix(string(f.text), "\n"), "\n")
			for i, line := range lines {
				if i < 2 && strings.TrimSpace(line) != line {
					t.Fatalf("%s: line %d is no number: %q", kind, i+1, line)
				}
				if i >= 2 && len(strings.Fields(line)) != fields {
					t.Fatalf("%s: %q", kind, line)
				}
			}
		}
	})
}

func TestACheckpointWithoutASumIsKafkas(t *testing.T) {
	got, err := ParseCheckpoint([]byte("0\n1\na 0 5\n"))
	if err != nil || len(got) != 1 || got[0] != (Entry{"a", 0, 5}) {
		t.Fatalf("%v, %v", got, err)
	}
	if id, ok := parseMetadata([]byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\n")); !ok || id != [16]byte{1, 2, 3} {
		t.Fatalf("%v, %v", id, ok)
	}
}
