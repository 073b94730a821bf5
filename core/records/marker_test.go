package records

import (
	"encoding/hex"
	"testing"
)

func TestAMarkerHasKafkasBytes(t *testing.T) {
	v := NewMarker(0x1122, 3, Marker{Commit: true, CoordinatorEpoch: 7}, 1000)
	// attributes 0x30, one record: no key size but 4 (version 0, type 1), value 6 (version 0, coordinator epoch 7).
	const want = "0030" + "00000000" + "00000000000003e8" + "00000000000003e8" + "0000000000001122" + "0003" + "ffffffff" + "00000001" +
		"20" + "00" + "00" + "00" + "08" + "00000001" + "0c" + "000000000007" + "00"
	if got := hex.EncodeToString(v[posAttributes:]); got != want || len(v) != 78 || len(v) > MarkerMax {
		t.Fatalf("%d bytes\n got %s\nwant %s", len(v), got, want)
	}
	if m, ok := v.Marker(); !ok || !m.Commit || m.CoordinatorEpoch != 7 {
		t.Fatalf("%+v %v", m, ok)
	}
	if v.CRC() != v.ComputeCRC() || v.LastOffset() != v.BaseOffset() {
		t.Fatal("no batch of one record")
	}
	if m, ok := NewMarker(1, 0, Marker{}, 1).Marker(); !ok || m.Commit {
		t.Fatalf("an abort: %+v %v", m, ok)
	}
}

func FuzzMarkerNeverPanics(f *testing.F) {
	f.Add([]byte(NewMarker(1, 2, Marker{true, 3}, 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderSize {
			return
		}
		if _, ok := View(b).Marker(); ok && (!View(b).IsControl() || View(b).Count() < 1) {
			t.Fatal("a marker without a record")
		}
	})
}
