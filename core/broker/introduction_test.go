package broker

import (
	"encoding/hex"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/api"
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

func TestWhatOnlyControllersAreAskedIsNotServedToClients(t *testing.T) {
	only := map[int16]bool{56: true, 58: true, 62: true, 63: true, 67: true, 73: true}
	both := map[int16]bool{18: true, 19: true, 20: true, 29: true, 30: true, 31: true, 32: true, 33: true, 37: true, 43: true, 44: true, 45: true, 46: true, 55: true, 57: true, 60: true, 64: true, 80: true, 81: true}
	n := bootNode(t, newMemDisk(), 1)
	resp := n.connect(0).ask(kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse)
	told := map[int16]bool{}
	for _, k := range resp.ApiKeys {
		told[k.ApiKey] = true
	}
	for i := range api.Table {
		e := &api.Table[i]
		if e.ForClients() == only[e.Key] || told[e.Key] != e.ForClients() {
			t.Errorf("%s: served to clients %v, advertised to them %v", e.Name, e.ForClients(), told[e.Key])
		}
		if want := only[e.Key] || both[e.Key]; e.ForControllers() != want {
			t.Errorf("%s: served at the controller listener %v, want %v", e.Name, !want, want)
		}
	}
	c := n.connect(0)
	c.send(kmsg.NewPtrBrokerHeartbeatRequest())
	n.run()
	if !c.closed {
		t.Error("a client's heartbeat of a broker does not close its connection")
	}
}
