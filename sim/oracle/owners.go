package oracle

import (
	"fmt"
	"maps"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// owners: within one generation of a group, a partition has one owner (I:G2), and a member that gave a partition up for a newer generation
// is not followed by one that takes it in an older.
type owners struct {
	quiet
	g     *ghosts
	owner map[string]ownership
	late  ownership // the last one that was answered across an excuse
}

type ownership struct {
	generation int32
	member     string
}

func (w *owners) Name() string { return "I:G2" }

func (w *owners) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		switch topic, _ := history.SplitKey(o.Key); {
		case o.Kind == history.Excuse && (o.Key == "" || topic == "__consumer_offsets"):
			w.owner = nil // the group may begin again from generation 1
		case o.Kind == history.Anew:
			maps.DeleteFunc(w.owner, func(key string, _ ownership) bool { return strings.HasPrefix(key, o.Key+"|") })
		case o.Kind == history.Join && e.Type == history.OK && w.g.stale[e.Process]:
			w.late = ownership{o.Generation, o.Member}
		}
		if o.Kind != history.Own || w.g.facts.OffsetsExpire {
			continue
		}
		if w.owner == nil {
			w.owner = map[string]ownership{}
		}
		if w.late == (ownership{o.Generation, o.Member}) {
			continue // it was told of a generation that is gone
		}
		if w.g.outlived(o) {
			continue
		}
		w.checks++
		was, ok := w.owner[o.Key]
		if ok && was.generation == o.Generation && was.member != o.Member {
			return fail(w.Name(), fmt.Sprintf("%s in generation %d", o.Key, o.Generation), e.I, "owned by "+was.member, "owned by "+o.Member+" too")
		}
		if !ok || o.Generation >= was.generation {
			w.owner[o.Key] = ownership{o.Generation, o.Member}
		}
	}
	return nil
}
