package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/oracle"
)

const sec = int64(1e9)

// broken is a small run of two brokers whose leader forgot a record.
func broken() *Run {
	return &Run{
		Head: Head{Seed: 7, Plan: "sha256:ab", Trace: "cd", Verdict: Fail, Build: "rev", Go: "go1", Nodes: 2, Shards: 1, Clients: 1, Flush: "ack",
			Replay: "make sim SEED=7", End: 9 * sec, Events: 1234567},
		Violation: &Violation{Property: "I:I3", At: 9 * sec, Was: "v1.3", Is: "t/0 offset 3: nothing", Key: "t/0", Offset: 3, Record: true, Last: []string{"a line"}},
		Checks:    []Check{{Name: "I:I3", Checked: 12}, {Name: "I:S2"}, {Name: "history:M1", Checked: 4, Unchecked: 1}, {Name: "history:M1 strong reads", Checked: 3}, {Name: "history:M1 weak reads"}},
		Faults:    []FaultCount{{Class: "F:D1", On: true, Count: 1}, {Class: "F:N8", On: true}},
		Spans:     []Span{{Begin: 3 * sec, End: 5 * sec, Class: "F:D1", Node: 1, Text: "loses power"}, {Begin: sec, End: 2 * sec, Class: "F:N5", Node: 2, Text: "isolate"}},
		Lanes:     []NodeLane{{Lives: []Span{{End: 3 * sec, Text: "process 1, lost its power"}, {Begin: 5 * sec, End: 9 * sec, Text: "process 2"}}}, {Lives: []Span{{End: 9 * sec}}}},
		Control:   []Span{{Begin: sec, End: 9 * sec, Node: 2}},
		Parts: []Part{{Key: "t/0", Leaders: []Lead{{Begin: sec, End: 3 * sec, Node: 1, Epoch: 4}}, States: []State{{At: sec, Leader: 1, Epoch: 4, ISR: []int{1, 2}, Want: 2}},
			Marks: []Offset{{At: sec, Stable: 1, High: 2, End: 3}}, Step: 1000}},
		Roles: []Role{{ID: 1, Name: "producer"}},
		Ops:   []Op{{Client: 1, F: "send", Key: "t/0", Begin: 2 * sec, End: 2*sec + 5e6, Type: "ok", Text: "1 records", About: true}, {Client: 1, F: "poll", Key: "t/0", Begin: 4 * sec, End: 9 * sec, Type: "open"}},
		Messages: []Message{
			{Sent: 2 * sec, Taken: 2*sec + 1e6, From: -2, To: 1, What: "Produce v13", Size: 99, About: true},
			{Sent: 2*sec + 1, Taken: -1, From: 1, To: 2, What: "answer to Fetch", Size: 140, About: true, Idle: true},
			{Sent: 2*sec + 2, Taken: 3 * sec, From: 1, To: 2, What: "raft", Quiet: true},
		},
		Copies: []Copy{{At: sec, Node: 1, End: 3, Synced: 3, High: 2, Fresh: true}, {At: 2*sec + 3e6, Node: 1, End: 4, Synced: 3, High: 3}, {At: 2*sec + 4e6, Node: 1, End: 4, Synced: 4, High: 4},
			{At: 5 * sec, Node: 1, End: 3, Synced: 3, High: 3, Fresh: true}},
		Windows: []Window{{Model: "M1", Key: "t/0", Detail: "no order explains read from 3: nothing", Left: 7, Ops: []WindowOp{
			{Client: 1, Begin: 4, End: 9, At: 2 * sec, What: "append [3,4)", Place: 8}, {Client: 2, Begin: 5, End: -1, At: 2 * sec, What: "append [4,5)"},
			{Client: -1, Begin: 11, End: 12, At: 4 * sec, What: "read from 3: nothing", Bad: true}}}},
		Grids:     []Grid{{Key: "t/0", Begin: 0, Step: 1, Records: 4, Told: "aulx", Readers: []Reader{{Client: 2, Saw: "sp!."}}}, {Key: "x/0", ByRead: true, Step: 2, Records: 3, Told: "co", Readers: []Reader{}}},
		Near:      []Near{{Offset: 3, Value: "v1.3", Told: "a", Sender: 1, SentAt: 2 * sec, Saw: []Seen{{Client: 2, At: 3 * sec, Value: "v1.3"}, {Client: 2, At: 4 * sec, Value: "v9.9"}}}, {Offset: 4, Told: ".", SentAt: -1}},
		Marks:     map[string]int64{"election-while-preparing": 2, "crash-in-recovery": 0},
		Board:     []Row{{"m:P1", "a sync is counted too early", "I:I3"}},
		Resembles: []Bug{{Mutant: "m:P1", Text: "a sync is counted too early", Signs: "broke this property first when it was put back"}},
		Changes:   map[string]int64{"restarts": 1, "elections": 1},
		Cut:       map[string]int64{"operations": 5, "faults": 0},
	}
}

