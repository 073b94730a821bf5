package controller

import (
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// broker is a controller over a log on a disk in memory.
type broker struct {
	e     *env.Env
	store *metadata.Store
	m     *Machine
	log   *solo.Log
}

func boot(t *testing.T, d *memdisk.Disk, seed uint64) *broker {
	b := &broker{e: d.Env(seed)}
	n := config.DefaultNode()
	task.Go(b.e, func(tk *task.Task) {
		o, err := solo.Open(tk, b.e, n)
		if err != nil {
			t.Errorf("open: %v", err)
			return
		}
		b.log = o.Log
		b.m = NewMachine(n, o.Image, o.Log, b.e.Rand, []metadata.FeatureLevelRecord{{Name: "metadata.version", Level: 30}})
		b.store = metadata.NewStore(o.Image, b.m)
		b.store.Watchers = []metadata.Watcher{b.m}
		o.Log.SetCommitter(b.store)
		q := kmsg.NewPtrBrokerRegistrationRequest()
		q.BrokerID, q.ClusterID, q.LogDirs = n.NodeID, o.ClusterID, [][16]byte{o.DirectoryID}
		b.e.Rand.Fill(q.IncarnationID[:])
		q.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: 1}}
		b.m.Submit(q, &waiter{})
	})
	d.Run(b.e)
	return b
}

// waiter keeps its answer.
type waiter struct {
	resp  kmsg.Response
	img   *metadata.Image
	times int
}

func (w *waiter) Decided(resp kmsg.Response, img *metadata.Image) {
	w.resp, w.img = resp, img
	w.times++
}

func create(names ...string) *kmsg.CreateTopicsRequest {
	return AutoCreate(config.DefaultNode(), metadata.Empty(), names...)
}

func TestARestartRegistersAnewAndBumpsTheEpochOfWhatTheBrokerLed(t *testing.T) {
	d := memdisk.New(1)
	b := boot(t, d, 1)
	b.m.Submit(create("a"), &waiter{})
	d.Run(b.e)
	first := b.store.Image()
	d.Kill()
	again := boot(t, d, 2).store.Image()
	if first.ClusterID() == "" || again.ClusterID() != first.ClusterID() || len(again.Features()) != 1 {
		t.Errorf("cluster %q became %q", first.ClusterID(), again.ClusterID())
	}
	was, is := first.TopicByName("a").Partitions[0], again.TopicByName("a").Partitions[0]
	if is.Leader != 1 || is.LeaderEpoch != was.LeaderEpoch+1 || is.PartitionEpoch != was.PartitionEpoch+1 || again.Broker(1).Epoch != again.Index() {
		t.Errorf("was %+v, is %+v, broker epoch %d at index %d", was, is, again.Broker(1).Epoch, again.Index())
	}
}

func TestWhatArrivesWhileAnEntryIsInFlightIsDecidedTogetherAsTheNext(t *testing.T) {
	d := memdisk.New(1)
	b := boot(t, d, 1)
	before := b.store.Image().Index()
	ws := make([]*waiter, 6)
	for i, name := range []string{"a", "b", "b", "c.d", "c_d", "a"} {
		ws[i] = &waiter{}
		b.m.Submit(create(name), ws[i])
	}
	d.Run(b.e)
	want := []kerr.Code{kerr.None, kerr.None, kerr.TopicAlreadyExists, kerr.None, kerr.InvalidTopicException, kerr.TopicAlreadyExists}
	for i, w := range ws {
		if w.times != 1 {
			t.Fatalf("request %d was answered %d times", i, w.times)
		}
		if got := kerr.Code(w.resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); got != want[i] {
			t.Errorf("request %d: got %v, want %v", i, got, want[i])
		}
		if want[i] == kerr.None && w.img.TopicByName(w.resp.(*kmsg.CreateTopicsResponse).Topics[0].Topic) == nil {
			t.Errorf("request %d was answered before its topic was in the image", i)
		}
	}
	if got := b.store.Image().Index() - before; got != 2 {
		t.Errorf("%d entries, want one for the first and one for the rest", got)
	}
}

