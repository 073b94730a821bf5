package coordinator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/records/compress"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bed is a shard over a log in memory and a machine that writes down what it is told.
type bed struct {
	env   *env.Env
	out   step.Effects
	s     *Shard
	hw    int64
	end   int64
	code  kerr.Code
	story []string
}

func newBed() *bed {
	b := &bed{env: env.New(0, nil, prng.New(1))}
	b.env.Out, b.env.Now = &b.out, clock.Now{Mono: 1, Wall: 1000}
	b.s = NewShard(b.env, b, b, Options{MaxBatchBytes: 1000, StallMS: 5000})
	return b
}

func (b *bed) say(format string, a ...any) { b.story = append(b.story, fmt.Sprintf(format, a...)) }

// told gives what was said since, and forgets it.
func (b *bed) told() string {
	s := strings.Join(b.story, "; ")
	b.story = nil
	return s
}

func (b *bed) HighWatermark() int64 { return b.hw }
func (b *bed) End() int64           { return b.end }
func (b *bed) Append(batch []byte) (int64, kerr.Code) {
	if b.code != kerr.None {
		return -1, b.code
	}
	b.end += int64(records.View(batch).Count())
	return b.end - 1, kerr.None
}

func (b *bed) Replay(at Position, rec Record) error {
	if string(rec.Key) == "bad" {
		return errors.New("bad")
	}
	b.say("replay @%d %s=%s by %d", at.Offset, rec.Key, rec.Value, at.ProducerID)
	return nil
}
func (b *bed) ReplayMarker(id int64, epoch int16, commit bool) {
	b.say("marker %d/%d %v", id, epoch, commit)
}
func (b *bed) Committed(key string, last int64) { b.say("committed %s @%d", key, last) }
func (b *bed) Stalled(key string, last int64)   { b.say("stalled %s @%d", key, last) }
func (b *bed) Refuse(resp kmsg.Response, code kerr.Code) {
	resp.(*kmsg.HeartbeatResponse).ErrorCode = int16(code)
}
func (b *bed) write(key, value string) (int64, kerr.Code) {
	return b.s.Write(key, []Record{{[]byte(key), []byte(value)}})
}

type teller struct {
	b    *bed
	name string
}

func (w teller) Reply(resp kmsg.Response) {
	w.b.say("%s %s", w.name, kerr.Code(resp.(*kmsg.HeartbeatResponse).ErrorCode))
}

func (b *bed) park(key, name string) { b.s.Park(key, teller{b, name}, &kmsg.HeartbeatResponse{}) }

func (b *bed) move(hw int64) {
	b.hw = hw
	b.s.HighWatermarkMoved(hw)
}

func (b *bed) want(t *testing.T, want string) {
	t.Helper()
	if got := b.told(); got != want {
		t.Errorf("want %q\n got %q", want, got)
	}
}

func TestAReplyWaitsForItsKeyAlone(t *testing.T) {
	b := newBed()
	b.s.Loaded()
	b.write("a", "1")
	b.write("b", "2")
	b.park("a", "A")
	b.park("b", "B")
	b.park("c", "C")
	b.s.ParkAll(teller{b, "all"}, &kmsg.HeartbeatResponse{})
	b.want(t, "replay @0 a=1 by -1; replay @1 b=2 by -1; C NONE")
	b.move(0)
	b.want(t, "")
	b.move(1)
	b.want(t, "committed a @0; A NONE")
	b.park("a", "A again")
	b.move(2)
	b.want(t, "A again NONE; committed b @1; B NONE; all NONE")
	if b.s.Backlog() != 0 || b.env.Timers.Len() != 0 {
		t.Errorf("backlog %d, timers %d", b.s.Backlog(), b.env.Timers.Len())
	}
}

