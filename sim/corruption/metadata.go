package corruption

import "github.com/seedlog/seedlog/sim/history"

var metadataOperators = []Operator{
	{"partitions that nobody asked for", partitionsFromNowhere},
	{"a topic told of before anybody asked for it", toldTooEarly},
	{"a topic that is gone though nobody deleted it", topicGone},
}

// told calls f for each time that a broker told of a topic, unless what the controller had committed may be gone.
func (s *Story) told(f func(at int, o *history.Op)) {
	if s.doubt[""] {
		return
	}
	for i, e := range s.Events {
		for k := range e.Ops {
			if o := &e.Ops[k]; o.Kind == history.ReadTopic {
				f(i, o)
			}
		}
	}
}

var breaksTopics = []string{"history:M5"}

func partitionsFromNowhere(s *Story) (edits []*Edit) {
	s.told(func(at int, o *history.Op) {
		e := s.edit(breaksTopics, "%s: event %d", o.Key, at)
		e.event(at).Ops[0].Offset = 1000
		edits = append(edits, e)
	})
	return edits
}

func toldTooEarly(s *Story) (edits []*Edit) {
	asked := map[string]bool{}
	for i, ev := range s.Events {
		for k := range ev.Ops {
			switch o := &ev.Ops[k]; {
			case o.Kind == history.CreateTopic:
				asked[o.Key] = true
			case o.Kind == history.ReadTopic && !asked[o.Key] && o.Offset < 0 && !s.doubt[""]:
				e := s.edit(breaksTopics, "%s: event %d", o.Key, i)
				e.event(i).Ops[k].Offset = 1
				edits = append(edits, e)
			}
		}
	}
	return edits
}

// again has a broker tell once more of a topic, at the very end.
func (e *Edit) again(o *history.Op, parts int64) *Edit {
	op := *o
	op.Offset, op.Generation = parts, 0
	return e.add(history.Info, op)
}

func topicGone(s *Story) (edits []*Edit) {
	s.told(func(at int, o *history.Op) {
		if o.Offset > 0 && !s.deleted[o.Key] {
			edits = append(edits, s.edit(breaksTopics, "%s: after event %d", o.Key, at).again(o, history.NoOffset))
		}
	})
	return edits
}
