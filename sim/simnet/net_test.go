package simnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"pgregory.net/rapid"
)

// host is an endpoint that notes everything.
type host struct {
	n      *Net
	refuse bool
	slow   bool // does not read
	strict bool // none of its requests may be late or twice
	opened []*Half
	frames [][]byte
	times  []clock.Time
	sent   map[disk.Token]int
	pins   int
	file   []byte
	ended  int
	reply  func(h *Half, frame []byte)
	broken bool // reads of extents fail
}

func (h *host) Incoming(uint8, uint64) (int, bool) { return 0, !h.refuse }
func (h *host) Opened(x *Half) {
	h.opened = append(h.opened, x)
	if h.slow {
		h.n.Read(x, false)
	}
}
func (h *host) Sent(_ *Half, tok disk.Token) { h.sent[tok]++ }
func (h *host) ReadExtent(x disk.Extent, p []byte, off int64) disk.Err {
	if h.broken {
		return disk.ErrIO
	}
	copy(p, h.file[off:])
	return disk.OK
}
func (h *host) Unpin(disk.Extent)     { h.pins-- }
func (h *host) MayRepeat([]byte) bool { return !h.strict }
func (h *host) Readable(x *Half) {
	for !h.slow {
		b, ok, _ := x.Next()
		if !ok {
			break
		}
		f := slices.Clone(b)
		h.frames = append(h.frames, f)
		h.times = append(h.times, h.n.eng.Now())
		if h.reply != nil {
			h.reply(x, f)
		}
	}
	if x.Over() && !x.told {
		h.ended++
		h.n.Close(x)
	}
}

type world struct {
	e    *engine.Engine
	n    *Net
	l    *fault.Ledger
	ends []End
	hs   []*host
}

func newWorld(seed uint64, hosts int, swarm ...fault.Knob) *world {
	w := &world{e: engine.New(seed), l: &fault.Ledger{}}
	w.n = New(w.e, swarm, w.l)
	for range hosts {
		h := &host{n: w.n, sent: map[disk.Token]int{}}
		w.hs = append(w.hs, h)
		w.ends = append(w.ends, w.n.Add(h))
	}
	return w
}

func (w *world) run() {
	for w.e.Step() {
	}
}

func (w *world) until(t clock.Time) {
	for w.e.Pending() > 0 && w.e.Next() <= t {
		w.e.Step()
	}
}

func knobs(t *rapid.T) (ks []fault.Knob) {
	if rapid.Bool().Draw(t, "n1") {
		ks = append(ks, fault.Knob{Class: fault.N1, Node: -1, P: 500, A: 30})
	}
	if rapid.Bool().Draw(t, "n7") {
		ks = append(ks, fault.Knob{Class: fault.N7, Node: -1, A: 1000000, B: rapid.Int64Range(1, 300).Draw(t, "window")})
	}
	if rapid.Bool().Draw(t, "n8") {
		ks = append(ks, fault.Knob{Class: fault.N8, Node: -1, P: rapid.IntRange(1, 39).Draw(t, "cut")}) // below 40: no half-close
	}
	return ks
}

func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func TestFramesArriveWholeInOrderAndOnceHoweverTheirBytesAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), 2, knobs(t)...)
		a, b := w.hs[0], w.hs[1]
		b.file = make([]byte, 5000)
		for i := range b.file {
			b.file[i] = byte(i * 7)
		}
		var want, answers [][]byte
		tokens := disk.Token(0)
		b.reply = func(h *Half, f []byte) {
			tokens++
			b.pins++
			x := disk.Extent{File: 1, Off: int64(f[0]), Len: int32(1 + len(f))}
			head := binary.BigEndian.AppendUint32(nil, uint32(1+x.Len))
			w.n.SendBytes(h, append(head, 'h'), x, tokens)
			answers = append(answers, append([]byte{'h'}, b.file[x.Off:x.Off+int64(x.Len)]...))
		}
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		for i, n := 0, rapid.IntRange(1, 20).Draw(t, "frames"); i < n; i++ {
			f := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(1, 2000).Draw(t, "len"))
			want = append(want, f)
			w.n.SendFrame(h, f)
		}
		w.run()
		if !slices.EqualFunc(b.frames, want, bytes.Equal) {
			t.Fatalf("the server got %d frames, want %d", len(b.frames), len(want))
		}
		if !slices.EqualFunc(a.frames, answers, bytes.Equal) {
			t.Fatalf("the client got %d answers, want %d", len(a.frames), len(answers))
		}
		for tok := disk.Token(1); tok <= tokens; tok++ {
			if b.sent[tok] != 1 {
				t.Fatalf("token %d was answered %d times", tok, b.sent[tok])
			}
		}
		if b.pins != 0 {
			t.Fatalf("%d extents were not given back", b.pins)
		}
	})
}

