package oracle

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// three is a cluster of three nodes with one partition, whose state tests set by hand.
type three struct {
	img   *metadata.Image
	own   [3]*metadata.Image
	lives [3]int
	parts [3]Partition
	logs  [3][][]byte
	calm  clock.Time
	epoch int32 // that logs know of all they hold

	starting bool // the processes run, and none was unfenced yet
	killed   bool // what was before the present processes
	s        *Suite
}

var topicID = [16]byte{7}

func newThree() *three {
	v := &three{s: NewSuite(), lives: [3]int{1, 1, 1}}
	v.img = metadata.Empty()
	records := []metadata.Record{&metadata.ClusterRecord{ClusterID: "c"}}
	for n := int32(1); n <= 3; n++ {
		records = append(records, &metadata.RegisterBrokerRecord{NodeID: n, Incarnation: [16]byte{byte(n), 1}, BrokerEpoch: -1,
			Listeners: []metadata.Listener{{Name: "PLAINTEXT", Host: "h", Port: 1}}, LogDirs: [][16]byte{{byte(n)}}})
	}
	records = append(records, &metadata.TopicRecord{Name: "t", ID: topicID}, &metadata.PartitionRecord{TopicID: topicID, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}, Leader: 1,
		Dirs: make([][16]byte, 3)})
	v.img, _ = v.img.Apply(1, 1, metadata.Entry{Term: 1, Records: records})
	for n := range v.parts {
		v.own[n] = v.img
		v.parts[n] = Partition{Topic: "t", TopicID: topicID, Online: true, HW: 2, Synced: 2, Written: 2, End: 2, Leader: n == 0}
		v.parts[n].Role, v.parts[n].Fetchers, v.parts[n].FetchedFrom = replica.Role{Follows: 1}, 1, 1
		v.logs[n] = [][]byte{batch(0, val(0)), batch(1, val(1))}
	}
	v.parts[0].Role, v.parts[0].Fetchers, v.parts[0].FetchedFrom = replica.Role{Maximal: []int32{1, 2, 3}, Follows: -1}, 0, -1
	return v
}

func (v *three) Now() clock.Time                  { return 1 }
func (v *three) Policy() string                   { return "ack" }
func (v *three) Healed() (clock.Time, bool)       { return 0, false }
func (v *three) Nodes() int                       { return 3 }
func (v *three) Up(int) bool                      { return true }
func (v *three) Incarnation(n int) int            { return v.lives[n] }
func (v *three) Touched(int) ([]int, bool)        { return nil, true }
func (v *three) Partitions(int) int               { return 1 }
func (v *three) Partition(n, _ int, p *Partition) { *p = v.parts[n] }
func (v *three) Image() *metadata.Image           { return v.img }
func (v *three) ImageOf(n int) *metadata.Image    { return v.own[n] }
func (v *three) Calm() clock.Time                 { return v.calm }
func (v *three) Serves(int) bool                  { return !v.starting }
func (v *three) Unclean(int) bool                 { return v.killed }
func (v *three) Registered(n int) *metadata.Broker {
	if b := v.own[n].Broker(int32(n + 1)); b != nil && b.Incarnation[1] == byte(v.lives[n]) {
		return b
	}
	return nil
}
func (v *three) Session() clock.Duration { return 9 * clock.Second }
func (v *three) EpochAt(int, string, int32, int64) (int32, bool) {
	return v.epoch, true
}
func (v *three) ReadBack(n int, _ string, _ int32, from int64, each func([]byte) bool) bool {
	for _, b := range v.logs[n] {
		if int64(binary.BigEndian.Uint64(b)) >= from && !each(b) {
			break
		}
	}
	return v.logs[n] != nil
}

// change folds a change of the partition into the image of all.
func (v *three) change(r metadata.PartitionChangeRecord) {
	r.TopicID = topicID
	v.img, _ = v.img.Apply(v.img.Index()+1, 1, metadata.Entry{Term: 1, Records: []metadata.Record{&r}})
	for n := range v.own {
		v.own[n] = v.img
	}
}

// register folds the registration of a broker's present process, with the broker in the ELR.
func (v *three) register(id int32) {
	v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1}, ELR: []int32{id}})
	b := v.img.Broker(id)
	v.own[id-1], _ = v.img.Apply(v.img.Index()+1, 1, metadata.Entry{Term: 1, Records: []metadata.Record{&metadata.RegisterBrokerRecord{NodeID: id,
		Incarnation: [16]byte{byte(id), byte(v.lives[id-1])}, BrokerEpoch: -1, Listeners: b.Listeners, LogDirs: b.LogDirs, Fenced: true}}})
}