func TestProducerIDsAreNeverGivenTwiceNotEvenAfterAKill(t *testing.T) {
	d := memdisk.New(1)
	given := map[int64]bool{}
	for life := range uint64(20) {
		b := boot(t, d, life)
		d.Limit = d.Ops + int(life%5)*2 + 1
		for range 3 {
			q := kmsg.NewPtrAllocateProducerIDsRequest()
			q.BrokerID, q.BrokerEpoch = 1, b.store.Image().Broker(1).Epoch
			w := &waiter{}
			b.m.Submit(q, w)
			d.Run(b.e)
			if w.resp == nil {
				break
			}
			r := w.resp.(*kmsg.AllocateProducerIDsResponse)
			if r.ErrorCode != 0 || r.ProducerIDLen != ProducerIDBlock || given[r.ProducerIDStart] {
				t.Fatalf("life %d: %+v", life, r)
			}
			given[r.ProducerIDStart] = true
		}
		d.Limit = 0
		d.Crash()
	}
	if len(given) < 20 {
		t.Fatalf("only %d blocks were given", len(given))
	}
}

func TestAStaleBrokerEpochGetsNoProducerIDs(t *testing.T) {
	d := memdisk.New(1)
	b := boot(t, d, 1)
	q := kmsg.NewPtrAllocateProducerIDsRequest()
	q.BrokerID, q.BrokerEpoch = 1, b.store.Image().Broker(1).Epoch+1
	w := &waiter{}
	b.m.Submit(q, w)
	if got := kerr.Code(w.resp.(*kmsg.AllocateProducerIDsResponse).ErrorCode); got != kerr.StaleBrokerEpoch {
		t.Errorf("got %v", got)
	}
}

func TestAFullDiskAnswersStorageErrorAndTheNextRequestIsServed(t *testing.T) {
	d := memdisk.New(1)
	b := boot(t, d, 1)
	full := true
	d.Fail = func(r *disk.Request) disk.Err {
		if r.Kind == disk.Write && full {
			return disk.ErrNoSpace
		}
		return disk.OK
	}
	w := &waiter{}
	b.m.Submit(create("a"), w)
	d.Run(b.e)
	if got := kerr.Code(w.resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); got != kerr.KafkaStorageError {
		t.Errorf("full: got %v", got)
	}
	full = false
	w = &waiter{}
	b.m.Submit(create("a"), w)
	d.Run(b.e)
	if got := kerr.Code(w.resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); got != kerr.None {
		t.Errorf("after: got %v", got)
	}
}

func TestAnEntryOfAnotherTermIsAnsweredWithNotController(t *testing.T) {
	q := &deposed{}
	m := NewMachine(config.DefaultNode(), metadata.Empty(), q, newPeer(t).rand, nil)
	s := metadata.NewStore(metadata.Empty(), m)
	s.Watchers = []metadata.Watcher{m}
	reg := kmsg.NewPtrBrokerRegistrationRequest()
	reg.BrokerID, reg.ClusterID, reg.LogDirs = 1, "c", [][16]byte{{1}}
	reg.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT"}}
	w := &waiter{}
	m.Submit(reg, w)
	s.Committed(0, q.Term()+1, q.entry, q.token) // raft stamped the next term on it
	if got := kerr.Code(w.resp.(*kmsg.BrokerRegistrationResponse).ErrorCode); got != kerr.NotController || s.Image().ClusterID() != "" || m.Busy() {
		t.Errorf("got %v, cluster %q", got, s.Image().ClusterID())
	}
}

// deposed is a quorum whose leadership ends between proposal and commit.
type deposed struct {
	entry []byte
	token disk.Token
}

func (q *deposed) Propose(token disk.Token, _ int64, entry []byte) { q.token, q.entry = token, entry }
func (q *deposed) Leader() bool                                    { return true }
func (q *deposed) Term() int64                                     { return 5 }