func TestEveryBoundaryOfAFrameIsCutInSomeRun(t *testing.T) {
	cut := map[int64]bool{}
	for seed := uint64(0); seed < 400; seed++ {
		w := newWorld(seed, 2, fault.Knob{Class: fault.N8, Node: -1, P: 1000})
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		w.n.SendFrame(h, make([]byte, 8))
		for w.e.Step() {
			cut[int64(len(h.peer.rx))] = true
		}
	}
	for i := int64(0); i <= 12; i++ {
		if !cut[i] {
			t.Errorf("no piece ended after %d of 12 bytes", i)
		}
	}
}

func TestExtentBytesAreReadWhenTheyLeave(t *testing.T) {
	w := newWorld(1, 2, fault.Knob{Class: fault.N7, Node: -1, B: 100})
	a, b := w.hs[0], w.hs[1]
	b.file = bytes.Repeat([]byte{'x'}, 1000)
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.run()
	b.pins++
	w.n.SendBytes(h.peer, binary.BigEndian.AppendUint32(nil, 1000), disk.Extent{File: 1, Len: 1000}, 1)
	if h.peer.pos != 0 {
		t.Fatal("bytes of an extent left at once")
	}
	w.until(w.e.Now().Add(200 * clock.Microsecond))
	for i := range b.file {
		b.file[i] = 'y'
	}
	w.run()
	if f := a.frames[0]; f[0] != 'x' || f[999] != 'y' {
		t.Fatalf("first byte %c, last %c; want x, then y", f[0], f[999])
	}
}

func TestTokensAreAnsweredOnceWhenAConnectionDies(t *testing.T) {
	for name, kill := range map[string]func(w *world, h *Half){
		"reset by us":   func(w *world, h *Half) { w.n.Reset(h) },
		"reset by peer": func(w *world, h *Half) { w.n.Reset(h.peer) },
		"dropped":       func(w *world, h *Half) { w.n.Drop(h) },
		"peer closed":   func(w *world, h *Half) { w.n.Close(h.peer) },
		"bad disk":      func(w *world, h *Half) { w.hs[1].broken = true },
	} {
		w := newWorld(3, 2, fault.Knob{Class: fault.N7, Node: -1, B: 50})
		b := w.hs[1]
		b.file = make([]byte, 10000)
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		w.run()
		for tok := disk.Token(1); tok <= 5; tok++ {
			b.pins++
			w.n.SendBytes(h.peer, binary.BigEndian.AppendUint32(nil, 1000), disk.Extent{File: 1, Len: 1000}, tok)
		}
		w.until(w.e.Now().Add(clock.Millisecond))
		kill(w, h.peer)
		w.run()
		for tok := disk.Token(1); tok <= 5; tok++ {
			if b.sent[tok] != 1 {
				t.Errorf("%s: token %d answered %d times", name, tok, b.sent[tok])
			}
		}
		if b.pins != 0 {
			t.Errorf("%s: %d extents held", name, b.pins)
		}
		if name != "peer closed" && w.n.Halves() > 1 {
			t.Errorf("%s: %d halves left", name, w.n.Halves())
		}
	}
}