// fence folds the fencing of a broker, which leads nothing, after a step in which it is not fenced.
func (v *three) fence(id int32) error {
	if err := v.s.Step(v); err != nil {
		return err
	}
	fenced := true
	v.img, _ = v.img.Apply(v.img.Index()+1, 1, metadata.Entry{Term: 1, Records: []metadata.Record{
		&metadata.PartitionChangeRecord{TopicID: topicID, Leader: metadata.Unchanged, ISR: []int32{1, 3}},
		&metadata.BrokerChangeRecord{NodeID: id, Epoch: v.img.Broker(id).Epoch, Fenced: &fenced}}})
	for n := range v.own {
		v.own[n] = v.img
	}
	return v.s.Step(v)
}

// of gives the oracle of a property, alone steps it after what it shares with others has been fed.
func (v *three) of(name string) Oracle {
	for _, o := range v.s.oracles {
		if o.Name() == name {
			return o
		}
	}
	return nil
}

func (v *three) alone(name string) error {
	_ = v.s.Step(v)
	return v.of(name).Step(v)
}

// joins has node 3 leave the ISR and come back as change makes it.
func (v *three) joins(change func(p *Partition)) error {
	if e := v.parts[0].Epoch; e > 0 { // a leader of a later epoch
		v.change(metadata.PartitionChangeRecord{Leader: 1, ISR: []int32{1, 2}})
		for n := range v.parts {
			v.parts[n].Epoch = v.img.Topics()[0].Partitions[0].LeaderEpoch
		}
	} else {
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2}})
	}
	v.parts[0].Maximal = []int32{1, 2, 3}
	_ = v.s.Step(v)
	change(&v.parts[2])
	v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2, 3}})
	_ = v.s.Step(v)
	v.of("I:I12").(*expansion).r.changed = true
	return v.of("I:I12").Step(v)
}

// clusterStories break one property each.
var clusterStories = map[string]func(*three) error{
	"unclean-return in the ELR": func(v *three) error {
		if err := v.s.Step(v); err != nil {
			return err
		}
		v.lives[1], v.killed = 2, true
		v.register(2)
		return v.s.Step(v)
	},
	"I:I6 a member of the ISR lacks what a presumed leader takes for committed": func(v *three) error {
		v.parts[2].End, v.parts[2].Synced, v.parts[2].Written, v.parts[2].HW = 1, 1, 1, 1
		return v.alone("I:I6")
	},
	"I:I6 a member of the ISR has something else there": func(v *three) error {
		v.parts[1].HW, v.logs[1][1] = 1, batch(1, val(9))
		_ = v.s.Step(v)
		return v.of("I:I6").End(v)
	},
	"I:I7 a leader outside of the ISR": func(v *three) error {
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{2, 3}})
		return v.alone("I:I7")
	},
	"I:I7 nobody is in sync, and there is no way back": func(v *three) error {
		_ = v.s.Step(v)
		v.change(metadata.PartitionChangeRecord{Leader: metadata.NoLeader, ISR: []int32{}})
		v.img.Topics()[0].Partitions[0].LastLeader = metadata.NoLeader
		return v.s.Step(v)
	},
	"I:I8 the high watermark waits for too few": func(v *three) error {
		v.parts[0].Maximal = []int32{1, 2}
		return v.s.Step(v)
	},
	"I:I8 a leader waits for more than the quorum knows of": func(v *three) error {
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2}})
		v.parts[0].PartitionEpoch = v.img.Topics()[0].Partitions[0].PartitionEpoch
		return v.s.Step(v)
	},
	"I:I11 a follower that nobody fetches": func(v *three) error {
		v.parts[1].Fetchers, v.parts[1].FetchedFrom = 0, -1
		return v.s.Step(v)
	},
	"I:I11 two fetch one follower": func(v *three) error {
		v.parts[1].Fetchers = 2
		return v.s.Step(v)
	},
	"I:I11 a leader is fetched": func(v *three) error {
		v.parts[0].Fetchers, v.parts[0].FetchedFrom = 1, 2
		return v.s.Step(v)
	},
	"I:I11 a follower is fetched from another": func(v *three) error {
		v.parts[1].FetchedFrom = 3
		return v.s.Step(v)
	},
	"I:I12 who joins has not reached the begin of the epoch": func(v *three) error { return v.joins(func(p *Partition) { v.parts[0].EpochStart = 3 }) },
	"I:I12 who joins has not reached the high watermark":     func(v *three) error { return v.joins(func(p *Partition) { p.Synced, p.HW = 1, 1 }) },
	"I:I12 who joins is in an earlier epoch": func(v *three) error {
		for n := range v.parts {
			v.parts[n].Epoch = 1
		}
		return v.joins(func(p *Partition) { p.Epoch = 0 })
	},
	"fenced-in-vain a broker of a calm cluster": func(v *three) error {
		v.calm = v.Now().Add(-15 * clock.Second)
		return v.fence(2)
	},
	"I:I1 a member of the ISR lacks what was committed": func(v *three) error {
		v.parts[2].Synced, v.parts[2].HW = 1, 1
		return v.s.Step(v)
	},
	"I:I1 who lacks it comes into the ISR": func(v *three) error {
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2}})
		v.parts[2].Synced, v.parts[2].HW = 1, 1
		if err := v.s.Step(v); err != nil {
			return nil // not what this story is about
		}
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2, 3}})
		return v.s.Step(v)
	},
	"I:I2 the leader lacks it": func(v *three) error {
		_ = v.s.Step(v)
		v.parts[1].Synced, v.parts[1].HW = 1, 1
		v.change(metadata.PartitionChangeRecord{Leader: 2, ISR: []int32{2}})
		return v.s.Step(v)
	},
	"I:I14 an epoch goes back": func(v *three) error {
		v.parts[1].Epoch = 3
		_ = v.s.Step(v)
		v.parts[1].Epoch = 2
		return v.s.Step(v)
	},
	"I:I14 two lead in one epoch": func(v *three) error {
		_ = v.s.Step(v)
		v.parts[1].Leader = true
		return v.s.Step(v)
	},
	"I:I14 one leads twice in one epoch": func(v *three) error {
		_ = v.s.Step(v)
		v.lives[0] = 2
		return v.s.Step(v)
	},
	"I:I9 the image is no valid state": func(v *three) error {
		v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{2, 3}})
		return v.s.Step(v)
	},
	"I:I10 two images of one index": func(v *three) error {
		_ = v.s.Step(v)
		other, _ := metadata.Empty().Apply(v.img.Index(), 1, metadata.Entry{Term: 1, Records: []metadata.Record{&metadata.ClusterRecord{ClusterID: "d"}}})
		v.own[2] = other
		return v.s.Step(v)
	},
	"I:I4 copies differ below the high watermark": func(v *three) error {
		v.logs[1][1] = batch(1, val(9))
		_ = v.s.Step(v)
		return v.s.End(v)
	},
	"I:I4 copies differ beside one that cannot be read": func(v *three) error {
		v.logs[0], v.logs[2][1] = nil, batch(1, val(9))
		_ = v.s.Step(v)
		return v.of("I:I4").End(v)
	},
	"leader-epochs a log takes a batch for one of another epoch": func(v *three) error {
		v.epoch = 3
		_ = v.s.Step(v)
		return v.s.End(v)
	},
	"I:I4 a copy has a hole": func(v *three) error {
		v.parts[1].End, v.logs[1] = 3, [][]byte{batch(0, val(0)), batch(2, val(2))}
		v.parts[1].HW, v.parts[1].Synced, v.parts[1].Written = 3, 3, 3
		_ = v.s.Step(v)
		for _, o := range v.s.oracles {
			if o.Name() == "I:I4" {
				return o.End(v)
			}
		}
		return nil
	},
}

