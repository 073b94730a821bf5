package metadata

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// twin is the same state in plain maps, folded record by record in place.
type twin struct {
	cluster  string
	topics   map[[16]byte]*twinTopic
	brokers  map[int32]int64 // epoch
	fenced   map[int32]bool
	configs  map[string]string
	features map[string]int16
	next     int64
}

type twinTopic struct {
	name  string
	parts []Partition
}

func (w *twin) byName(name string) ([16]byte, bool) {
	for id, t := range w.topics {
		if t.name == name {
			return id, true
		}
	}
	return [16]byte{}, false
}

func (w *twin) fold(index int64, r Record) {
	switch r := r.(type) {
	case *ClusterRecord:
		if w.cluster == "" {
			w.cluster = r.ClusterID
		}
	case *FeatureLevelRecord:
		w.features[r.Name] = r.Level
		if r.Level == 0 {
			delete(w.features, r.Name)
		}
	case *BrokerChangeRecord:
		if e, ok := w.brokers[r.NodeID]; ok && e == r.Epoch && r.Fenced != nil {
			w.fenced[r.NodeID] = *r.Fenced
		}
	case *UnregisterBrokerRecord:
		if e, ok := w.brokers[r.NodeID]; ok && e == r.Epoch {
			delete(w.brokers, r.NodeID)
			delete(w.fenced, r.NodeID)
		}
	case *RegisterBrokerRecord:
		w.brokers[r.NodeID] = index
		w.fenced[r.NodeID] = r.Fenced
		for _, t := range w.topics {
			for i := range t.parts {
				if t.parts[i].Leader == r.NodeID {
					t.parts[i].LeaderEpoch++
					t.parts[i].PartitionEpoch++
				}
			}
		}
	case *TopicRecord:
		if _, ok := w.byName(r.Name); !ok && w.topics[r.ID] == nil {
			w.topics[r.ID] = &twinTopic{name: r.Name}
		}
	case *PartitionRecord:
		if t := w.topics[r.TopicID]; t != nil && int(r.Partition) == len(t.parts) {
			t.parts = append(t.parts, Partition{Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch, Replicas: r.Replicas, ISR: r.ISR})
		}
	case *PartitionChangeRecord:
		if t := w.topics[r.TopicID]; t != nil && int(r.Partition) < len(t.parts) {
			p := &t.parts[r.Partition]
			p.PartitionEpoch++
			if r.Leader != Unchanged {
				if r.Leader == NoLeader && p.Leader != NoLeader {
					p.LastLeader = p.Leader
				}
				if r.Leader != NoLeader {
					p.LastLeader = 0
				}
				p.Leader = r.Leader
				p.LeaderEpoch++
			}
			for _, l := range []struct {
				at *[]int32
				to []int32
			}{{&p.ISR, r.ISR}, {&p.ELR, r.ELR}, {&p.LastKnownELR, r.LastKnownELR}, {&p.Adding, r.Adding}, {&p.Removing, r.Removing}} {
				if l.to != nil {
					*l.at = l.to
				}
			}
			if r.RecoveryState != RecoveryUnchanged {
				p.Recovering = r.RecoveryState == Recovering
			}
		}
	case *RemoveTopicRecord:
		if t := w.topics[r.ID]; t != nil {
			for k := range w.configs {
				if len(k) > len(t.name)+2 && k[:len(t.name)+2] == "2"+t.name+"/" {
					delete(w.configs, k)
				}
			}
			delete(w.topics, r.ID)
		}
	case *ConfigRecord:
		if _, ok := w.byName(r.Name); !ok && r.ResourceType == ResourceTopic {
			return
		}
		k := fmt.Sprint(r.ResourceType) + r.Name + "/" + r.Key
		if r.Value == nil {
			delete(w.configs, k)
		} else {
			w.configs[k] = *r.Value
		}
	case *ProducerIDsRecord:
		w.next = max(w.next, r.NextProducerID)
	}
}

