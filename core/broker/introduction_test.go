package broker

import (
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

func drawIntroduction(t *rapid.T) *introduction {
	x := &introduction{
		node: rapid.Int32().Draw(t, "node"), hasState: rapid.Bool().Draw(t, "state"), hasImage: rapid.Bool().Draw(t, "image"), join: rapid.Bool().Draw(t, "join"),
		cluster: rapid.String().Draw(t, "cluster"), address: rapid.String().Draw(t, "address"), leader: rapid.String().Draw(t, "leader"),
		refusal: rapid.String().Draw(t, "refusal"), naming: rapid.String().Draw(t, "naming"), list: rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "list"),
	}
	copy(x.directory[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "directory"))
	return x
}

func TestAnIntroductionComesBackAsItWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawIntroduction(t)
		b := x.AppendTo(nil)
		got, ok := parseIntroduction(b)
		if !ok || string(got.AppendTo(nil)) != string(b) || got.node != x.node || got.naming != x.naming || len(got.list) != len(x.list) {
			t.Fatalf("%+v came back as %+v, %v", x, got, ok)
		}
		if _, ok := parseIntroduction(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); ok {
			t.Fatal("a cut introduction was taken")
		}
	})
}

func TestTheBytesOfAnIntroductionStayTheSame(t *testing.T) {
	x := &introduction{node: 7, directory: [16]byte{1, 15: 2}, hasState: true, join: true, cluster: "c", address: "h:1", leader: "l", refusal: "", naming: "n", list: []string{"a", "b"}}
	const want = "00" + "00000007" + "01000000000000000000000000000002" + "05" + "000163" + "0003683a31" + "00016c" + "0000" + "00016e" + "02" + "000161" + "000162"
	if got := hex.EncodeToString(x.AppendTo(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzIntroduction(f *testing.F) {
	f.Add((&introduction{node: 1, list: []string{"a:1"}}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := parseIntroduction(b)
		if !ok {
			return
		}
		if y, ok := parseIntroduction(x.AppendTo(nil)); !ok || string(y.AppendTo(nil)) != string(x.AppendTo(nil)) {
			t.Fatalf("%x reads as %+v, and that as %+v", b, x, y)
		}
	})
}

func TestTheCleanMarkerAndTheSyncedEpochReadAsTheyWereWritten(t *testing.T) {
	for text, want := range map[string]int64{
		markerText(17): 17, `{"version":0,"brokerEpoch":5}`: 5, `{"brokerEpoch": 9, "version":0}`: 9, "": -1, "{}": -1, `{"brokerEpoch":-3}`: -1, `{"brokerEpoch":x}`: -1, `{"brokerEpoch":`: -1,
	} {
		if got := parseMarker(text); got != want {
			t.Errorf("marker %q: %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int64{"ack 17\n": 17, "ack 0": 0, "os 17\n": -1, "": -1, "ack": -1, "ack -1": -1, "ack x": -1} {
		if got := parseSynced(text); got != want {
			t.Errorf("synced %q: %d, want %d", text, got, want)
		}
	}
}
