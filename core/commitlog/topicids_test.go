package commitlog

import (
	"bytes"
	"slices"
	"testing"
)

func TestTopicNamesAreReadAsTheyWereWrittenAndAnythingElseIsRefused(t *testing.T) {
	list := []TopicName{{"a", [16]byte{1, 2, 255}}, {"b.c_d-e", [16]byte{15: 9}}}
	text := AppendTopicNames(nil, list)
	got, err := ParseTopicNames(text)
	if err != nil || !slices.Equal(got, list) {
		t.Fatalf("want %v, got %v (%v)", list, got, err)
	}
	whole := len(bytes.TrimRight(text, " \t\n"))
	for n := range len(text) - 1 {
		if got, err := ParseTopicNames(text[:n]); err == nil && n != whole {
			t.Fatalf("%q is taken for %v", text[:n], got)
		}
	}
}

func FuzzTopicNames(f *testing.F) {
	f.Add(AppendTopicNames(nil, []TopicName{{"a", [16]byte{1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := ParseTopicNames(b); err == nil {
			again, err := ParseTopicNames(AppendTopicNames(nil, list))
			if err != nil || !slices.Equal(again, list) {
				t.Fatalf("%v is read back as %v (%v)", list, again, err)
			}
		}
	})
}
