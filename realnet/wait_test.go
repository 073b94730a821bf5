package realnet

import (
	"testing"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/realdisk"
)

func TestTheRawStageIsLeftOutWhileLongWaitsPrevail(t *testing.T) {
	const short, long = clock.Millisecond, 10 * clock.Millisecond
	var v vain
	for i := range 200 { // a busy loop with a pause now and then
		for range 2 * vainWait {
			v.waited(short)
		}
		if v.waited(long); v >= vainFrom {
			t.Fatalf("left out after %d pauses", i)
		}
	}
	v = 0
	for range 20 { // heartbeats: a few steps, and a pause
		for range 3 {
			v.waited(short)
		}
		v.waited(long)
	}
	if v < vainFrom {
		t.Fatalf("%d after twenty heartbeats, want at least %d", v, vainFrom)
	}
	for range vainMost { // a busy time
		v.waited(short)
	}
	if v != 0 {
		t.Fatalf("%d after a busy time", v)
	}
}

// quietStep counts what a loop brings: mail, and a tick each 20 ms that it asks for.
type quietStep chan step.Kind

func (q quietStep) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	switch ev.Kind {
	case step.Start, step.Tick:
		out.Deadline = now.Mono.Add(20 * clock.Millisecond)
		fallthrough
	case step.MailArrived:
		q <- ev.Kind
	case step.Stop:
		out.Stopped = true
	}
}

func TestAParkedLoopHearsOfMailAndTime(t *testing.T) {
	got := make(quietStep, 1000)
	d := realdisk.New(realdisk.Config{})
	defer d.Close()
	n, err := New(Config{Listeners: []Listener{{Name: "PLAINTEXT", Addr: "127.0.0.1:0"}}, Shards: []step.Stepper{got}, Pools: []*buf.Pool{{}}, Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	n.loops[0].vain = 1 << 30 // it never waits otherwise
	ended := make(chan bool)
	go func() { n.Run(); close(ended) }()
	until := func(want step.Kind) {
		t.Helper()
		for k := range got {
			if k == want {
				return
			}
		}
	}
	until(step.Start)
	for range 20 {
		n.Post(step.Mail{})
		until(step.MailArrived)
		until(step.Tick)
	}
	n.Stop()
	<-ended
}
