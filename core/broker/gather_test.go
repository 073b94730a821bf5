package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
)

// newMemberNode makes a node of a cluster of three that has not started.
func newMemberNode(t *testing.T) *node {
	return newNode(t, newMemDisk(), 1, "node.id=1", "controller.quorum.bootstrap.servers=127.0.0.1:9093,127.0.0.1:9094,127.0.0.1:9095",
		"listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093")
}

func TestEachProposalGetsItsOwnAnswerWhateverTheirOrder(t *testing.T) {
	s := newMemberNode(t).shards[0].s
	s.env.Out = &step.Effects{}
	x := &s.member.alters
	key := func(topic byte, n int32) api.PartKey { return api.PartKey{ID: [16]byte{topic}, Number: n} }
	for _, k := range []api.PartKey{key(1, 0), key(2, 0), key(1, 1), key(3, 0)} {
		x.inFlight = append(x.inFlight, &alter{key: k, shard: 1})
	}
	answer := func(n int32, code kerr.Code) kmsg.AlterPartitionResponseTopicPartition {
		return kmsg.AlterPartitionResponseTopicPartition{Partition: n, ErrorCode: int16(code), LeaderID: 7, PartitionEpoch: 10 + n}
	}
	r := kmsg.NewPtrAlterPartitionResponse()
	r.Topics = []kmsg.AlterPartitionResponseTopic{
		{TopidID: [16]byte{2}, Partitions: []kmsg.AlterPartitionResponseTopicPartition{answer(0, kerr.InvalidUpdateVersion), answer(9, kerr.None)}},
		{TopidID: [16]byte{1}, Partitions: []kmsg.AlterPartitionResponseTopicPartition{answer(1, kerr.None), answer(0, kerr.IneligibleReplica)}},
	}
	x.answered(r)
	if len(s.env.Out.Mail) != 4 || len(x.inFlight) != 0 {
		t.Fatalf("%d answers, and %d wait", len(s.env.Out.Mail), len(x.inFlight))
	}
	for i, want := range []struct {
		key   api.PartKey
		code  kerr.Code
		epoch int32 // of the state, 0: none
	}{{key(1, 0), kerr.IneligibleReplica, 0}, {key(2, 0), kerr.InvalidUpdateVersion, 0}, {key(1, 1), kerr.None, 11}, {key(3, 0), kerr.UnknownServerError, 0}} {
		a := s.env.Out.Mail[i].Body.(*alter)
		if a.key != want.key || a.code != want.code || (a.state != nil) != (want.epoch > 0) || a.state != nil && a.state.PartitionEpoch != want.epoch {
			t.Errorf("%d: %+v, want %+v", i, *a, want)
		}
	}
}

func TestWhatGathersInOneRoundIsAskedForOnce(t *testing.T) {
	e := env.New(0, &buf.Pool{}, prng.New(1))
	e.Out = &step.Effects{}
	var g gather[int]
	var asked [][]int
	g.begin(e, 3, func(batch []int) { asked = append(asked, slices.Clone(batch)) })
	want := func(what string, n int, batch ...int) {
		t.Helper()
		if len(asked) != n || !slices.Equal(asked[n-1], batch) {
			t.Fatalf("%s: asked %v, want %v the last of %d", what, asked, batch, n)
		}
	}
	for i := range 5 {
		g.add(i)
	}
	e.FlushDirty()
	want("five in one round", 1, 0, 1, 2)
	g.add(5)
	e.FlushDirty()
	want("one more meanwhile", 1, 0, 1, 2)
	g.later()
	g.add(6)
	e.FlushDirty()
	want("no controller", 1, 0, 1, 2)
	e.Timers.Cancel(&g.timer)
	g.TimerFired(nil)
	want("after a while", 2, 0, 1, 2)
	if got := g.done(); !slices.Equal(got, []int{0, 1, 2}) {
		t.Fatalf("answered %v", got)
	}
	e.FlushDirty()
	want("the rest", 3, 3, 4, 5)
}

func TestReplicasInOtherDirectoriesThanTheImageSaysAreAssignedOnce(t *testing.T) {
	s := newMemberNode(t).shards[0].s
	s.env.Out = &step.Effects{}
	s.state.Dirs[0].ID = [16]byte{9}
	topic := func(id byte, dirs ...byte) *metadata.Topic {
		x := &metadata.Topic{Name: "t", ID: [16]byte{id}}
		for _, d := range dirs {
			x.Partitions = append(x.Partitions, metadata.Partition{Replicas: []int32{2, 1}, Dirs: [][16]byte{{1}, {d}}})
		}
		return x
	}
	at := func(t *metadata.Topic, n int32) *replica.Partition {
		return replica.New(s.env, t.Name, t.ID, n, 0, true)
	}
	a, b := topic(1, 9, 8, 0), topic(2, 7)
	for range 2 {
		for n := range a.Partitions {
			s.checkDirectory(a, at(a, int32(n)))
		}
		s.checkDirectory(b, at(b, 0))
	}
	x := &s.assigns
	key := func(topic byte, n int32) assign {
		return assign{api.PartKey{ID: [16]byte{topic}, Number: n}, [16]byte{9}}
	}
	if want := []assign{key(1, 1), key(1, 2), key(2, 0)}; !slices.Equal(x.queue, want) {
		t.Fatalf("queued %v, want %v", x.queue, want)
	}
	s.env.FlushDirty() // nobody leads: the same is asked again later
	if len(x.inFlight) != 3 || !x.timer.IsSet() {
		t.Fatalf("%d in flight", len(x.inFlight))
	}
	x.answered(&kmsg.AssignReplicasToDirsResponse{ErrorCode: int16(kerr.NotController)})
	if s.checkDirectory(b, at(b, 0)); len(x.inFlight) != 3 || len(x.queue) != 0 {
		t.Fatalf("%d in flight and %d queued after a refusal", len(x.inFlight), len(x.queue))
	}
	x.answered(&kmsg.AssignReplicasToDirsResponse{})
	if s.checkDirectory(b, at(b, 0)); len(x.inFlight) != 0 || len(x.queue) != 1 {
		t.Fatalf("%d in flight and %d queued after an answer that an image does not bear out", len(x.inFlight), len(x.queue))
	}
}
