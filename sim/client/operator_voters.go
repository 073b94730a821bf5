package client

import (
	"fmt"
	"sort"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
)

// voter is a voter of the quorum, as DescribeQuorum names it.
type voter struct {
	id        int32
	directory [16]byte
}

const metadataTopic = "__cluster_metadata"

// voters asks who votes.
func (o *Operator) voters(done func([]voter)) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	t := kmsg.NewDescribeQuorumRequestTopic()
	t.Topic, t.Partitions = metadataTopic, append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, t)
	o.link.ask(req, 2, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			o.again()
			return
		}
		resp := r.(*kmsg.DescribeQuorumResponse)
		if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			o.again()
			return
		}
		var vs []voter
		for _, x := range resp.Topics[0].Partitions[0].CurrentVoters {
			vs = append(vs, voter{x.ReplicaID, x.ReplicaDirectoryID})
		}
		sort.Slice(vs, func(i, j int) bool { return vs[i].id < vs[j].id })
		done(vs)
	})
}

// voter takes a voter from the quorum (F:M3); its end makes it one again. One is away at a time, so that the others are a majority of all nodes.
func (o *Operator) voter(x *Order, w *world) {
	if x.Undo {
		o.addVoter(x)
		return
	}
	if o.away.id != 0 {
		o.over("")
		return
	}
	o.voters(func(vs []voter) {
		if len(vs) < o.sh.Nodes {
			o.again()
			return
		}
		v := vs[max(x.A, 0)%int64(len(vs))]
		req := kmsg.NewPtrRemoveRaftVoterRequest()
		req.VoterID, req.VoterDirectoryID = v.id, v.directory
		o.away, o.awayOf = v, x.B // it may be gone whatever the answer
		o.ask(req, fmt.Sprintf("voter %d removed", v.id), func(r kmsg.Response) int16 { return r.(*kmsg.RemoveRaftVoterResponse).ErrorCode })
	})
}

func (o *Operator) addVoter(x *Order) {
	if o.away.id == 0 || o.awayOf != x.B {
		o.over("")
		return
	}
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = o.away.id, o.away.directory, 5000
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", fmt.Sprintf("n%d", o.away.id), 9093
	req.Listeners = append(req.Listeners, l)
	o.link.ask(req, 0, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		if err == nil {
			if c := kerr.Code(r.(*kmsg.AddRaftVoterResponse).ErrorCode); c == kerr.None || c == kerr.DuplicateVoter {
				what := fmt.Sprintf("voter %d added", o.away.id)
				o.away = voter{}
				o.over(what)
				return
			}
		}
		o.again()
	})
}
