package client

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// leaderAt is a partition's leader as metadata name it.
type leaderAt struct {
	topic [16]byte
	node  int
	epoch int32
}

// nobody is no leader: a position that was proven with it is proven with none.
var nobody = leaderAt{node: -1, epoch: -1}

func (p *position) leader() leaderAt {
	return leaderAt{p.topic.id, p.topic.lead[p.part], p.topic.epoch[p.part]}
}

// move puts the position somewhere without knowing of which epoch the batch before it is.
func (p *position) move(to int64) { p.next, p.read = to, false }

// readAt puts the position behind a batch of a leader epoch, -1 unknown. What no leader that the client knows can have written is not asked for.
func (p *position) readAt(to int64, epoch int32, proven leaderAt) {
	p.next, p.epoch, p.proven = to, epoch, proven
	p.read = epoch >= 0 && len(p.topic.epoch) > int(p.part) && epoch <= p.topic.epoch[p.part]
}

// epochBefore is the leader epoch that a group stores with a position, -1 unknown.
func (f *fetcher) epochBefore(p *position) int32 {
	if !f.cfg.Validate || !p.read {
		return -1
	}
	return p.epoch
}

// validateAgain is how long a position waits whose validation was refused.
const validateAgain = 100 * clock.Millisecond

// oldestValidation is the version of OffsetForLeaderEpoch from which on consumers may ask.
const oldestValidation = 3

// unproven says that the client has heard of another leader, or leader epoch, than the one under which the position was last proven: before it is
// read from there, that leader must say whether it has what was read (KIP-320).
func (f *fetcher) unproven(p *position) bool {
	if !f.cfg.Validate || f.b.sh.Nodes <= 1 || !p.read {
		return false
	}
	l := p.leader()
	return l != p.proven && l.epoch >= p.epoch && (l.topic == p.proven.topic || p.proven == nobody)
}

// sort tells positions that can be read from those that are to be validated now. The rest waits.
func (f *fetcher) sort(pos []*position) (sure, due []*position) {
	for _, p := range pos {
		switch {
		case !f.unproven(p):
			sure = append(sure, p)
		case f.b.n.Now() >= p.askAt:
			due = append(due, p)
		}
	}
	return sure, due
}

// validate asks where the epochs ended of which the last batches before these positions are.
func (l *lane) validate(due []*position) {
	f := l.f
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	ops := make([]history.Op, len(due))
	for i, p := range due {
		ops[i] = history.Op{Kind: history.EpochEnd, Key: p.key, From: p.next, Offset: history.NoOffset, HW: -1, Start: -1, PID: noProducerID,
			Generation: p.epoch, Seq: f.b.epochOf(p), Member: l.from()}
		tp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		tp.Partition, tp.CurrentLeaderEpoch, tp.LeaderEpoch = p.part, f.b.epochOf(p), p.epoch
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic, t.Partitions = p.topic.name, append(t.Partitions, tp)
		req.Topics = append(req.Topics, t)
	}
	l.begin()
	gen := f.gen
	f.b.record(l.slot, history.Invoke, "", ops...)
	l.link.ask(req, oldestValidation, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		l.end()
		if err != nil {
			f.b.record(l.slot, history.Fail, err.Error(), ops...)
		} else {
			l.validated(r.(*kmsg.OffsetForLeaderEpochResponse), due, ops, gen == f.gen)
		}
		f.after()
	})
}

// validated records what was answered, and has the positions follow it if they are still those that were asked about.
func (l *lane) validated(resp *kmsg.OffsetForLeaderEpochResponse, due []*position, asked []history.Op, current bool) {
	f := l.f
	var ops []history.Op
	var moves []*position
	refused := kerr.None
	for i, p := range due {
		part := epochEndIn(resp, p)
		if part.ErrorCode != 0 {
			refused = kerr.Code(part.ErrorCode)
			p.askAt = f.b.n.Now().Add(validateAgain)
			if !retriable(refused) && refused != kerr.FencedLeaderEpoch {
				f.b.caught(0, p.key, "OffsetForLeaderEpoch answers an error of no use", refused.String())
			}
			f.b.stale()
			continue
		}
		op := asked[i]
		op.Offset, op.Batches = part.EndOffset, part.LeaderEpoch
		if ops = append(ops, op); current && p.follow(part) {
			moves = append(moves, p)
		}
	}
	if len(ops) == 0 {
		f.b.record(l.slot, history.Fail, refused.String(), asked...)
		return
	}
	f.b.record(l.slot, history.OK, "", ops...)
	for _, p := range moves {
		f.b.sh.Rec.Record(&history.Event{Process: f.b.process(l.slot), Type: history.Info, F: "seek", Keys: []string{p.key}})
	}
}

// epochEndIn finds a partition in an answer.
func epochEndIn(resp *kmsg.OffsetForLeaderEpochResponse, p *position) kmsg.OffsetForLeaderEpochResponseTopicPartition {
	for i := range resp.Topics {
		for k := range resp.Topics[i].Partitions {
			if part := resp.Topics[i].Partitions[k]; resp.Topics[i].Topic == p.topic.name && part.Partition == p.part {
				return part
			}
		}
	}
	none := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	none.ErrorCode = int16(kerr.UnknownServerError)
	return none
}

// follow does what a leader's answer asks for, and says whether the position went back: to the end of the epoch where the leader has less of it than
// was read, as consumers do that reset by themselves, and to the start of the log where it knows nothing of the epoch.
func (p *position) follow(end kmsg.OffsetForLeaderEpochResponseTopicPartition) bool {
	p.proven = p.leader()
	switch {
	case end.LeaderEpoch < 0 || end.EndOffset < 0:
		p.lost, p.read = true, false
	case end.EndOffset < p.next:
		p.next, p.epoch = end.EndOffset, end.LeaderEpoch
	default:
		return false
	}
	return true
}