func written(t *testing.T, r *Run, against *Difference) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteHTML(&b, against))
	return b.String()
}

func TestThePageTellsOfTheViolation(t *testing.T) {
	s := written(t, broken(), nil)
	for _, want := range []string{
		"After 9.000 s a promise did not hold on partition t/0", "is still in the log", "make sim SEED=7", "sha256:ab", "v1.3", "t/0 offset 3: nothing", "not exercised", "1,234,567",
		"Produce v13, 99 B", "answer to Fetch, 140 B", "leads t/0, epoch 4", "process 1, lost its power", "partition: isolate", "I:I3 is broken", "I:I3 is found broken", "m:P1", "a sync is counted too early", "5 operations", "a line", "reads judged strictly: 3; reads that may lag: 0", "history:lost-write",
		"At 2.005 s client c1 producer is told that its batch with offset 3 of t/0 (v1.3) is stored", "offset 3 is written", "offset 3 is synced and committed", "finds t/0 with end 3 (was 4)", "its log of t/0 ends at 4 and is synced up to 4",
		"no order explains read from 3", "fits nowhere", "7 operations that came first", "offset 1: outcome unknown", "seen as another value", "4.000 s as v9.9", "records 0 to 1: committed",
		"election-while-preparing", "1 of 2 marks", "Planted bugs", "broke this property first",
	} {
		require.Contains(t, s, want)
	}
	require.NotContains(t, s, "raft, 0 B")
	require.NotContains(t, s, "ZgotmplZ", "the template language has refused a value")
}

func TestWhatFaultsMetIsCountedOrReadFromTheirBegins(t *testing.T) {
	r := broken()
	m := r.matrix()
	require.Equal(t, "F:D1", m.Rows[0].Class)
	require.Equal(t, int64(1), m.Rows[0].Cells[0])
	r.Spans = append(r.Spans, Span{Begin: 4 * sec, End: 5 * sec, Class: "F:D1", Node: 2})
	m = r.matrix()
	at := func(name string) int64 {
		for i, c := range m.Columns {
			if c == name {
				return m.Rows[0].Cells[i]
			}
		}
		return -1
	}
	require.Equal(t, int64(2), at("any time"))
	require.Equal(t, int64(1), at("a broker down"))
	require.Equal(t, int64(1), at("another fault on"))
	require.Equal(t, int64(1), at("a read open"))
	require.Equal(t, int64(0), at("no controller"))
	r.Met = map[string]int64{"F:D1/recovery": 3, "F:D1/steady": 5, "F:P1/steady": 7}
	m = r.matrix()
	require.Equal(t, []string{"recovery", "steady"}, m.Columns)
	require.Equal(t, []int64{3, 5}, m.Rows[0].Cells)
	require.Equal(t, []int64{0, 7}, m.Rows[1].Cells)
	require.Contains(t, written(t, r, nil), "In how many rounds")
}

func TestThePageAsksForNothingFromOutside(t *testing.T) {
	s := written(t, broken(), nil)
	for _, never := range []string{"http:", "https:", "src=", "@import", "url(h", "<link"} {
		require.NotContains(t, s, never)
	}
	require.Contains(t, s, "default-src 'none'")
}

func TestTheSameRunIsTheSameBytes(t *testing.T) {
	require.Equal(t, written(t, broken(), nil), written(t, broken(), nil))
	var a, b bytes.Buffer
	require.NoError(t, broken().WriteLines(&a))
	require.NoError(t, broken().WriteLines(&b))
	require.Equal(t, a.String(), b.String())
}

// What a run says comes from plans, clients and panics: it is text, wherever it stands.
func TestWhatARunSaysNeverBecomesMarkup(t *testing.T) {
	const evil = `</script><img src=x onerror=alert(1)>"'&`
	r := broken()
	r.Replay, r.Harness, r.Build, r.Bug, r.Mutant = evil, evil, evil, evil, evil
	v := r.Violation
	v.Was, v.Is, v.Key, v.Last, v.Stack = evil, evil, evil, []string{evil}, evil
	r.Checks[1].Name, r.Faults[0].Class, r.Spans[1].Text, r.Lanes[0].Lives[0].Text = evil, evil, evil, evil
	r.Parts[0].Key, r.Roles[0].Name, r.Ops[0].Text, r.Ops[0].Key, r.Messages[0].What, r.Resembles[0].Text = evil, evil, evil, evil, evil, evil
	r.Changes[evil], r.Cut[evil], r.Marks[evil] = 1, 1, 1
	r.Windows[0].Detail, r.Windows[0].Key, r.Windows[0].Ops[0].What, r.Grids[0].Key, r.Near[0].Value, r.Near[0].Saw[1].Value, r.Board[0].Here, r.Resembles[0].Signs = evil, evil, evil, evil, evil, evil, evil, evil
	o := broken()
	o.Build, o.Ops[0].Text = evil+"2", evil+"2"
	s := written(t, r, r.Compare(o))
	require.NotContains(t, s, "<img")
	require.Equal(t, 2, strings.Count(s, "</script>"), "one for the data, one for the script")
}

