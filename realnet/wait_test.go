package realnet

import (
	"testing"

	"github.com/seedlog/seedlog/io/clock"
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