func TestAResetHitsInsideARequestOrInsideItsAnswer(t *testing.T) {
	inside, after := 0, 0
	for seed := uint64(0); seed < 100; seed++ {
		w := newWorld(seed, 2, fault.Knob{Class: fault.N2, Node: -1, P: 1000})
		a, b := w.hs[0], w.hs[1]
		b.reply = func(h *Half, f []byte) { w.n.SendBytes(h, framed(make([]byte, 300)), disk.Extent{}, 0) }
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		w.n.SendFrame(h, make([]byte, 100))
		w.run()
		if len(a.frames) > 0 || a.ended != 1 {
			t.Fatalf("seed %d: %d answers, told of the end %d times", seed, len(a.frames), a.ended)
		}
		if len(b.frames) == 0 {
			inside++
		} else {
			after++
		}
	}
	if inside < 20 || after < 20 {
		t.Fatalf("%d inside requests, %d inside answers", inside, after)
	}
}

func TestALateRequestArrivesAlthoughItsClientHasHungUp(t *testing.T) {
	w := newWorld(1, 2, fault.Knob{Class: fault.N3, Node: -1, P: 1000, A: 5, B: 120})
	b := w.hs[1]
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.n.SendFrame(h, []byte("late"))
	w.until(clock.Time(2 * clock.Second))
	w.n.Close(h)
	w.run()
	if len(b.frames) != 1 || b.times[0] < clock.Time(5*clock.Second) || b.times[0] > clock.Time(121*clock.Second) {
		t.Fatalf("frames %q at %v", b.frames, b.times)
	}
}

func TestALateRequestOfANodeArrivesAlthoughItHasHungUpIfItsHostLetsIt(t *testing.T) {
	for _, may := range []bool{true, false} {
		w := newWorld(1, 2, fault.Knob{Class: fault.N3, Node: -1, P: 1000, A: 5, B: 120})
		a, b := w.hs[0], w.hs[1]
		a.strict = !may
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		w.n.SendRequest(h, framed([]byte("late")), 0)
		w.until(clock.Time(2 * clock.Second))
		w.n.Close(h)
		w.run()
		if late := len(b.times) == 1 && b.times[0] >= clock.Time(5*clock.Second); len(b.frames) != 1 || late != may {
			t.Fatalf("may %v: frames %q at %v", may, b.frames, b.times)
		}
	}
}

func TestARepeatedRequestComesOnASecondConnection(t *testing.T) {
	w := newWorld(1, 2, fault.Knob{Class: fault.N4, Node: -1, P: 1000})
	a, b := w.hs[0], w.hs[1]
	b.reply = func(h *Half, f []byte) { w.n.SendBytes(h, framed([]byte("ok")), disk.Extent{}, 0) }
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.n.SendFrame(h, []byte("twice"))
	w.run()
	if len(b.opened) != 2 || len(b.frames) != 2 || !bytes.Equal(b.frames[0], b.frames[1]) || len(a.frames) != 1 {
		t.Fatalf("%d connections, %q; the client got %d answers", len(b.opened), b.frames, len(a.frames))
	}
}

func TestABlockHoldsBytesBackInItsOwnDirection(t *testing.T) {
	w := newWorld(1, 2)
	a, b := w.hs[0], w.hs[1]
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.run()
	w.n.Block(w.ends[0], w.ends[1])
	w.n.SendFrame(h, []byte("held"))
	w.n.SendBytes(h.peer, framed([]byte("free")), disk.Extent{}, 0)
	w.until(w.e.Now().Add(clock.Second))
	if len(b.frames) != 0 || len(a.frames) != 1 {
		t.Fatalf("%d and %d frames", len(b.frames), len(a.frames))
	}
	w.n.Unblock(w.ends[0], w.ends[1])
	w.run()
	if len(b.frames) != 1 {
		t.Fatal("the bytes never came")
	}
}

