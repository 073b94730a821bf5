package consumer

import (
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What members of the classic protocol embed in JoinGroup and SyncGroup.
func FuzzEmbeddedProtocol(f *testing.F) {
	for v := int16(0); v <= newestProtocol; v++ {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics, m.UserData = v, []string{"b", "a"}, []byte("x")
		m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "a", Partitions: []int32{0, 1}}}
		f.Add(m.AppendTo(nil))
		a := kmsg.NewConsumerMemberAssignment()
		a.Version, a.Topics = v, []kmsg.ConsumerMemberAssignmentTopic{{Topic: "a", Partitions: []int32{2}}}
		f.Add(a.AppendTo(nil))
	}
	f.Add([]byte{0, 1, 127, 255, 255, 255})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 1, 'a', 127, 255, 255, 255})
	var before, after runtime.MemStats
	f.Fuzz(func(t *testing.T, b []byte) {
		runtime.ReadMemStats(&before)
		s, ok := ReadSubscription(b)
		tps, _, assigned := ReadAssignment(b)
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; made > 64<<10+200*uint64(len(b)) {
			t.Fatalf("%d bytes were allocated for %d", made, len(b))
		}
		if ok {
			for i := 1; i < len(s.Topics); i++ {
				if s.Topics[i-1] >= s.Topics[i] {
					t.Fatalf("topics %q", s.Topics)
				}
			}
			var k kmsg.ConsumerMemberMetadata
			if err := k.ReadFrom(b); err == nil && s.Version >= 0 {
				of := map[string]bool{}
				for _, topic := range k.Topics {
					of[topic] = true
				}
				if len(of) != len(s.Topics) {
					t.Fatalf("topics %q, and kmsg reads %q", s.Topics, k.Topics)
				}
			}
		}
		if assigned {
			var k kmsg.ConsumerMemberAssignment
			if err := k.ReadFrom(b); err == nil && len(k.Topics) != len(tps) {
				t.Fatalf("%d topics, and kmsg reads %d", len(tps), len(k.Topics))
			}
		}
	})
}