// compare fails where the image and the twin differ.
func (w *twin) compare(t *rapid.T, m *Image) {
	if m.ClusterID() != w.cluster || m.NextProducerID() != w.next || len(m.Features()) != len(w.features) || len(m.Brokers()) != len(w.brokers) {
		t.Fatalf("cluster %q %q, next %d %d", m.ClusterID(), w.cluster, m.NextProducerID(), w.next)
	}
	for id, epoch := range w.brokers {
		if b := m.Broker(id); b == nil || b.Epoch != epoch || b.Fenced != w.fenced[id] || !b.Fenced && b.ActiveEpoch != epoch {
			t.Fatalf("broker %d: want epoch %d, got %+v", id, epoch, b)
		}
	}
	if len(m.Topics()) != len(w.topics) || !slices.IsSortedFunc(m.Topics(), func(a, b *Topic) int { return compareNames(a.Name, b.Name) }) {
		t.Fatalf("%d topics, want %d", len(m.Topics()), len(w.topics))
	}
	configs := 0
	for id, tt := range w.topics {
		got := m.TopicByID(id)
		if got == nil || got != m.TopicByName(tt.name) || got != m.TopicByNameBytes([]byte(tt.name)) || len(got.Partitions) != len(tt.parts) {
			t.Fatalf("topic %s: got %+v, want %+v", tt.name, got, tt)
		}
		configs += len(got.Configs)
		for i := range tt.parts {
			g, p := &got.Partitions[i], &tt.parts[i]
			if g.Leader != p.Leader || g.LeaderEpoch != p.LeaderEpoch || g.PartitionEpoch != p.PartitionEpoch || !slices.Equal(g.ISR, p.ISR) ||
				!slices.Equal(g.ELR, p.ELR) || !slices.Equal(g.LastKnownELR, p.LastKnownELR) || !slices.Equal(g.Adding, p.Adding) || !slices.Equal(g.Removing, p.Removing) ||
				g.Recovering != p.Recovering || g.LastLeader != p.LastLeader {
				t.Fatalf("%s-%d: got %+v, want %+v", tt.name, i, g, p)
			}
		}
	}
	for _, r := range m.Resources() {
		configs += len(r.Configs)
		for _, c := range r.Configs {
			if w.configs[fmt.Sprint(r.Type)+r.Name+"/"+c.Key] != c.Value {
				t.Fatalf("config %v of %v", c, r)
			}
		}
	}
	if configs != len(w.configs) {
		t.Fatalf("%d settings, want %d: %v", configs, len(w.configs), w.configs)
	}
}

