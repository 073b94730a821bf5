package assign

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestUniformWithDifferentTopicsLeavesNoMoveThatWouldHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := someTopics(t, 12)
		members := someMembers(t, false)
		garble(t, members, topics)
		got := Uniform(members, topics)
		for p, owner := range owners(t, members, topics, got) {
			for m := range members {
				if slices.Contains(members[m].Topics, p.topic) && load(got[owner])-load(got[m]) > 1 {
					t.Fatalf("%s has %d and owns %s-%d, which %s could have, who has %d", members[owner].ID, load(got[owner]), p.topic, p.n, members[m].ID, load(got[m]))
				}
			}
		}
		same(t, got, Uniform(with(members, got), topics))
	})
}

func TestUniformWithDifferentTopicsTakesNothingAwayWithoutNeed(t *testing.T) {
	topics := []Topic{{"a", topicID(0), 6}, {"b", topicID(1), 3}}
	members := []Member{{ID: "m0", Topics: []string{"a", "b"}}, {ID: "m1", Topics: []string{"a"}}}
	members = with(members, Uniform(members, topics))
	members = append(members, Member{ID: "m2", Topics: []string{"b"}})
	got := Uniform(members, topics)
	if n := moved(members, got); n != 3 {
		t.Fatalf("m2 gets three of nine: %d partitions moved, to %v", n, got)
	}
}

func TestNobodyIsAssignedNothing(t *testing.T) {
	topics := []Topic{{"a", topicID(0), 3}}
	for _, assign := range []Assignor{Uniform, Range} {
		if got := assign(nil, topics); len(got) != 0 {
			t.Errorf("no members: %v", got)
		}
		if got := assign([]Member{{ID: "m"}}, topics); len(got) != 1 || len(got[0]) != 0 {
			t.Errorf("no topics: %v", got)
		}
		if got := assign([]Member{{ID: "m", Topics: []string{"gone"}}, {ID: "n", Topics: []string{"gone", "too"}}}, nil); len(got) != 2 || len(got[0])+len(got[1]) != 0 {
			t.Errorf("no topic that exists: %v", got)
		}
	}
}

func TestRangeGivesAStaticMemberItsPlaceUnderAnyMemberID(t *testing.T) {
	topics := []Topic{{"a", topicID(0), 3}, {"b", topicID(1), 3}}
	names := []string{"a", "b"}
	before := Range([]Member{{ID: "m0", InstanceID: "i0", Topics: names}, {ID: "m1", InstanceID: "i1", Topics: names}}, topics)
	after := Range([]Member{{ID: "m2", InstanceID: "i1", Topics: names}, {ID: "m3", InstanceID: "i0", Topics: names}}, topics)
	same(t, before, [][]TopicPartitions{after[1], after[0]})
	if fmt.Sprint(before[0][0].Partitions, before[0][1].Partitions) != "[0 1] [0 1]" {
		t.Errorf("the first of two: %v", before[0])
	}
}

func benchmark(b *testing.B, assign Assignor, members, topics, partitions int, alike bool) {
	var ts []Topic
	var names []string
	for i := range topics {
		ts = append(ts, Topic{Name: fmt.Sprintf("t%05d", i), ID: [16]byte{14: byte(i >> 8), 15: byte(i)}, Partitions: int32(partitions / topics)})
		names = append(names, ts[i].Name)
	}
	var ms []Member
	for i := range members {
		m := Member{ID: fmt.Sprintf("m%05d", i), Topics: names}
		if !alike {
			m.Topics = names[i%len(names)/2:]
		}
		ms = append(ms, m)
	}
	joined := with(ms[1:], assign(ms[1:], ts))
	joined = append([]Member{ms[0]}, joined...)
	b.ReportAllocs()
	for b.Loop() {
		assign(joined, ts)
	}
}

// One member joins; ms on one core of a machine that did other things: 100 members and 1,000 partitions in 10 topics 0.04 (apart 0.2, range 1), 1,000 and
// 10,000 in 100 topics 4 (apart 60, range 50).
func BenchmarkUniform100x1000(b *testing.B)        { benchmark(b, Uniform, 100, 10, 1_000, true) }
func BenchmarkUniform1000x10000(b *testing.B)      { benchmark(b, Uniform, 1_000, 100, 10_000, true) }
func BenchmarkUniformApart100x1000(b *testing.B)   { benchmark(b, Uniform, 100, 10, 1_000, false) }
func BenchmarkUniformApart1000x10000(b *testing.B) { benchmark(b, Uniform, 1_000, 100, 10_000, false) }
func BenchmarkRange100x1000(b *testing.B)          { benchmark(b, Range, 100, 10, 1_000, true) }
func BenchmarkRange1000x10000(b *testing.B)        { benchmark(b, Range, 1_000, 100, 10_000, true) }

func TestATopicThatWasMadeAnewBelongedToNobody(t *testing.T) {
	topics := []Topic{{"a", topicID(1), 2}}
	members := []Member{{ID: "m0", Topics: []string{"a"}}, {ID: "m1", Topics: []string{"a"}, Current: []TopicPartitions{{"a", topicID(0), []int32{0}}}}}
	if got := Uniform(members, topics); !slices.Equal(got[0][0].Partitions, []int32{0}) {
		t.Errorf("the first member gets the first partition: %v", got)
	}
}
