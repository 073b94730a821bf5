package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// ListOffsets (key 2): KIP-79, KIP-734 (max timestamp), KIP-405 (local and tiered; there is no tier, so -4 is the log start and -5 unknown).
const (
	latestTimestamp        = -1
	earliestTimestamp      = -2
	maxTimestamp           = -3
	earliestLocalTimestamp = -4
	latestTieredTimestamp  = -5
	earliestPendingUpload  = -6
)

func listOffsets(r *Request, req kmsg.Request) {
	q := req.(*kmsg.ListOffsetsRequest)
	seen := map[PartKey]int{}
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			p := &q.Topics[i].Partitions[j]
			r.addItem(q.Topics[i].Topic, p.Partition, p.CurrentLeaderEpoch, p.Timestamp)
			it := &r.items[len(r.items)-1]
			it.ROff, it.RTime, it.REpoch = -1, -1, -1
			if it.Code == kerr.None {
				seen[PartKey{it.ID, it.Number}]++
			}
		}
	}
	for i := range r.items {
		it := &r.items[i]
		if seen[PartKey{it.ID, it.Number}] > 1 {
			it.Code = kerr.InvalidRequest // Kafka refuses a partition that is named twice
		}
		if it.Code == kerr.None && !timestampServed(it.Arg, r.Version) {
			it.Code = kerr.UnsupportedVersion
		}
	}
	r.finish = func(r *Request) { r.answer(listedOffsets(r, q)) }
	r.scatter(opListOffsets, func(c *call) { c.reads = reader{replica: -1, stable: q.IsolationLevel == 1} })
}

// timestampServed says whether a special timestamp is one of the version's.
func timestampServed(ts int64, version int16) bool {
	switch ts {
	case maxTimestamp:
		return version >= 7
	case earliestLocalTimestamp:
		return version >= 8
	case latestTieredTimestamp:
		return version >= 9
	case earliestPendingUpload:
		return version >= 11
	}
	return ts >= earliestTimestamp
}

func listedOffsets(r *Request, q *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := kmsg.NewPtrListOffsetsResponse()
	n := 0
	for i := range q.Topics {
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = q.Topics[i].Topic
		for j := range q.Topics[i].Partitions {
			it := &r.items[n]
			n++
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.ErrorCode = q.Topics[i].Partitions[j].Partition, code(it.Code)
			if it.Code == kerr.OffsetNotAvailable && r.Version < 5 {
				p.ErrorCode = code(kerr.LeaderNotAvailable)
			}
			p.Offset, p.Timestamp, p.LeaderEpoch = it.ROff, it.RTime, it.REpoch
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// listOffsets answers a call's items on their owner; those by timestamp read the log.
func (s *State) listOffsets(c *call) {
	slow := false
	for _, i := range c.idx {
		it := &c.items[i]
		p := s.leaderOf(it)
		if p == nil {
			continue
		}
		if !p.OffsetsKnown() && (it.Arg >= latestTimestamp || it.Arg == maxTimestamp) {
			it.Code = kerr.OffsetNotAvailable // KIP-207
			continue
		}
		switch it.Arg {
		case latestTimestamp:
			it.ROff, it.REpoch = c.reads.end(p), p.LeaderEpoch
		case earliestTimestamp, earliestLocalTimestamp:
			it.ROff = p.Log.Start()
			it.REpoch = p.EpochAt(it.ROff)
		case latestTieredTimestamp, earliestPendingUpload:
		default:
			slow = true
		}
	}
	if !slow {
		s.giveBack(c)
		return
	}
	task.Go(s.Env, func(t *task.Task) { s.offsetsByTime(t, c) })
}

func (s *State) offsetsByTime(t *task.Task, c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		if it.Code != kerr.None || it.Arg < 0 && it.Arg != maxTimestamp {
			continue
		}
		p := s.leaderOf(it)
		if p == nil {
			continue
		}
		var err disk.Err
		if it.Arg == maxTimestamp {
			it.ROff, it.RTime, it.REpoch, err = p.Log.MaxTimestamp(t, c.reads.end(p))
		} else {
			it.ROff, it.RTime, it.REpoch, err = p.Log.OffsetForTime(t, it.Arg, c.reads.end(p))
		}
		if t.Stopped() {
			return
		}
		if err != disk.OK {
			it.Code, it.ROff, it.RTime, it.REpoch = kerr.KafkaStorageError, -1, -1, -1
		}
	}
	s.giveBack(c)
}

// addItem adds one partition that a cold request names.
func (r *Request) addItem(topic string, number, epoch int32, arg int64) {
	it := Item{Number: number, Epoch: epoch, Arg: arg}
	t := r.s.Image.TopicByName(topic)
	if t == nil || t.Partition(number) == nil {
		it.Code = kerr.UnknownTopicOrPartition
	} else {
		it.ID, it.Owner = t.ID, int32(Owner(t.Name, number, r.s.Shards))
	}
	r.items = append(r.items, it)
}
