package realnet_test

import (
	"net"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/realdisk"
	"github.com/seedlog/seedlog/realnet"
)

// funcs is a Stepper of one function.
type funcs func(ev *step.Event, out *step.Effects)

func (f funcs) Step(_ clock.Now, ev *step.Event, out *step.Effects) { f(ev, out) }

func TestInnerConnectionsAreShardZerosFromTheStartAndALaneIsStoppedLast(t *testing.T) {
	opened, woken, order := make(chan string, 100), make(chan bool, 1), make(chan string, 10)
	shard := func(name string) funcs {
		return func(ev *step.Event, out *step.Effects) {
			switch ev.Kind {
			case step.ConnOpened:
				opened <- name
			case step.Stop:
				if name != "lane" { // a lane that is asked too early would be first
					time.Sleep(20 * time.Millisecond)
				}
				order <- name
				out.Stopped = true
			case step.MailArrived:
				woken <- name == "lane" && ev.Mail.From == step.Outside
			}
		}
	}
	d := realdisk.New(realdisk.Config{Shards: 3})
	t.Cleanup(d.Close)
	n, err := realnet.New(realnet.Config{
		Listeners: []realnet.Listener{{Name: "CONTROLLER", Addr: "127.0.0.1:0", Inner: true}, {Name: "PLAINTEXT", Addr: "127.0.0.1:0"}},
		Shards:    []step.Stepper{shard("0"), shard("1"), shard("lane")}, Lanes: 1,
		Pools: []*buf.Pool{{}, {}, {}}, Disk: d,
	})
	noErr(t, err)
	ended := make(chan bool)
	go func() { n.Run(); close(ended) }()
	for range 6 {
		c, err := net.Dial("tcp", n.Addrs()[0])
		noErr(t, err)
		defer c.Close()
		if got := <-opened; got != "0" {
			t.Fatalf("shard %s has an inner connection", got)
		}
	}
	n.Post(step.Mail{To: 2})
	if !<-woken {
		t.Fatal("the lane's mail came elsewhere or from elsewhere")
	}
	n.Stop()
	<-ended
	for range 2 {
		if got := <-order; got == "lane" {
			t.Fatal("the lane was stopped before the shards")
		}
	}
	equal(t, "lane", <-order)
}
