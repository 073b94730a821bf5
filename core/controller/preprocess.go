package controller

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// resourceLogger is the kind of resource that a broker's loggers are (KIP-412).
const resourceLogger = 8

// Preprocessed is a request that changes settings as the broker that was asked sees it (ConfigAdminManager.preprocess): what only that broker
// can judge it refuses itself, and the rest is the controller's.
type Preprocessed struct {
	Rest kmsg.Request // the request without what is refused; nil: nothing is left
	req  kmsg.Request
	bad  []refusal // by resource of req
}

// Preprocess refuses, of an AlterConfigs or an IncrementalAlterConfigs, the settings of another broker, and log levels.
//
// INVALID_REQUEST.
func Preprocess(n *config.Node, req kmsg.Request) *Preprocessed {
	all := askedOf(req)
	times := timesOf(all)
	p := &Preprocessed{Rest: req, req: req, bad: make([]refusal, len(all))}
	refused := 0
	for i, a := range all {
		_, incremental := req.(*kmsg.IncrementalAlterConfigsRequest)
		switch {
		case a.kind == metadata.ResourceBroker && a.name != "", a.kind == resourceLogger && incremental:
		default:
			continue
		}
		if p.bad[i] = wellFormed(a, times[a.resource]); p.bad[i].code == kerr.None {
			p.bad[i] = ofThisNode(n, a.resource)
		}
		if p.bad[i].code != kerr.None {
			refused++
		}
	}
	switch {
	case refused > 0 && refused == len(all):
		p.Rest = nil
	case refused > 0:
		p.Rest = only(req, func(i int) bool { return p.bad[i].code == kerr.None })
	}
	return p
}

// ofThisNode refuses the settings of another broker than the one that was asked, and those of loggers.
func ofThisNode(n *config.Node, r resource) refusal {
	id, err := strconv.ParseInt(r.name, 10, 32)
	switch {
	case err != nil:
		return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", r.name)
	case int32(id) != n.NodeID:
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", n.NodeID, r.name)
	case r.kind == resourceLogger:
		return refuse(kerr.InvalidRequest, "Log levels cannot be changed: this broker writes its few lines of INFO, WARN and ERROR to standard error; filter them there.")
	}
	return refusal{}
}

// Answer is the answer to the whole request, from that to Rest; nil if nothing was left.
func (p *Preprocessed) Answer(rest kmsg.Response) kmsg.Response {
	got := refusalsOf(rest)
	bad := append([]refusal(nil), p.bad...)
	for i := range bad {
		switch {
		case bad[i].code != kerr.None:
		case len(got) > 0:
			bad[i], got = got[0], got[1:]
		default:
			bad[i] = refusal{code: kerr.UnknownServerError} // as Kafka, of a controller that answers less than it was asked
		}
	}
	return configAnswer(p.req, func(i int) refusal { return bad[i] })
}
