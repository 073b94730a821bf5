package debug

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/run"
	"github.com/seedlog/seedlog/sim/simnet"
)

func kept(t *testing.T, name string) *plan.Plan {
	t.Helper()
	b, err := os.ReadFile("../testdata/plans/" + name + ".json")
	require.NoError(t, err)
	p, err := plan.Decode(b)
	require.NoError(t, err)
	return p
}

// open starts a run of a plan in this process, where those of one broker repeat.
func open(t *testing.T, p *plan.Plan) *Local {
	t.Helper()
	r, err := run.Prepare(p)
	require.NoError(t, err)
	r.Observe()
	return NewLocal(p, r.Options, r)
}

// said runs a script over plans: the first run is of the first, and so on; of the last all others.
func said(t *testing.T, script string, plans ...*plan.Plan) (text string, ok bool) {
	t.Helper()
	var out bytes.Buffer
	runs := 0
	s := Session{Out: &out, Open: func() (World, error) {
		runs++
		return open(t, plans[min(runs, len(plans))-1]), nil
	}}
	ok, err := s.Run(strings.NewReader(script))
	require.NoError(t, err)
	return out.String(), ok
}

// sections gives what each of a script's commands printed.
func sections(text string) []string { return strings.Split("\n"+text, "\n> ")[1:] }

const looks = "where; trace 50; faults; node 1; partition t1/0; net all; disk 1; disk 1 checkpoint; disk 1 t1-0/00000000000000000000.log; history 30\n"

func TestATimeIsTheSameWhenASessionComesBackToIt(t *testing.T) {
	text, ok := said(t, "to 12s\n"+looks+"next 100; back 1500; next 20ms; back 1s; violation; to 12s\n"+looks, kept(t, "m-P1"))
	require.True(t, ok, text)
	all := sections(text)
	n := len(strings.Split(looks, ";"))
	require.Len(t, all, 2*n+2+5)
	for i := range n {
		require.Equal(t, strings.TrimSpace(all[1+i]), strings.TrimSpace(all[len(all)-n+i]))
	}
	for i, want := range []string{"n1: process 1, serves", "mono=", "F:D1", "t1/0", "leads", "c2 (producer)", "synced to", "leader-epoch-checkpoint", "producer", "send"} {
		require.Contains(t, all[1+i], want)
	}
	require.NotContains(t, text, "NOT THE SAME RUN")
}

func TestARunThatIsStoppedAtEachEventIsTheRunThatIsNotStopped(t *testing.T) {
	p := kept(t, "delete-records-then-power-loss")
	r, err := run.Prepare(p)
	require.NoError(t, err)
	res := cluster.New(p, r.Options).Run()
	l, last := open(t, p), &Stop{}
	for n := int64(1); last.Over == ""; n++ {
		last, err = l.Go(Target{Until: Event, Event: n})
		require.NoError(t, err)
		if n%97 == 0 {
			for _, c := range strings.Split(strings.TrimSpace(looks), ";") {
				words := strings.Fields(c)
				_, _ = l.Show(words[0], words[1:]) // some of it may not be there yet
			}
		}
	}
	require.Equal(t, res.Events, last.Event)
	require.Contains(t, last.Over, res.Trace)
}

func TestARunThatGoesAnotherWayIsToldLoudly(t *testing.T) {
	p := kept(t, "m-P1")
	q := p.Clone()
	q.Seed++
	text, ok := said(t, "event 1500; back 1; where", p, q)
	require.False(t, ok)
	require.Contains(t, text, "NOT THE SAME RUN: after event 1000")
	require.Contains(t, text, "WHAT IS SHOWN FROM HERE ON IS OF ANOTHER RUN")
}

