package controller

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// Preprocessed is a request that changes settings as the broker that was asked sees it (ConfigAdminManager.preprocess): what only that broker
// can judge it refuses or does itself, and the rest is the controller's.
type Preprocessed struct {
	Rest     kmsg.Request // the request without what is refused or done; nil: nothing is left
	LogLevel string       // that this broker shall have from now on; "": as before
	req      kmsg.Request
	bad      []refusal // by resource of req
	done     []bool    // by resource of req: it is the broker's own, and not refused
}

// Preprocess refuses, of an AlterConfigs or an IncrementalAlterConfigs, the settings of another broker, and takes out log levels, which belong to
// no metadata.
//
// INVALID_REQUEST; INVALID_CONFIG: of a logger.
func Preprocess(n *config.Node, req kmsg.Request) *Preprocessed {
	all := askedOf(req)
	times := timesOf(all)
	p := &Preprocessed{Rest: req, req: req, bad: make([]refusal, len(all)), done: make([]bool, len(all))}
	inc, incremental := req.(*kmsg.IncrementalAlterConfigsRequest)
	out := 0
	for i, a := range all {
		logger := a.kind == metadata.ResourceBrokerLogger && incremental
		if !logger && (a.kind != metadata.ResourceBroker || a.name == "") {
			continue
		}
		if p.bad[i] = wellFormed(a, times[a.resource]); p.bad[i].code == kerr.None {
			p.bad[i] = ofThisNode(n, a)
		}
		p.done[i] = logger && p.bad[i].code == kerr.None
		if p.done[i] && !inc.ValidateOnly && len(a.changes) > 0 {
			p.LogLevel = *a.changes[0].value
		}
		if p.done[i] || p.bad[i].code != kerr.None {
			out++
		}
	}
	switch {
	case out > 0 && out == len(all):
		p.Rest = nil
	case out > 0:
		p.Rest = only(req, func(i int) bool { return p.bad[i].code == kerr.None && !p.done[i] })
	}
	return p
}

// ofThisNode refuses the settings of another broker than the one that was asked, and levels that its loggers do not take.
func ofThisNode(n *config.Node, a asked) refusal {
	id, err := strconv.ParseInt(a.name, 10, 32)
	logger := a.kind == metadata.ResourceBrokerLogger
	switch {
	case err != nil:
		return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", a.name)
	case int32(id) != n.NodeID && logger:
		return refuse(kerr.InvalidRequest, "Unexpected node id. Expected %d, but received %d", n.NodeID, id)
	case int32(id) != n.NodeID:
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", n.NodeID, a.name)
	case logger:
		return checkLoggers(a.changes)
	}
	return refusal{}
}

// Answer is the answer to the whole request, from that to Rest; nil if nothing was left.
func (p *Preprocessed) Answer(rest kmsg.Response) kmsg.Response {
	got := refusalsOf(rest)
	bad := append([]refusal(nil), p.bad...)
	for i := range bad {
		switch {
		case bad[i].code != kerr.None || p.done[i]:
		case len(got) > 0:
			bad[i], got = got[0], got[1:]
		default:
			bad[i] = refusal{code: kerr.UnknownServerError} // as Kafka, of a controller that answers less than it was asked
		}
	}
	return configAnswer(p.req, func(i int) refusal { return bad[i] })
}
