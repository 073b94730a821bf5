package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/records"
)

func TestABatchThatBenchSendsIsOneThatTheBrokerTakes(t *testing.T) {
	for _, sh := range []shape{rawShape, oneShape(1)} {
		b := encodeBatch(sh.records, sh.size)
		lim := records.Limits{MaxMessageBytes: 1 << 20, BeforeMaxMS: 1 << 62, AfterMaxMS: 1 << 62, Scratch: &records.Scratch{}}
		if c, text, _ := records.Check(b, lim); c != 0 {
			t.Errorf("%+v: want a valid batch, got %v %s", sh, c, text)
		}
		if next, n := walk(append(b, b[:100]...), 0); next != int64(sh.records) || n != len(b) {
			t.Errorf("%+v: want %d records in %d bytes, got %d in %d", sh, sh.records, len(b), next, n)
		}
	}
}

func TestALineHasTheMedianOfItsRunsAndARatioSetsItAgainstTheOther(t *testing.T) {
	run := func(cpu float64) *sample {
		return &sample{seconds: 2, cpu: cpu, records: 2e6, requests: 1e4, bytes: 2e9, rss: 1e7, times: []time.Duration{3e6, 1e6, 2e6}}
	}
	var out bytes.Buffer
	ours, theirs := &system{name: "seedlog", flush: "os"}, &system{name: "kafka", flush: "os"}
	report(&out, "x", []*system{ours, theirs}, [][]*sample{{run(1), run(9), run(2)}, {run(8)}})
	want := `{"bench":"x","system":"seedlog","flush":"os","rate_per_s":1000000,"cpu_s_per_gb":1,"cpu_us_per_req":200,"p50_ms":2,"p99_ms":3,"p999_ms":3,"rss_mb":10,"runs":3}
{"bench":"x","system":"kafka","flush":"os","rate_per_s":1000000,"cpu_s_per_gb":4,"cpu_us_per_req":800,"p50_ms":2,"p99_ms":3,"p999_ms":3,"rss_mb":10,"runs":1}
{"bench":"x","system":"seedlog","flush":"os","against":"kafka","ratio_cpu":0.25,"ratio_rate":1,"ratio_p99":1,"ratio_p999":1,"ratio_rss":1}
`
	if got := out.String(); got != want {
		t.Errorf("want\n%sgot\n%s", want, got)
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	for _, bad := range []map[string]string{{"RUNS": "0"}, {"RUNS": "x"}, {"SCALE": "-1"}, {"WARM": "1e9"}, {"ONLY": "("}} {
		if _, err := parse(func(k string) string { return bad[k] }); err == nil {
			t.Errorf("%v: want an error", bad)
		}
	}
	if o, err := parse(func(string) string { return "" }); err != nil || o.runs != 3 || o.scale != 1 {
		t.Errorf("want the defaults, got %+v, %v", o, err)
	}
}

func TestWhatACompactedTopicIsFilledWithIsTakenAndGoesAsFarAsItIsSaidTo(t *testing.T) {
	d := newDirt(0)
	last, b := map[string]int{}, append([]byte(nil), d.batch...)
	for n := range d.batches {
		d.write(b, n)
		lim := records.Limits{MaxMessageBytes: 1 << 20, BeforeMaxMS: 1 << 62, AfterMaxMS: 1 << 62, NeedKeys: true, Scratch: &records.Scratch{}}
		if c, text, _ := records.Check(b, lim); c != 0 {
			t.Fatalf("want a valid batch, got %v %s", c, text)
		}
		for i, at := range d.at {
			last[string(b[at:at+dirtyKey])] = n*dirtyRecords + i
		}
	}
	stays := map[int]bool{}
	for _, o := range last {
		stays[o/dirtyRecords] = true
	}
	size := int64(len(last)*(len(b)-headerSize)/dirtyRecords + len(stays)*headerSize)
	if want := d.bytes() - dirtyPartitions*size; d.gone()/100 != want/100 || want < d.bytes()/2 {
		t.Errorf("want %d bytes of %d gone, got %d", want, d.bytes(), d.gone())
	}
}

func TestAGroupIsSettledWhenAllHaveToldOfEvenPartsInOneEpoch(t *testing.T) {
	a, b := new(member), new(member)
	half := part{3, groupPartitions / 2}
	for _, x := range []struct {
		parts map[*member]part
		want  bool
	}{
		{map[*member]part{a: half, b: half}, true},
		{map[*member]part{a: half}, false},
		{map[*member]part{a: half, b: {2, groupPartitions / 2}}, false},
		{map[*member]part{a: half, b: {3, groupPartitions/2 - 1}}, false},
		{map[*member]part{a: {3, groupPartitions/2 + 1}, b: {3, groupPartitions/2 - 1}}, false},
		{map[*member]part{a: {-1, groupPartitions / 2}, b: {-1, groupPartitions / 2}}, false},
	} {
		if got, text, _ := (&group{parts: x.parts}).even(2); got != x.want {
			t.Errorf("want %v, got %v: %s", x.want, got, text)
		}
	}
}
