package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one of a group, with a connection and a goroutine of its own until it quits. It does at once what the coordinator asks for.
type member struct {
	*group
	c           *conn
	stop, ended chan struct{}
	once        sync.Once
	id          string
	epoch       int32   // or generation; -1: not joined
	owned       []int32 // partitions
	topicID     [16]byte
	report      bool // the coordinator does not know yet what is owned
	moved       bool // the part has just changed
	times       []time.Duration
}

// quit has the member leave, and waits until it has.
func (m *member) quit() {
	m.once.Do(func() {
		close(m.stop)
		select {
		case <-m.ended:
		case <-time.After(5 * time.Second):
		}
		m.c.Close() // ends what it waits for
		<-m.ended
	})
}

func (m *member) run() {
	defer close(m.ended)
	beat, leave := m.beatClassic, m.leaveClassic
	if m.consumer {
		beat, leave = m.beatConsumer, m.leaveConsumer
	}
	err := beat()
	for commit := m.commit; err == nil; {
		select {
		case <-m.stop:
			m.forget(m)
			if err := leave(); err != nil {
				m.fail(fmt.Errorf("a member that leaves: %w", err))
			}
			return
		case <-commit:
			commit = nil
			err = m.commitAWhile()
		case <-time.After(m.wait()):
			err = beat()
		}
	}
	m.fail(fmt.Errorf("a member: %w", err))
}

// wait is the time to the next heartbeat. Members whose parts have changed together do not go on together.
func (m *member) wait() time.Duration {
	if m.moved {
		m.moved = false
		return rand.N(groupBeat)
	}
	return groupBeat
}

// ask calls until the answer has no error that goes away by itself.
func (m *member) ask(r kmsg.Request, code func(kmsg.Response) int16) (kmsg.Response, error) {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, err := m.c.call(r)
		if err != nil {
			return nil, err
		}
		switch err := kerr.ErrorForCode(code(got)); err {
		case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
			if time.Since(began) > groupWait {
				return nil, err
			}
		default:
			return got, nil
		}
	}
}

// beatConsumer sends heartbeats of KIP-848 until the coordinator has nothing new to say.
func (m *member) beatConsumer() error {
	for again := true; again; {
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		r.Group, r.MemberID, r.MemberEpoch = m.name, m.id, max(m.epoch, 0)
		if m.epoch < 0 {
			r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 60_000, []string{m.topic}
		}
		if m.report {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if t := kmsg.NewConsumerGroupHeartbeatRequestTopic(); len(m.owned) > 0 {
				t.TopicID, t.Partitions = m.topicID, m.owned
				r.Topics = append(r.Topics, t)
			}
			m.report = false
		}
		x, err := m.ask(r, func(x kmsg.Response) int16 { return x.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode })
		if err != nil {
			return err
		}
		got := x.(*kmsg.ConsumerGroupHeartbeatResponse)
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return err
		}
		again = m.hear(got)
	}
	return nil
}

// hear takes in what a heartbeat has told, and says whether there is something to answer.
func (m *member) hear(got *kmsg.ConsumerGroupHeartbeatResponse) bool {
	if got.MemberID != nil {
		m.id = *got.MemberID
	}
	if a := got.Assignment; a != nil {
		m.owned, m.report = nil, true
		for _, t := range a.Topics {
			m.topicID = t.TopicID
			m.owned = append(m.owned, t.Partitions...)
		}
	}
	if m.moved = m.moved || m.epoch != got.MemberEpoch; m.moved || m.report {
		m.epoch = got.MemberEpoch
		m.tell(m, part{m.epoch, len(m.owned)})
	}
	return m.report
}

func (m *member) leaveConsumer() error {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch = m.name, m.id, -1
	x, err := m.c.call(r)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(x.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode)
}

