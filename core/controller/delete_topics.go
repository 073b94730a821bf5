package controller

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics decides API 20, v1–6: by name, and from v6 on by id. Internal topics can be deleted, as in Kafka.
//
// UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID; INVALID_REQUEST: name and id, neither, or a topic named twice; TOPIC_DELETION_DISABLED
// (before v3 INVALID_REQUEST): delete.topic.enable is false.
func DeleteTopics(c *Context, req *kmsg.DeleteTopicsRequest) (*kmsg.DeleteTopicsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	if req.Version < 6 {
		asked = make([]kmsg.DeleteTopicsRequestTopic, len(req.TopicNames))
		for i := range req.TopicNames {
			asked[i].Topic = &req.TopicNames[i]
		}
	}
	var records []metadata.Record
	seen := newSeen(asked)
	for i := range asked {
		a := &asked[i]
		if seen.before(a, i) {
			continue
		}
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = a.Topic, a.TopicID
		t, bad := c.toDelete(a, seen)
		if t != nil && bad.code != kerr.None { // by its name and by its id: answered once, at its name
			if a.Topic == nil {
				continue
			}
			out.TopicID = t.ID
		}
		if bad.code == kerr.None && !c.Node.DeleteTopicEnable {
			bad = refuse(kerr.TopicDeletionDisabled, "Topic deletion is disabled.")
			if req.Version < 3 {
				bad.code = kerr.InvalidRequest
			}
		}
		if bad.code == kerr.None {
			out.Topic, out.TopicID = kmsg.StringPtr(t.Name), t.ID
			records = append(records, &metadata.RemoveTopicRecord{ID: t.ID})
		}
		out.ErrorCode, out.ErrorMessage = int16(bad.code), bad.message()
		resp.Topics = append(resp.Topics, out)
	}
	return resp, records
}

func (c *Context) toDelete(a *kmsg.DeleteTopicsRequestTopic, seen *seen) (*metadata.Topic, refusal) {
	zero := a.TopicID == [16]byte{}
	switch {
	case a.Topic == nil && zero:
		return nil, refuse(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	case a.Topic != nil && !zero:
		return nil, refuse(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	case a.Topic != nil:
		if seen.names[*a.Topic] > 1 {
			return nil, refuse(kerr.InvalidRequest, "Duplicate topic name.")
		}
		t := c.Image.TopicByName(*a.Topic)
		if t == nil {
			return nil, refuse(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
		}
		if seen.ids[t.ID] > 0 {
			return t, refuse(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied.")
		}
		return t, refusal{}
	}
	if seen.ids[a.TopicID] > 1 {
		return nil, refuse(kerr.InvalidRequest, "Duplicate topic id.")
	}
	t := c.Image.TopicByID(a.TopicID)
	if t == nil {
		return nil, refuse(kerr.UnknownTopicID, "This server does not host this topic ID.")
	}
	if seen.names[t.Name] > 0 {
		return t, refuse(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied.")
	}
	return t, refusal{}
}

// seen counts how often a request names a topic; the maps are looked up only.
type seen struct {
	names  map[string]int
	ids    map[[16]byte]int
	first  map[string]int
	firstI map[[16]byte]int
}

func newSeen(asked []kmsg.DeleteTopicsRequestTopic) *seen {
	s := &seen{map[string]int{}, map[[16]byte]int{}, map[string]int{}, map[[16]byte]int{}}
	for i := range asked {
		a := &asked[i]
		switch {
		case a.Topic != nil && a.TopicID == [16]byte{}:
			if s.names[*a.Topic]++; s.names[*a.Topic] == 1 {
				s.first[*a.Topic] = i
			}
		case a.Topic == nil && a.TopicID != [16]byte{}:
			if s.ids[a.TopicID]++; s.ids[a.TopicID] == 1 {
				s.firstI[a.TopicID] = i
			}
		}
	}
	return s
}

// before says that the same name or id was answered already: a topic that is named twice is answered once.
func (s *seen) before(a *kmsg.DeleteTopicsRequestTopic, i int) bool {
	switch {
	case a.Topic != nil && a.TopicID == [16]byte{}:
		return s.first[*a.Topic] < i
	case a.Topic == nil && a.TopicID != [16]byte{}:
		return s.firstI[a.TopicID] < i
	}
	return false
}
