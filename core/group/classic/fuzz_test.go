package classic

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func FuzzSubscription(f *testing.F) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = []string{"b", "a"}
	f.Add(m.AppendTo(nil))
	f.Add([]byte{0, 1, 127, 255, 255, 255, 0, 0})
	f.Add([]byte{0, 1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		into := map[string]bool{}
		ok := readSubscription(b, into)
		if len(into)*2 > len(b) {
			t.Fatalf("%d topics of %d bytes", len(into), len(b))
		}
		var k kmsg.ConsumerMemberMetadata
		if k.ReadFrom(b) != nil {
			return
		}
		of := map[string]bool{}
		for _, topic := range k.Topics {
			of[topic] = true
		}
		if !ok || len(of) != len(into) {
			t.Fatalf("%v and topics %v; kmsg reads %q", ok, into, k.Topics)
		}
	})
}
