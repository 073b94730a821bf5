package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// DescribeLogDirs (key 35): sizes by partition, gathered from every shard (KIP-113, KIP-827).
func describeLogDirs(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeLogDirsRequest)
	if q.Topics == nil {
		for _, t := range r.s.Image.Topics() {
			for n := range t.Partitions {
				r.addItem(t.Name, int32(n), -1, 0)
			}
		}
	}
	for i := range q.Topics {
		for _, n := range q.Topics[i].Partitions {
			r.addItem(q.Topics[i].Topic, n, -1, 0)
		}
	}
	r.finish = (*Request).describedLogDirs
	r.scatter(opSizes, nil)
}

func (s *State) sizes(c *call) {
	for _, i := range c.idx {
		it := &c.items[i]
		if p := s.replicaOf(it); p != nil {
			it.ROff, it.Arg = p.Log.Size(), int64(p.Dir)
		}
	}
	s.giveBack(c)
}

func (r *Request) describedLogDirs() {
	s := r.s
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	for i := range s.Dirs {
		from := &s.Dirs[i]
		d := kmsg.NewDescribeLogDirsResponseDir()
		d.Dir, d.TotalBytes, d.UsableBytes = from.Path, from.TotalBytes, from.FreeBytes
		if from.Offline {
			d.ErrorCode = code(kerr.KafkaStorageError)
		} else {
			r.describeLogDir(int64(i), &d)
		}
		resp.Dirs = append(resp.Dirs, d)
	}
	r.answer(resp)
}

// describeLogDir lists what lies in one directory.
func (r *Request) describeLogDir(dir int64, d *kmsg.DescribeLogDirsResponseDir) {
	for i := range r.items {
		it := &r.items[i]
		if it.Code != kerr.None || it.Arg != dir {
			continue
		}
		t := r.s.Image.TopicByID(it.ID)
		if t == nil {
			continue
		}
		if n := len(d.Topics); n == 0 || d.Topics[n-1].Topic != t.Name {
			x := kmsg.NewDescribeLogDirsResponseDirTopic()
			x.Topic = t.Name
			d.Topics = append(d.Topics, x)
		}
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size = it.Number, it.ROff
		x := &d.Topics[len(d.Topics)-1]
		x.Partitions = append(x.Partitions, p)
	}
}
