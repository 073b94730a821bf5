package assign

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// someTopics draws topics by name.
func someTopics(t *rapid.T, maxPartitions int) []Topic {
	n := rapid.IntRange(0, 6).Draw(t, "topics")
	var out []Topic
	for i := range n {
		out = append(out, Topic{Name: fmt.Sprintf("t%d", i), ID: topicID(i), Partitions: int32(rapid.IntRange(1, maxPartitions).Draw(t, "partitions"))})
	}
	return out
}

func topicID(n int) [16]byte { return [16]byte{15: byte(n + 1)} }

func someNames(t *rapid.T) []string {
	var out []string
	for i := range 7 {
		if rapid.Bool().Draw(t, "subscribed") {
			out = append(out, fmt.Sprintf("t%d", i))
		}
	}
	return out
}

// someMembers draws members who subscribe to the same, or each to its own.
func someMembers(t *rapid.T, alike bool) []Member {
	n := rapid.IntRange(1, 9).Draw(t, "members")
	names := someNames(t)
	var out []Member
	for i := range n {
		m := Member{ID: fmt.Sprintf("m%d", i), Topics: names}
		if !alike {
			m.Topics = someNames(t)
		}
		if rapid.Bool().Draw(t, "static") {
			m.InstanceID = fmt.Sprintf("i%d", rapid.IntRange(0, 99).Draw(t, "instance")*10+i)
		}
		out = append(out, m)
	}
	return out
}

// garble draws what members have now: anything.
func garble(t *rapid.T, members []Member, topics []Topic) {
	for i := range members {
		for n := range 8 {
			if !rapid.Bool().Draw(t, "has") {
				continue
			}
			c := TopicPartitions{Topic: fmt.Sprintf("t%d", n), TopicID: topicID(n)}
			if rapid.IntRange(0, 9).Draw(t, "made anew") == 0 {
				c.TopicID = topicID(100)
			}
			c.Partitions = rapid.SliceOfN(rapid.Int32Range(-2, 12), 0, 8).Draw(t, "partitions")
			slices.Sort(c.Partitions)
			members[i].Current = append(members[i].Current, c)
		}
	}
}

func load(ps []TopicPartitions) (n int) {
	for _, p := range ps {
		n += len(p.Partitions)
	}
	return n
}

type partition struct {
	topic string
	n     int32
}

// owners checks what every assignor promises, and gives each partition's owner.
func owners(t tb, members []Member, topics []Topic, got [][]TopicPartitions) map[partition]int {
	t.Helper()
	if len(got) != len(members) {
		t.Fatalf("%d members, %d targets", len(members), len(got))
	}
	out := map[partition]int{}
	for m, ps := range got {
		for i, p := range ps {
			if i > 0 && ps[i-1].Topic >= p.Topic || !slices.IsSorted(p.Partitions) || len(p.Partitions) == 0 {
				t.Fatalf("%s: not in order, or nothing: %v", members[m].ID, ps)
			}
			if !slices.Contains(members[m].Topics, p.Topic) {
				t.Fatalf("%s does not subscribe to %s", members[m].ID, p.Topic)
			}
			for _, n := range p.Partitions {
				if old, ok := out[partition{p.Topic, n}]; ok {
					t.Fatalf("%s-%d belongs to %s and %s", p.Topic, n, members[old].ID, members[m].ID)
				}
				out[partition{p.Topic, n}] = m
			}
		}
	}
	want := 0
	for _, topic := range topics {
		if !slices.ContainsFunc(members, func(m Member) bool { return slices.Contains(m.Topics, topic.Name) }) {
			continue
		}
		want += int(topic.Partitions)
		for n := range topic.Partitions {
			if _, ok := out[partition{topic.Name, n}]; !ok {
				t.Fatalf("%s-%d belongs to nobody", topic.Name, n)
			}
		}
		for _, ps := range got {
			for _, p := range ps {
				if p.Topic == topic.Name && p.TopicID != topic.ID {
					t.Fatalf("%s has the id %x", p.Topic, p.TopicID)
				}
			}
		}
	}
	if want != len(out) {
		t.Fatalf("%d partitions to assign, %d assigned", want, len(out))
	}
	return out
}

func with(members []Member, targets [][]TopicPartitions) []Member {
	out := slices.Clone(members)
	for i := range out {
		out[i].Current = targets[i]
	}
	return out
}

func same(t tb, want, got [][]TopicPartitions) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d and %d targets", len(want), len(got))
	}
	for i := range want {
		if len(want[i])+len(got[i]) > 0 && !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("target %d\nwant %v\n got %v", i, want[i], got[i])
		}
	}
}

func TestEachPartitionHasOneOwnerWhoSubscribesToIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := someTopics(t, 10)
		members := someMembers(t, rapid.Bool().Draw(t, "alike"))
		garble(t, members, topics)
		for _, assign := range []Assignor{Uniform, Range} {
			got := assign(members, topics)
			owners(t, members, topics, got)
			same(t, got, assign(members, topics))
		}
	})
}

func TestUniformWithTheSameTopicsIsBalancedAndMovesNoMoreThanItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := someTopics(t, 12)
		members := someMembers(t, true)
		members = with(members, Uniform(members, topics))
		members = change(t, members)
		for i := range topics {
			topics[i].Partitions += int32(rapid.IntRange(0, 3).Draw(t, "new partitions"))
		}
		got := Uniform(members, topics)
		byPartition := owners(t, members, topics, got)
		least, most := len(byPartition), 0
		for _, ps := range got {
			least, most = min(least, load(ps)), max(most, load(ps))
		}
		if most-least > 1 {
			t.Fatalf("one member has %d, one has %d", least, most)
		}
		kept := 0
		for m := range members {
			for _, c := range members[m].Current {
				for _, n := range c.Partitions {
					if owner, ok := byPartition[partition{c.Topic, n}]; ok && owner == m {
						kept++
					}
				}
			}
		}
		if want := canKeep(members, len(byPartition)); kept != want {
			t.Fatalf("%d partitions stay where they are, %d could", kept, want)
		}
		same(t, got, Uniform(with(members, got), topics))
	})
}

// canKeep: of all balanced assignments the best leaves everybody its share, and the larger shares to those who have that many.
func canKeep(members []Member, total int) (n int) {
	least, more := total/len(members), total%len(members)
	for _, m := range members {
		had := load(m.Current)
		n += min(had, least)
		if had > least && more > 0 {
			n++
			more--
		}
	}
	return n
}

// change lets members go and come.
func change(t *rapid.T, members []Member) []Member {
	names := members[0].Topics
	out := slices.DeleteFunc(slices.Clone(members), func(Member) bool { return rapid.IntRange(0, 4).Draw(t, "leaves") == 0 })
	for i := range rapid.IntRange(0, 3).Draw(t, "new members") {
		out = append(out, Member{ID: fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"a", "m3", "z"}).Draw(t, "where"), i), Topics: names})
	}
	if len(out) == 0 {
		return members
	}
	slices.SortFunc(out, func(a, b Member) int { return compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b Member) bool { return a.ID == b.ID })
}

// tb is a test, a benchmark or a property.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}
