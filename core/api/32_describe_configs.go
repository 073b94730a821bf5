package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
)

// DescribeConfigs (key 32): answered from the image by whichever broker is asked.
func describeConfigs(r *Request, req kmsg.Request) {
	r.answer(controller.DescribeConfigs(r.s.Node, r.s.Image, r.s.LogLevel, req.(*kmsg.DescribeConfigsRequest)))
}
