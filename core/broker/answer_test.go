package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/wire"
)

// kmsg alone takes null for what is not nullable, and would count to any announced number of tagged fields.
func TestAnswersOfOtherBrokersAreCheckedBeforeTheyAreDecoded(t *testing.T) {
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version = 7
	envelope := func(inner string) []byte {
		env := kmsg.NewPtrEnvelopeResponse()
		env.ResponseData = append(wire.AppendResponseHeader(nil, create.Key(), create.Version, 0), inner...)
		return env.AppendTo(nil)
	}
	for _, c := range []struct {
		inner string
		taken bool
	}{
		{"\x00\x00\x00\x00" + "\x01" + "\x00", true},  // no topics
		{"\x00\x00\x00\x00" + "\x00" + "\x00", false}, // null topics
		{"\x00\x00\x00\x00" + "\x01" + "\xff\xff\xff\xff\x07", false},
	} {
		if _, resp := enveloped(create, envelope(c.inner), true); (resp != nil) != c.taken {
			t.Errorf("%x from the controller, in an envelope: taken %v, want %v", c.inner, resp != nil, c.taken)
		}
		var got []kmsg.Response
		(&ownCall{create, create.Version, func(r kmsg.Response) { got = append(got, r) }}).Answered([]byte(c.inner), nil, true, peer.None)
		(&peerAnswer{create, replied(func(r kmsg.Response) { got = append(got, r) })}).Answered([]byte(c.inner), nil, true, peer.None)
		if len(got) != 2 || (got[0] != nil) != c.taken || (got[1] != nil) != c.taken {
			t.Errorf("%x: %v, want taken %v", c.inner, got, c.taken)
		}
	}
	if env, resp := enveloped(create, []byte("\x00\x00\x00\xff\xff\xff\xff\x07"), true); env != nil || resp != nil {
		t.Error("an envelope without its tagged fields is taken")
	}
	if env, resp := enveloped(create, nil, false); env != nil || resp != nil {
		t.Error("no answer is taken for one")
	}
}

type replied func(kmsg.Response)

func (f replied) Reply(r kmsg.Response) { f(r) }