func TestASessionStopsWhereAPropertyBreaks(t *testing.T) {
	var at int64
	s := &Stop{}
	for l := open(t, kept(t, "m-P1")); s.Over == ""; {
		if at++; at == 2000 {
			l.c.Engine().Fail("I:I0", "whole", "broken")
		}
		s, _ = l.Go(Target{Until: Event, Event: at})
	}
	require.Equal(t, int64(1999), s.Event)
	require.Contains(t, s.Over, "I:I0 is broken at")
	require.Contains(t, s.Over, "was  whole")
}

func TestChangesOfAPartitionAreFound(t *testing.T) {
	text, ok := said(t, "to 9s; change 1 t1/0 3; change n1 t1/0", kept(t, "m-P1"))
	require.True(t, ok, text)
	all := sections(text)
	require.Equal(t, 4, strings.Count(all[1], "role leads"), text)
	require.Equal(t, 2, strings.Count(all[2], "role leads"), text)
	first := strings.Split(all[1], "\n")
	second := strings.Split(all[2], "\n")
	require.Equal(t, first[len(first)-1], second[2], "it goes on from what it showed last")
}

// What packages keep for themselves is read by the names of their fields: this fails when one gets another name.
func TestTransactionsAndFollowersAreShown(t *testing.T) {
	l := open(t, kept(t, "epochs-run-out-at-a-time-out"))
	text := ""
	for stop := (&Stop{}); stop.Over == "" && !strings.Contains(text, "producer id"); {
		var err error
		stop, err = l.Go(Target{Until: Event, Event: stop.Event + 200})
		require.NoError(t, err)
		text, err = l.Show("node", []string{"1"})
		require.NoError(t, err)
	}
	require.Contains(t, text, "transactional ids of __transaction_state/")
	require.Regexp(t, `(Empty|Ongoing|Prepare\w+|Complete\w+) +producer id \d+ epoch \d+`, text)

	l = open(t, kept(t, "cluster-request-forwarded-twice"))
	for text = ""; !strings.Contains(text, "knows of"); {
		stop, err := l.Go(Target{Until: Event, Event: l.c.Engine().Events + 500})
		require.NoError(t, err)
		require.Empty(t, stop.Over)
		if r, _ := l.find(0, "t0", 0); r == nil {
			continue
		}
		text, err = l.Show("partition", []string{"t0/0"})
		require.NoError(t, err)
	}
	require.Regexp(t, `n\d knows of n\d: +end -?\d+ +start -?\d+`, text)
}

func TestWhatIsUnderWayIsWhereItsBytesAre(t *testing.T) {
	l := open(t, kept(t, "m-P1")) // no fault of the network
	seen := map[string]bool{}
	for stop := (&Stop{}); stop.Over == "" && stop.At < 16e9; {
		for _, x := range l.c.Links() {
			for _, s := range []struct{ num, bytes int64 }{{x.From.Num, x.From.Arrived + x.From.Flying + x.From.Unsent}, {x.To.Num, x.To.Arrived + x.To.Flying + x.To.Unsent}} {
				sum := int64(0)
				for _, m := range l.run.UnderWay(s.num) {
					sum += frameLength + m.Size
					seen[m.What] = true
				}
				require.Equal(t, s.bytes, sum, "half %d at event %d", s.num, stop.Event)
			}
		}
		var err error
		stop, err = l.Go(Target{Until: Event, Event: stop.Event + 1})
		require.NoError(t, err)
	}
	require.True(t, seen["answer to Produce"] && seen["answer to Fetch"], "%v", seen)
}