func TestALaterWriteUnderTheSameKeyHoldsTheReadsAfterIt(t *testing.T) {
	b := newBed()
	b.s.Loaded()
	b.write("a", "1")
	b.park("a", "first")
	b.write("a", "2")
	b.park("a", "second")
	b.told()
	b.move(1)
	b.want(t, "committed a @0; first NONE")
	b.park("a", "third")
	b.want(t, "")
	b.move(2)
	b.want(t, "committed a @1; second NONE; third NONE")
}

func TestAStallIsAnsweredAndMayStillBeCommitted(t *testing.T) {
	b := newBed()
	b.s.Loaded()
	b.write("a", "1")
	b.park("a", "A")
	b.told()
	b.env.Now.Mono = b.env.Now.Mono.Add(5 * clock.Second)
	b.env.Timers.Expired(b.env.Now.Mono).Owner.TimerFired(nil)
	b.want(t, "A COORDINATOR_NOT_AVAILABLE; stalled a @0")
	b.park("a", "late")
	b.want(t, "late COORDINATOR_NOT_AVAILABLE")
	b.move(1)
	b.want(t, "committed a @0")
	b.park("a", "after")
	b.want(t, "after NONE")
}

func TestARefusedWriteReplaysNothing(t *testing.T) {
	b := newBed()
	b.s.Loaded()
	if _, code := b.write("a", strings.Repeat("x", 1000)); code != kerr.MessageTooLarge {
		t.Errorf("want MESSAGE_TOO_LARGE, got %s", code)
	}
	b.code = kerr.NotEnoughReplicas
	if _, code := b.write("a", "1"); ClientCode(code) != kerr.CoordinatorNotAvailable {
		t.Errorf("want COORDINATOR_NOT_AVAILABLE, got %s", ClientCode(code))
	}
	b.park("a", "A")
	b.want(t, "A NONE")
}

func TestDropAnswersEverybodyOnce(t *testing.T) {
	b := newBed()
	b.s.Loaded()
	b.write("a", "1")
	b.park("a", "A")
	b.told()
	b.s.Drop(kerr.NotCoordinator)
	b.s.Drop(kerr.NotCoordinator)
	b.move(1)
	b.want(t, "A NOT_COORDINATOR")
	if b.env.Timers.Len() != 0 {
		t.Error("a timer is left")
	}
}

func batchOf(o records.Options, keys ...string) records.View {
	b := records.NewBuilder(o)
	for _, k := range keys {
		b.Add([]byte(k), []byte("v"), 1)
	}
	return b.Build()
}

func TestLoadReadsCompressedTransactionalAndControlBatches(t *testing.T) {
	b := newBed()
	load := func(v records.View) {
		if err := b.s.Load(v); err != nil {
			t.Error(err)
		}
	}
	load(batchOf(records.Options{BaseOffset: 4, Codec: compress.Zstd}, "a", "b"))
	load(batchOf(records.Options{BaseOffset: 6, HasProducer: true, ProducerID: 9, ProducerEpoch: 1, Transactional: true}, "c"))
	m := records.NewBuilder(records.Options{BaseOffset: 7, HasProducer: true, ProducerID: 9, ProducerEpoch: 1, Transactional: true, Control: true})
	m.AddMarker(records.ControlCommit, 0, 1)
	load(m.Build())
	b.want(t, "replay @4 a=v by -1; replay @5 b=v by -1; replay @6 c=v by 9; marker 9/1 true")
	b.hw, b.end = 6, 8
	b.s.Loaded()
	b.park("anything", "A")
	b.want(t, "")
	b.move(8)
	b.want(t, "A NONE")
}

func TestLoadGivesAnErrorForWhatItCannotRead(t *testing.T) {
	good := batchOf(records.Options{}, "a")
	cut := append(records.View{}, good...)
	cut[records.HeaderSize] = 0x7f
	control := batchOf(records.Options{Control: true}, "abc")
	for name, v := range map[string]records.View{"nothing": nil, "half": good[:65], "a record past its end": cut, "a marker without type": control, "a record that the machine refuses": batchOf(records.Options{}, "bad")} {
		b := newBed()
		if b.s.Load(v) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