// beatClassic sends a heartbeat of the classic protocol, and joins (again) where that is wanted.
func (m *member) beatClassic() error {
	if m.epoch >= 0 {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.Generation, r.MemberID = 3, m.name, m.epoch, m.id
		x, err := m.ask(r, func(x kmsg.Response) int16 { return x.(*kmsg.HeartbeatResponse).ErrorCode })
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(x.(*kmsg.HeartbeatResponse).ErrorCode); err != kerr.RebalanceInProgress {
			return err
		}
	}
	for began := time.Now(); time.Since(began) < groupWait; {
		joined, err := m.join()
		if err != nil {
			return err
		}
		if done, err := m.sync(joined); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("it has not joined within %v", groupWait)
}

// join waits for the other members.
func (m *member) join() (*kmsg.JoinGroupResponse, error) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = 5, m.name, 45_000, 60_000, "consumer"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{m.topic}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	r.Protocols = append(r.Protocols, p)
	for {
		r.MemberID = m.id
		x, err := m.ask(r, func(x kmsg.Response) int16 { return x.(*kmsg.JoinGroupResponse).ErrorCode })
		if err != nil {
			return nil, err
		}
		got := x.(*kmsg.JoinGroupResponse)
		if err := kerr.ErrorForCode(got.ErrorCode); err != kerr.MemberIDRequired || m.id != "" {
			m.id = got.MemberID
			return got, err
		}
		m.id = got.MemberID
	}
}

// sync gives and takes parts. It is not done where the group has begun anew.
func (m *member) sync(joined *kmsg.JoinGroupResponse) (bool, error) {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.Generation, r.MemberID = 3, m.name, joined.Generation, m.id
	if joined.LeaderID == m.id {
		r.GroupAssignment = m.assign(joined.Members)
	}
	x, err := m.ask(r, func(x kmsg.Response) int16 { return x.(*kmsg.SyncGroupResponse).ErrorCode })
	if err != nil {
		return false, err
	}
	got := x.(*kmsg.SyncGroupResponse)
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		if err == kerr.RebalanceInProgress {
			return false, nil
		}
		return false, err
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(got.MemberAssignment); err != nil {
		return false, err
	}
	m.epoch, m.owned, m.moved = joined.Generation, nil, true
	for _, t := range a.Topics {
		m.owned = append(m.owned, t.Partitions...)
	}
	m.tell(m, part{m.epoch, len(m.owned)})
	return true, nil
}

// assign is the leader's work.
func (m *member) assign(members []kmsg.JoinGroupResponseMember) (list []kmsg.SyncGroupRequestGroupAssignment) {
	for i, x := range members {
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic = m.topic
		for p := i; p < groupPartitions; p += len(members) {
			t.Partitions = append(t.Partitions, int32(p))
		}
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics = append(a.Topics, t)
		s := kmsg.NewSyncGroupRequestGroupAssignment()
		s.MemberID, s.MemberAssignment = x.MemberID, a.AppendTo(nil)
		list = append(list, s)
	}
	return list
}

func (m *member) leaveClassic() error {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 3, m.name
	x := kmsg.NewLeaveGroupRequestMember()
	x.MemberID = m.id
	r.Members = append(r.Members, x)
	got, err := m.c.call(r)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(got.(*kmsg.LeaveGroupResponse).ErrorCode)
}

// commitAWhile commits the offsets of all that the member owns, one request after another.
func (m *member) commitAWhile() error {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation, r.MemberID = 7, m.name, m.epoch, m.id
	if m.consumer {
		r.Version = 9
	}
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = m.topic
	for _, n := range m.owned {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition = n
		t.Partitions = append(t.Partitions, p)
	}
	r.Topics = append(r.Topics, t)
	for n := int64(0); ; n++ {
		began := time.Now()
		if !began.Before(m.until) {
			return nil
		}
		for i := range t.Partitions {
			t.Partitions[i].Offset = n
		}
		x, err := m.c.call(r)
		if err != nil {
			return err
		}
		for _, p := range x.(*kmsg.OffsetCommitResponse).Topics[0].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("a commit: %w", err)
			}
		}
		m.times = append(m.times, time.Since(began))
	}
}
