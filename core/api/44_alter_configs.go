package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/step"
)

// alterConfigs serves AlterConfigs (key 33) and IncrementalAlterConfigs (key 44). What concerns one broker is for that broker to judge, and
// the rest for the controller. Log levels last until the process ends. At the controller listener nobody but the controller is asked.
func alterConfigs(r *Request, req kmsg.Request) {
	if r.Client.Inner {
		toController(r, req)
		return
	}
	p := controller.Preprocess(r.s.Node, req)
	if p.LogLevel != "" {
		r.s.setLogLevel(p.LogLevel)
		for i := range r.s.Shards {
			if i != r.s.Shard {
				r.s.mail(step.Mail{Kind: MailLogLevel, To: int32(i), Body: p.LogLevel})
			}
		}
	}
	switch p.Rest {
	case nil:
		r.answer(p.Answer(nil))
	case req:
		toController(r, req)
	default:
		r.toController(p.Rest, func(r *Request) { r.answer(p.Answer(r.resps[0])) })
	}
}

// setLogLevel has lines below a level of log4j's written no more. There are none of DEBUG and TRACE, and none above ERROR.
func (s *State) setLogLevel(name string) {
	s.LogLevel = name
	level := step.Info
	switch name {
	case "WARN":
		level = step.Warn
	case "ERROR":
		level = step.Error
	case "FATAL":
		level = step.Off
	}
	s.Env.Out.LogLevel = &level
}
