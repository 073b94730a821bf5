package assign

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded is one group that Apache Kafka 4.3.1's own assignors were given, and what they made of it. testdata/kafka.txt has lines
//
//	topic NAME PARTITIONS
//	member ID INSTANCE TOPICS CURRENT
//	uniform|range ID TARGET
//	end
type recorded struct {
	topics  []Topic
	members []Member
	uniform [][]TopicPartitions
	ranged  [][]TopicPartitions
}

func list(s string) []string {
	if s == "-" {
		return nil
	}
	return strings.Split(s, ",")
}

func topicPartitions(t *testing.T, s string) (out []TopicPartitions) {
	if s == "-" {
		return nil
	}
	for _, x := range strings.Split(s, ";") {
		name, ps, _ := strings.Cut(x, ":")
		tp := TopicPartitions{Topic: name, TopicID: topicID(number(t, name[1:]))}
		for _, p := range strings.Split(ps, ",") {
			tp.Partitions = append(tp.Partitions, int32(number(t, p)))
		}
		out = append(out, tp)
	}
	return out
}

func number(t *testing.T, s string) (n int) {
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func recordings(t *testing.T) (all []recorded) {
	f, err := os.Open("testdata/kafka.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r recorded
	for s := bufio.NewScanner(f); s.Scan(); {
		switch w := strings.Fields(s.Text()); w[0] {
		case "topic":
			n := number(t, w[1][1:])
			r.topics = append(r.topics, Topic{Name: w[1], ID: topicID(n), Partitions: int32(number(t, w[2]))})
		case "member":
			m := Member{ID: w[1], Topics: list(w[3]), Current: topicPartitions(t, w[4])}
			if w[2] != "-" {
				m.InstanceID = w[2]
			}
			r.members = append(r.members, m)
		case "uniform":
			r.uniform = append(r.uniform, topicPartitions(t, w[2]))
		case "range":
			r.ranged = append(r.ranged, topicPartitions(t, w[2]))
		case "end":
			all, r = append(all, r), recorded{}
		default:
			t.Fatalf("%q", s.Text())
		}
	}
	return all
}

// Where subscriptions differ, and with range, targets are Kafka's to the partition. Where they are the same, Kafka promises balance, and moves at least as
// much as we do.
func TestTargetsAreThoseOfApacheKafka(t *testing.T) {
	all := recordings(t)
	if len(all) < 100 {
		t.Fatalf("%d recordings", len(all))
	}
	for i, r := range all {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			same(t, r.ranged, Range(r.members, r.topics))
			got := Uniform(r.members, r.topics)
			owners(t, r.members, r.topics, got)
			if !newProblem(r.members, r.topics).homogeneous() {
				same(t, r.uniform, got)
				return
			}
			if a, b := loads(r.uniform), loads(got); !slices.Equal(a, b) {
				t.Fatalf("Kafka's loads %v, ours %v", a, b)
			}
			if a, b := moved(r.members, r.uniform), moved(r.members, got); b > a {
				t.Fatalf("Kafka moves %d partitions, we move %d", a, b)
			}
		})
	}
}

func loads(targets [][]TopicPartitions) (out []int) {
	for _, ps := range targets {
		out = append(out, load(ps))
	}
	slices.Sort(out)
	return out
}

// moved counts the partitions that a member has and is not to keep.
func moved(members []Member, targets [][]TopicPartitions) (n int) {
	for m := range members {
		for _, c := range members[m].Current {
			for _, p := range c.Partitions {
				if !slices.ContainsFunc(targets[m], func(tp TopicPartitions) bool { return tp.Topic == c.Topic && slices.Contains(tp.Partitions, p) }) {
					n++
				}
			}
		}
	}
	return n
}