func compareNames(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func drawRecord(t *rapid.T) Record {
	id := func() [16]byte {
		n := rapid.IntRange(1, 4).Draw(t, "id")
		return [16]byte{15: byte(n % 3), 0: byte(n)}
	}
	name := func() string { return fmt.Sprintf("t%d", rapid.IntRange(1, 5).Draw(t, "name")) }
	node := func() int32 { return int32(rapid.IntRange(1, 3).Draw(t, "node")) }
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0, 1:
		return &TopicRecord{name(), id()}
	case 2, 3:
		return &PartitionRecord{TopicID: id(), Partition: int32(rapid.IntRange(0, 1).Draw(t, "p")), Leader: node(), Replicas: []int32{1, 2}, ISR: []int32{1}}
	case 4:
		r := &PartitionChangeRecord{TopicID: id(), Partition: int32(rapid.IntRange(0, 1).Draw(t, "p")), Leader: Unchanged}
		if rapid.Bool().Draw(t, "elect") {
			r.Leader = rapid.SampledFrom([]int32{1, 2, NoLeader}).Draw(t, "leader")
		}
		for _, l := range []*[]int32{&r.ELR, &r.LastKnownELR, &r.Adding, &r.Removing} {
			*l = rapid.SampledFrom([][]int32{nil, nil, {}, {1}, {2, 1}}).Draw(t, "list")
		}
		r.RecoveryState = rapid.Int8Range(0, 2).Draw(t, "recovery")
		if rapid.Bool().Draw(t, "isr") {
			r.ISR = []int32{node()}
		}
		return r
	case 5:
		return &RemoveTopicRecord{id()}
	case 6:
		r := &ConfigRecord{rapid.SampledFrom([]int8{2, 4, 16, 32}).Draw(t, "type"), name(), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"), nil}
		if rapid.Bool().Draw(t, "set") {
			r.Value = text(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value"))
		}
		return r
	case 7:
		return &RegisterBrokerRecord{NodeID: node(), BrokerEpoch: -1, Fenced: rapid.Bool().Draw(t, "fenced")}
	case 9:
		return &BrokerChangeRecord{NodeID: node(), Epoch: rapid.Int64Range(0, 14).Draw(t, "epoch"), Fenced: rapid.SampledFrom([]*bool{nil, flag(true), flag(false)}).Draw(t, "fence")}
	case 10:
		return &UnregisterBrokerRecord{node(), rapid.Int64Range(0, 14).Draw(t, "epoch")}
	case 8:
		return &FeatureLevelRecord{name(), int16(rapid.IntRange(0, 2).Draw(t, "level"))}
	}
	return rapid.SampledFrom([]Record{&ProducerIDsRecord{NextProducerID: rapid.Int64Range(0, 5000).Draw(t, "next")}, &ClusterRecord{"c"}, &NoOpRecord{}}).Draw(t, "rest")
}

func TestTheFoldDoesWhatPlainMapsDoAndLeavesOldImagesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twin{topics: map[[16]byte]*twinTopic{}, brokers: map[int32]int64{}, fenced: map[int32]bool{}, configs: map[string]string{}, features: map[string]int16{}}
		img := Empty()
		type old struct {
			img    *Image
			digest uint64
		}
		var before []old
		for i := range rapid.IntRange(1, 15).Draw(t, "entries") {
			records := rapid.SliceOfN(rapid.Custom(drawRecord), 0, 12).Draw(t, "records")
			if i == 0 { // something to change
				records = append([]Record{&TopicRecord{"t1", [16]byte{0: 1, 15: 1}}, &PartitionRecord{TopicID: [16]byte{0: 1, 15: 1}, Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}}}, records...)
			}
			term := int64(rapid.IntRange(1, 2).Draw(t, "term"))
			next, applied := img.Apply(int64(i), term, Entry{Term: 1, Records: records})
			if applied != (term == 1) {
				t.Fatalf("an entry of term 1 in a log of term %d: applied %v", term, applied)
			}
			if applied {
				for _, r := range records {
					w.fold(int64(i), r)
				}
			}
			before = append(before, old{img, img.Digest()})
			img = next
			img.check()
			w.compare(t, img)
		}
		for _, o := range before {
			o.img.check()
			if o.img.Digest() != o.digest {
				t.Fatal("an old image changed")
			}
		}
		back := Empty()
		img.Records(rapid.IntRange(1, 4000).Draw(t, "perEntry"), func(r []Record) {
			e, err := Decode(Encode(Entry{Records: r}))
			if err != nil {
				t.Fatal(err)
			}
			back = back.Load(e.Records)
		})
		back = back.At(img.Index(), img.Term())
		back.check()
		w.compare(t, back)
		if back.Digest() != img.Digest() || back.PartitionCount() != img.PartitionCount() {
			t.Fatal("a snapshot folds into another state")
		}
	})
}

// big makes an image of n topics with one partition.
func big(n int) *Image {
	img := Empty()
	var recs []Record
	for i := range n {
		id := [16]byte{0: byte(i), 1: byte(i >> 8), 15: byte(i * 7)}
		recs = append(recs, &TopicRecord{fmt.Sprintf("topic-%05d", i), id}, &PartitionRecord{TopicID: id, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Dirs: [][16]byte{{1}}})
	}
	img, _ = img.Apply(0, 1, Entry{Term: 1, Records: recs})
	return img
}

func TestLookupsDoNotAllocate(t *testing.T) {
	img := big(1000)
	name, id := []byte("topic-00500"), img.TopicByName("topic-00500").ID
	if n := testing.AllocsPerRun(100, func() {
		if img.TopicByNameBytes(name) == nil || img.TopicByName("topic-00001") == nil || img.TopicByID(id) == nil || img.TopicByNameBytes(name[:5]) != nil {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The budget is about 1 ms for either; it is logged, not asserted, since machines differ.
func TestCostOfOneTopicMoreAndOfManyPartitions(t *testing.T) {
	img := big(5000)
	one := Entry{Term: 1, Records: []Record{&TopicRecord{"more", [16]byte{9, 9, 9}}}}
	many := Entry{Term: 1, Records: []Record{&TopicRecord{"wide", [16]byte{8, 8, 8}}}}
	for i := range int32(1000) {
		many.Records = append(many.Records, &PartitionRecord{TopicID: [16]byte{8, 8, 8}, Partition: i, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Dirs: [][16]byte{{1}}})
	}
	for _, e := range []Entry{one, many} {
		start := time.Now()
		next, _ := img.Apply(1, 1, e)
		t.Logf("%d records on 5000 topics: %v", len(e.Records), time.Since(start))
		if len(next.Topics()) != 5001 {
			t.Fatal("not folded")
		}
	}
}
