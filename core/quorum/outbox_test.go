package quorum

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// What several goroutines put, each in its own order, is drained in one order however they were mixed, tokens included.
func TestTheOrderOfTheOutboxDoesNotDependOnWhichGoroutineRanFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type source struct{ items []item }
		var sources []source
		for g := range rapid.IntRange(1, 6).Draw(t, "goroutines") {
			var s source
			for i := range rapid.IntRange(0, 5).Draw(t, "items") {
				it := item{class: class(g), key: fmt.Sprint(g), mail: step.Mail{Kind: uint8(g), A: int64(i)}, disk: disk.Request{Off: int64(g*100 + i)}, dial: func(disk.Token) {}}
				s.items = append(s.items, it)
			}
			sources = append(sources, s)
		}
		var want string
		for round := range 2 {
			var o outbox
			at := make([]int, len(sources))
			for {
				var open []int
				for i := range sources {
					if at[i] < len(sources[i].items) {
						open = append(open, i)
					}
				}
				if len(open) == 0 {
					break
				}
				g := rapid.SampledFrom(open).Draw(t, "next")
				o.put(sources[g].items[at[g]])
				at[g]++
			}
			var out step.Effects
			o.drain(3, &out)
			got := fmt.Sprint(out.Disk, out.Mail, out.Log)
			if round == 0 {
				want = got
			} else if got != want {
				t.Fatalf("want %s\n got %s", want, got)
			}
		}
	})
}

func TestTheLaneIsWokenOnceForWhatWaits(t *testing.T) {
	woken := 0
	o := outbox{wake: func() { woken++ }}
	o.log(step.Warn, "a")
	o.log(step.Warn, "b")
	if woken != 1 {
		t.Fatalf("woken %d times", woken)
	}
	var out step.Effects
	o.drain(0, &out)
	o.enter()
	o.log(step.Warn, "c")
	o.leave()
	if woken != 1 || len(out.Log) != 2 {
		t.Fatalf("woken %d times, %d lines", woken, len(out.Log))
	}
	o.drain(0, &out)
	o.log(step.Warn, "d")
	if woken != 2 {
		t.Fatalf("woken %d times", woken)
	}
	o.kill()
	o.log(step.Warn, "e")
	out.Reset()
	if o.drain(0, &out); len(out.Log) != 0 {
		t.Fatal("the dead speak")
	}
}

func TestAnEntryThatIsFoldedAlreadyIsNotFoldedAgain(t *testing.T) {
	n := New(Options{Node: &config.Node{}, LogDir: "d"})
	n.props.init(n)
	n.machine = &fsm{node: n, image: metadata.Empty()}
	entry := &raft.Log{Index: 5, Term: 1, Data: encodeProposal(n.nonce, 7, metadata.Encode(metadata.Entry{Term: 1, Records: []metadata.Record{topic(1)}}))}
	n.machine.Apply(entry)
	n.machine.Apply(entry)
	var out step.Effects
	if n.Drain(&out); len(out.Mail) != 1 || out.Mail[0].Body.(*link.Committed).Commit.Index != 5 {
		t.Fatalf("%+v", out.Mail)
	}
	if token := out.Mail[0].Body.(*link.Committed).Commit.Token; token != 0 {
		t.Fatalf("token %d, though nobody waits for it", token)
	}
}

func TestBytesThatAreNoEntryEndTheNode(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 15), make([]byte, 16), append(make([]byte, 16), metadata.Encode(metadata.Entry{})[:9]...), append(make([]byte, 16), 77)} {
		n := New(Options{Node: &config.Node{}, LogDir: "d"})
		n.dead = make(chan struct{})
		close(n.dead) // so that park returns
		n.machine = &fsm{node: n, image: metadata.Empty()}
		n.machine.Apply(&raft.Log{Index: 5, Term: 1, Data: data})
		var out step.Effects
		if n.Drain(&out); len(out.Mail) != 1 || out.Mail[0].Kind != link.MailQuorumFailed {
			t.Errorf("%x: %+v", data, out.Mail)
		}
	}
}
