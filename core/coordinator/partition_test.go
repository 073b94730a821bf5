package coordinator

import "testing"

func TestIDsHashToPartitionsAsInKafka(t *testing.T) {
	// String.hashCode of each, from Python over UTF-16: 0, 97, 627841412, 2388469534 (negative in Java), -2^31, 1772394.
	for id, want := range map[string]int32{"": 0, "a": 47, "test-group": 12, "my-group": 12, "polygenelubricants": 0, "𝄞": 44} {
		if got := PartitionFor(id, 50); got != want {
			t.Errorf("%q: want %d, got %d", id, want, got)
		}
	}
}