func TestEveryPropertyHasASentence(t *testing.T) {
	checks, _ := oracle.NewSuite().Checked()
	for name := range checks {
		require.True(t, Known(name), "%s has no sentence in guarantees.go", name)
	}
	for name := range anomaly.Check(nil).Checkers {
		require.True(t, Known("history:"+name), "history:%s has no sentence in guarantees.go", name)
	}
	for _, name := range []string{"history:M1", "history:M2", "history:M3", "history:M4", "liveness", "assert", "contract", "fatal", "oracle", "repair", "I:I2", "I:I10"} {
		require.True(t, Known(name), name)
	}
	require.False(t, Known("I:none"))
}

// Names that break and are never counted stand in the oracles' own source.
func TestEveryPropertyThatAnOracleNamesHasASentence(t *testing.T) {
	files, err := filepath.Glob("../oracle/*.go")
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`fail\("([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			found++
			require.True(t, Known(m[1]) || m[1] == "history:", "%s has no sentence in guarantees.go", m[1])
		}
	}
	require.Greater(t, found, 10)
}

func TestEveryClassOfFaultHasASentence(t *testing.T) {
	for c := fault.None + 1; c < fault.Count; c++ {
		require.NotEmpty(t, FaultText(c.String()), c.String())
		require.NotEmpty(t, FaultName(c.String()), c.String())
	}
}

func TestNoSentenceIsSaidTwice(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.rows {
			require.False(t, seen[r.name], r.name)
			seen[r.name] = true
		}
	}
}

func TestTheTwinComesBackAsItWasWritten(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, broken().WriteLines(&b))
	for _, l := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		var x struct{ Type string }
		require.NoError(t, json.Unmarshal([]byte(l), &x))
		require.NotEmpty(t, x.Type)
	}
	r, err := ReadLines(&b)
	require.NoError(t, err)
	require.Equal(t, broken(), r)
	for _, bad := range []string{"", "{}", "no json", `{"type":"run"}`} {
		_, err := ReadLines(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}

func TestADifferenceNamesTheFirstOperationThatIsAnother(t *testing.T) {
	r, o := broken(), broken()
	require.Equal(t, &Difference{Other: o.Head, Same: true}, r.Compare(o))
	o.Trace, o.Ops[1].Type, o.Checks[0].Checked, o.Changes["restarts"] = "ef", "ok", 13, 0
	o.Violation, o.Verdict = nil, Pass
	d := r.Compare(o)
	require.False(t, d.Same)
	require.Equal(t, []string{"Here: at 4.000 s client 1: poll t/0 (), never answered", "There: at 4.000 s client 1: poll t/0 (), ok after 5000.0 ms"}, d.First)
	require.Equal(t, []Row{{"verdict", Fail, Pass}, {"property", "I:I3", ""}, {"trace", "cd", "ef"}}, d.Heads)
	require.Equal(t, []Row{{"checks of I:I3", "12", "13"}, {"restarts", "1", "0"}}, d.Rows)
	require.Contains(t, written(t, r, d), "There: at 4.000 s client 1")
	o.Ops = o.Ops[:1]
	require.Contains(t, r.Compare(o).First[0], "The other run has no more operations")
}

func TestVerdictsAreSentences(t *testing.T) {
	r := broken()
	r.Violation, r.Verdict, r.Healed = nil, Pass, 6*sec
	require.Equal(t, "Nothing was broken: a cluster of 2 brokers with 1 client ran for 9.000 s under faults, the last 3.000 s of it healed, and 16 checks found everything as promised.", r.Sentence())
	r.Verdict = Unchecked
	require.Contains(t, r.Sentence(), "1 check could not be decided")
	r.Verdict, r.Harness = Harness, "too many events"
	require.Contains(t, r.Sentence(), "too many events")
	require.Nil(t, r.story())
	require.NotContains(t, written(t, r, nil), "What came before")
}

func TestNumbersHaveTheirThousandsApart(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "−1,000"} {
		require.Equal(t, want, Number(n))
	}
}