func TestAReaderThatDoesNotReadStopsTheSender(t *testing.T) {
	w := newWorld(1, 2, fault.Knob{Class: fault.N7, Node: -1, B: 1000})
	b := w.hs[1]
	b.slow = true
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	for range 100 {
		w.n.SendFrame(h, make([]byte, 96))
	}
	w.run()
	if got := len(h.peer.rx); got > 1000 {
		t.Fatalf("%d bytes piled up, want at most 1000", got)
	}
	b.slow = false
	w.n.Read(h.peer, true)
	b.Readable(h.peer)
	w.run()
	if len(b.frames) != 100 {
		t.Fatalf("%d frames, want 100", len(b.frames))
	}
}

func TestADialIsRefusedOrTimesOut(t *testing.T) {
	w := newWorld(1, 2)
	w.hs[1].refuse = true
	h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.run()
	if !h.Refused() {
		t.Fatal("a refusal is not told from silence")
	}
	if w.hs[0].ended != 1 || w.e.Now() > clock.Time(clock.Second) {
		t.Fatalf("told %d times, at %d", w.hs[0].ended, w.e.Now())
	}
	w.hs[1].refuse = false
	w.n.Block(w.ends[1], w.ends[0])
	h = w.n.Connect(w.ends[0], w.ends[1], 0, 0)
	w.run()
	if h.Refused() {
		t.Fatal("silence is told as a refusal")
	}
	if w.hs[0].ended != 2 || len(w.hs[1].opened) != 0 {
		t.Fatalf("told %d times, opened %d", w.hs[0].ended, len(w.hs[1].opened))
	}
}

func TestWhatHappensToOneConnectionMovesNothingOfAnother(t *testing.T) {
	story := func(swarm []fault.Knob, disturb func(w *world)) string {
		w := newWorld(9, 4, swarm...)
		for i := 0; i < 4; i += 2 {
			w.hs[i+1].reply = func(h *Half, f []byte) { w.n.SendBytes(h, framed(f), disk.Extent{}, 0) }
			h := w.n.Connect(w.ends[i], w.ends[i+1], 0, 0)
			for k := 1; k < 30; k++ {
				w.n.SendFrame(h, make([]byte, k*50))
			}
		}
		disturb(w)
		w.run()
		return fmt.Sprint(w.hs[0].times, w.hs[1].times)
	}
	n1 := fault.Knob{Class: fault.N1, Node: -1, P: 500, A: 20}
	n8 := fault.Knob{Class: fault.N8, Node: -1, P: 39}
	calm := story([]fault.Knob{n1, n8}, func(*world) {})
	for name, disturb := range map[string]func(w *world){
		"a block":  func(w *world) { w.n.Block(w.ends[2], w.ends[3]) },
		"a reset":  func(w *world) { w.until(20e6); w.n.Reset(w.n.halves[2]) },
		"a dialog": func(w *world) { w.n.SendFrame(w.n.Connect(w.ends[2], w.ends[3], 0, 0), make([]byte, 999)) },
	} {
		if got := story([]fault.Knob{n1, n8}, disturb); got != calm {
			t.Errorf("%s elsewhere moved a connection", name)
		}
	}
	n3 := fault.Knob{Class: fault.N3, Node: -1, P: 0, A: 5, B: 9}
	if got := story([]fault.Knob{n3, n1, n8}, func(*world) {}); got != calm {
		t.Error("a class that draws and does not fire moved another's draws")
	}
}

func TestAfterAPowerLossNothingMoreArrivesAndAfterAKillWhatHadLeftDoes(t *testing.T) {
	for _, power := range []bool{true, false} {
		w := newWorld(1, 2)
		h := w.n.Connect(w.ends[0], w.ends[1], 0, 0)
		w.run()
		w.n.SendBytes(h.peer, framed([]byte("under way")), disk.Extent{}, 0)
		w.n.Die(w.ends[1], power)
		w.run()
		if got := len(w.hs[0].frames); (got == 1) == power {
			t.Errorf("power loss %v: %d frames arrived", power, got)
		}
		if told := w.hs[0].ended == 1; told == power {
			t.Errorf("power loss %v: told of the end %v", power, told)
		}
	}
}
