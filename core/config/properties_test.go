package config

import (
	"fmt"
	"testing"
)

func TestPropertiesAreReadAsJavaReadsThem(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a=1\nb : 2\nc 3\nd\n", "[{a 1 1} {b 2 2} {c 3 3} {d  4}]"},
		{"# x\n ! y\n\n  a = b c \r\n", "[{a b c  4}]"},
		{"a=1,\\\n   2\nb=3", "[{a 1,2 1} {b 3 3}]"},
		{"a\\=b=c\\u0041\\t.\\q\\\\", "[{a=b cA\t.q\\ 1}]"},
		{"a=1\\\\\nb=2", "[{a 1\\ 1} {b 2 2}]"},
		{"#c\\\na=1", "[{a 1 2}]"},
		{"\ufeffa=", "[{a  1}]"},
		{"a=\\u00", "line 1: \\u needs four hexadecimal digits"},
	} {
		lines, err := parseProperties(c.text)
		got := fmt.Sprint(lines)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestNumbersAreReadInMillionths(t *testing.T) {
	for v, want := range map[string]int64{"0.5": 500000, "1": 1e6, "5e-1": 500000, ".25": 250000, "-2": -2e6, "0.0000001": 1, "1e300": 1 << 53, "1e-300": 1, "0": 0, "1.7976931348623157E308": 1 << 53} {
		if got, ok := parsePPM(v); !ok || got != want {
			t.Errorf("%s: got %d %v, want %d", v, got, ok, want)
		}
	}
	for _, v := range []string{"", "x", ".", "1e", "1..2", "0x1", "1e99999"} {
		if got, ok := parsePPM(v); ok {
			t.Errorf("%q: got %d", v, got)
		}
	}
}

func TestATopicTakesTheStrongestOfItsOwnAndTheBrokersSettings(t *testing.T) {
	n, _, err := Load(Args{Set: []string{"log.retention.minutes=2", "log.retention.hours=1", "internal.log.segment.bytes=200"}})
	if err != nil {
		t.Fatal(err)
	}
	if n.Topic.RetentionMS != 120000 || n.Topic.SegmentBytes != 200 {
		t.Errorf("static: %+v", n.Topic)
	}
	d := n.With(Pairs{{"log.retention.ms", "5"}, {"node.id", "9"}}, Pairs{{"log.cleanup.policy", "compact"}, {"nope", "1"}})
	if d.Topic.RetentionMS != 5 || !d.Topic.Compact || d.Topic.Delete || d.NodeID != 1 || n.Topic.RetentionMS != 120000 {
		t.Errorf("dynamic: %+v", d.Topic)
	}
	r := Resolve(d, Pairs{{"cleanup.policy", " delete , compact "}, {"retention.ms", "-1"}, {"segment.ms", "x"}})
	if !r.Delete || !r.Compact || r.RetentionMS != -1 || r.SegmentMS != 604800000 {
		t.Errorf("own: %+v", r)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("num.partitions=3\nlisteners=PLAINTEXT://:9092\\\n,CONTROLLER://[::1]:1", "log.dir=x", "KAFKA_NODE_ID=3")
	f.Fuzz(func(t *testing.T, file, set, env string) {
		n, _, err := Load(Args{File: file, Set: []string{set}, Env: []string{env}})
		if err == nil && (n.NodeID < 0 || n.LogDir == "" || len(n.Listeners) == 0 || len(n.Listeners) != len(n.Advertised) || n.NumPartitions < 1) {
			t.Fatalf("%+v", n)
		}
	})
}