func TestASoundClusterBreaksNothing(t *testing.T) {
	v := newThree()
	require.NoError(t, v.s.Step(v))
	v.change(metadata.PartitionChangeRecord{Leader: metadata.Unchanged, ISR: []int32{1, 2}})
	require.NoError(t, v.s.Step(v))
	require.NoError(t, v.s.End(v))
	checks, _ := v.s.Checked()
	for _, p := range []string{"I:I1", "I:I4", "I:I9", "I:I14"} {
		require.Positive(t, checks[p], p)
	}
}

func TestTheSessionOfAProcessBeforeEndsInACalmCluster(t *testing.T) {
	v := newThree()
	v.calm, v.starting = v.Now().Add(-15*clock.Second), true
	require.NoError(t, v.fence(2))
}

func TestARegistrationOfAnEarlierProcessIsNotTakenForThatOfTheOneThatReplaysIt(t *testing.T) {
	v := newThree()
	o := v.of("unclean-return")
	require.NoError(t, o.Step(v))
	v.lives[1], v.killed = 2, true
	v.register(2)
	v.lives[1] = 3
	require.NoError(t, o.Step(v))
	require.Zero(t, o.Checks())
}

func TestALogThatIsBeingCutHasNoRoleInANewEpochYet(t *testing.T) {
	v := newThree()
	v.parts[1].Role.Follows, v.parts[1].Cutting = -1, true
	require.NoError(t, v.alone("I:I11"))
	v.parts[1].Cutting = false
	require.Error(t, v.alone("I:I11"))
}

func TestEveryOracleOfReplicationFindsItsStory(t *testing.T) {
	for name, story := range clusterStories {
		err := story(newThree())
		var f *Failure
		require.ErrorAs(t, err, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
	}
}

func TestAnOracleOfReplicationThatDoesNotLookIsFoundDead(t *testing.T) {
	for i := range NewSuite().oracles {
		v := newThree()
		o := v.s.oracles[i]
		d, ok := o.(Due)
		if !OfClusters(o.Name()) || !ok {
			continue
		}
		require.NoError(t, v.s.Step(v))
		require.NoError(t, v.s.End(v))
		require.NoError(t, v.s.Alive(), o.Name())
		v.s.oracles[i] = deafDue{o, d}
		require.ErrorContains(t, v.s.Alive(), o.Name())
	}
}