// What a whole message of any API says can be read, of clients and between brokers, asked and answered.
func TestEveryWholeMessageIsDecoded(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"m-P1", "cluster-request-forwarded-twice"} {
		l := open(t, kept(t, name))
		for stop := (&Stop{}); stop.Over == "" && stop.Event < 8000; {
			for _, x := range l.c.Links() {
				for _, s := range []*simnet.Side{&x.From, &x.To} {
					at := int64(0)
					for _, m := range l.run.UnderWay(s.Num) {
						begin := at + frameLength
						if at = begin + m.Size; at > int64(len(s.Stream)) {
							break
						}
						text := decoded(s.Stream[begin:at], &m)
						require.NotContains(t, text, "cannot be decoded", m.What)
						if m.Version >= 0 && kmsg.RequestForKey(m.Key) != nil {
							require.Contains(t, text, "{", m.What)
							seen[m.What] = true
						}
					}
				}
			}
			var err error
			stop, err = l.Go(Target{Until: Event, Event: stop.Event + 5})
			require.NoError(t, err)
		}
	}
	for _, want := range []string{"Fetch v18", "answer to Fetch", "answer to Produce", "answer to Metadata", "answer to BrokerHeartbeat", "answer to ApiVersions"} {
		require.True(t, seen[want], "%s is not among %v", want, seen)
	}
}

func TestAMessageIsDecoded(t *testing.T) {
	l := open(t, kept(t, "m-P1"))
	for {
		stop, err := l.Go(Target{Until: Event, Event: l.c.Engine().Events + 1})
		require.NoError(t, err)
		require.Empty(t, stop.Over)
		text, err := l.Show("net", nil)
		require.NoError(t, err)
		_, after, ok := strings.Cut(text, "answer to Produce")
		if !ok || strings.Contains(after, "Produce") {
			continue
		}
		var from, to int
		_, err = fmt.Sscanf(text[strings.LastIndex(text[:len(text)-len(after)], "halves"):], "halves %d/%d", &from, &to)
		require.NoError(t, err)
		text, err = l.Show("net", []string{fmt.Sprint(to)})
		require.NoError(t, err)
		require.Regexp(t, `\{Version:\d+ Topics:\[\{Topic:"t1" Partitions:`, text)
		return
	}
}

func TestMistakesSayWhatToDo(t *testing.T) {
	for script, want := range map[string]string{
		"fly":                      "help lists them",
		"to noon":                  "use one such as 26.437s",
		"to":                       "to takes a time",
		"event -1":                 "use a number from 0 on",
		"event":                    "takes the number of an event",
		"next x":                   "use one such as 26.437s",
		"next 1 2":                 "a number of events",
		"violation; next":          "the run is over",
		"until the cows come home": "no event with",
		"change 1":                 "change 2 t0/0 10",
		"node 9":                   "use 1 to 1",
		"node":                     "a number from 1 to 1",
		"partition t1":             "node 1 lists them",
		"partition nowhere/0":      "node 1 lists those",
		"disk 1 nosuchfile":        "disk 1 lists all",
		"disk":                     "takes a node",
		"net x":                    "the number of a half",
		"net 99999":                "net all lists them",
		"trace 1000":               "256 are kept",
		"history; where now":       "where takes nothing",
	} {
		text, ok := said(t, script, kept(t, "m-P1"))
		require.False(t, ok, script)
		require.Contains(t, text, "error: ", script)
		require.Contains(t, text, want, script)
	}
}

// dying is a World whose process ends at an event.
type dying struct {
	World
	at int64
}

func (d dying) Go(t Target) (*Stop, error) {
	if t.Until != Event || t.Event >= d.at {
		return nil, &Gone{Why: "panic: raft"}
	}
	return d.World.Go(t)
}

func TestASessionOutlivesTheProcessOfItsRun(t *testing.T) {
	var out bytes.Buffer
	s := Session{Out: &out, Open: func() (World, error) { return dying{open(t, kept(t, "m-P1")), 500}, nil }}
	ok, err := s.Run(strings.NewReader("event 400\nviolation\nwhere\nevent 499\nquit\nnonsense"))
	require.NoError(t, err)
	require.False(t, ok)
	text := out.String()
	require.Contains(t, text, "panic: raft")
	require.Contains(t, text, "still stands at event 400")
	all := sections(text)
	require.Len(t, all, 5)
	require.Contains(t, all[2], "event 400 (")
	require.Contains(t, all[3], "event 499")
}
