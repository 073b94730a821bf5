package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
)

// assigns tells the controller in which directory replicas lie, where the metadata say otherwise (KIP-858): nobody is elected whose replica
// is said to be in a directory that his broker has not. So it is with each replica of a broker whose disk was replaced, once it has
// fetched what it lost.
//
//	shard: an image names another directory ─ mailAssign ─▶ shard 0: one AssignReplicasToDirs at a time ─▶ an image names this one
type assigns struct {
	s *Shard
	gather[assign]
	asked map[api.PartKey][16]byte // queued or in flight; lookups only
}

// assign is one replica and its directory.
type assign struct {
	key api.PartKey
	dir [16]byte
}

// maxAssigns bounds the replicas of one request (AssignmentsManager.MAX_ASSIGNMENTS_PER_REQUEST).
const maxAssigns = 2250

func (x *assigns) begin(s *Shard) {
	x.s, x.asked = s, map[api.PartKey][16]byte{}
	x.gather.begin(s.env, maxAssigns, x.request)
}

// checkDirectory compares what the image says of a replica of this broker with where it lies.
func (s *Shard) checkDirectory(t *metadata.Topic, p *replica.Partition) {
	if id := s.state.Dirs[p.Dir].ID; !p.Offline() && t.Partitions[p.Number].Dir(s.node.NodeID) != id {
		s.toZero(step.Mail{Kind: mailAssign, Body: assign{partKey(p), id}})
	}
}

// add takes in one replica, unless that is under way.
func (x *assigns) add(a assign) {
	if dir, ok := x.asked[a.key]; ok && dir == a.dir {
		return
	}
	x.asked[a.key] = a.dir
	x.gather.add(a)
}

// request asks the controller for what is in flight.
func (x *assigns) request(batch []assign) {
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = x.s.static.NodeID, x.s.brokerEpoch()
	type place struct{ dir, topic [16]byte }
	dirs, topics := make(map[[16]byte]int), make(map[place]int) // where they are in the request
	for _, a := range batch {
		i, ok := dirs[a.dir]
		if !ok {
			i = len(req.Directories)
			dirs[a.dir] = i
			d := kmsg.NewAssignReplicasToDirsRequestDirectory()
			d.ID = a.dir
			req.Directories = append(req.Directories, d)
		}
		d := &req.Directories[i]
		j, ok := topics[place{a.dir, a.key.ID}]
		if !ok {
			j = len(d.Topics)
			topics[place{a.dir, a.key.ID}] = j
			t := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
			t.TopicID = a.key.ID
			d.Topics = append(d.Topics, t)
		}
		p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
		p.Partition = a.key.Number
		d.Topics[j].Partitions = append(d.Topics[j].Partitions, p)
	}
	x.s.toController(req, 0, x.answered)
}

// answered takes the controller's answer. What it refused of single replicas is asked again if a later image still says otherwise.
func (x *assigns) answered(resp kmsg.Response) {
	r, _ := resp.(*kmsg.AssignReplicasToDirsResponse)
	if r == nil || r.ErrorCode != 0 && r.ErrorCode != int16(kerr.StaleBrokerEpoch) {
		x.later()
		return
	}
	for _, a := range x.done() {
		if x.asked[a.key] == a.dir {
			delete(x.asked, a.key)
		}
	}
}

// toController has the active controller decide a request of this broker's own. done gets the answer, nil if there is none.
func (s *Shard) toController(req kmsg.Request, version int16, done func(resp kmsg.Response)) {
	if s.member != nil {
		s.member.toController(req, version, done)
		return
	}
	req.SetVersion(version)
	s.control.machine.Submit(req, decidedFunc(done))
}
