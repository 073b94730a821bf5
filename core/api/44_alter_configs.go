package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
)

// alterConfigs serves AlterConfigs (key 33) and IncrementalAlterConfigs (key 44). What concerns one broker is for that broker to judge, and
// the rest for the controller. At the controller listener nobody but the controller is asked.
func alterConfigs(r *Request, req kmsg.Request) {
	if r.Client.Inner {
		toController(r, req)
		return
	}
	p := controller.Preprocess(r.s.Node, req)
	switch p.Rest {
	case nil:
		r.answer(p.Answer(nil))
	case req:
		toController(r, req)
	default:
		r.toController(p.Rest, func(r *Request) { r.answer(p.Answer(r.resps[0])) })
	}
}
