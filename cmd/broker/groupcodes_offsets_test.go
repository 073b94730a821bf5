package main_test

import (
	"fmt"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// commit is OffsetCommit of offset 7, by name, or by id from version 10 on.
func (a *groupAsker) commit(version int16, m *consumer, topics ...string) string {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation, q.InstanceID = version, m.group, m.id, m.epoch, m.instance
	for _, s := range topics {
		name, n := topicAndNumber(s)
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = name, a.topicID(name)
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = n, 7, -1
		t.Partitions = append(t.Partitions, p)
		q.Topics = append(q.Topics, t)
	}
	var out []string
	for _, t := range a.ask(q).(*kmsg.OffsetCommitResponse).Topics {
		if version >= 10 {
			t.Topic = a.topics[t.TopicID]
		}
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, kerr.Code(p.ErrorCode)))
		}
	}
	return told(out)
}

func (a *groupAsker) commits(what string, version int16, m *consumer, topics ...string) {
	a.say(fmt.Sprintf("OffsetCommit v%d %s", version, what), a.commit(version, m, topics...))
}

// fetches is OffsetFetch of one group from version 9 on; no topics are all.
func (a *groupAsker) fetches(what string, version int16, group string, member *string, epoch int32, topics ...string) {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version = version
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberID, g.MemberEpoch = group, member, epoch
	for _, s := range topics {
		name, n := topicAndNumber(s)
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: name, TopicID: a.topicID(name), Partitions: []int32{n}})
	}
	q.Groups = append(q.Groups, g)
	r := a.ask(q).(*kmsg.OffsetFetchResponse).Groups[0]
	var out []string
	for _, t := range r.Topics {
		if version >= 10 {
			t.Topic = a.topics[t.TopicID]
		}
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d=%d %s", t.Topic, p.Partition, p.Offset, kerr.Code(p.ErrorCode)))
		}
	}
	sort.Strings(out)
	a.say(fmt.Sprintf("OffsetFetch v%d %s", version, what), kerr.Code(r.ErrorCode).String()+" "+strings.Join(out, ", "))
}

// forgets is OffsetDelete.
func (a *groupAsker) forgets(what, group string, topics ...string) {
	q := kmsg.NewPtrOffsetDeleteRequest()
	q.Group = group
	for _, s := range topics {
		name, n := topicAndNumber(s)
		q.Topics = append(q.Topics, kmsg.OffsetDeleteRequestTopic{Topic: name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: n}}})
	}
	r := a.ask(q).(*kmsg.OffsetDeleteResponse)
	out := []string{"all " + kerr.Code(r.ErrorCode).String()}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, kerr.Code(p.ErrorCode)))
		}
	}
	a.say("OffsetDelete "+what, told(out))
}

// list is ListGroups, of the groups with this prefix.
func (a *groupAsker) list(what string, version int16, prefix string, states, types []string) {
	q := kmsg.NewPtrListGroupsRequest()
	q.Version, q.StatesFilter, q.TypesFilter = version, states, types
	r := a.ask(q).(*kmsg.ListGroupsResponse)
	var out []string
	for _, g := range r.Groups {
		if strings.HasPrefix(g.Group, prefix) {
			out = append(out, fmt.Sprintf("%s %s %s %s", g.Group, g.ProtocolType, g.GroupState, g.GroupType))
		}
	}
	sort.Strings(out)
	a.say(fmt.Sprintf("ListGroups v%d %s", version, what), fmt.Sprintf("%s %q", kerr.Code(r.ErrorCode), out))
}

// describeClassic is DescribeGroups.
func (a *groupAsker) describeClassic(version int16, groups ...string) {
	q := kmsg.NewPtrDescribeGroupsRequest()
	q.Version, q.Groups = version, groups
	all := a.ask(q).(*kmsg.DescribeGroupsResponse).Groups
	sort.Slice(all, func(i, j int) bool { return all[i].Group < all[j].Group })
	for _, g := range all {
		a.say(fmt.Sprintf("DescribeGroups v%d %s", version, g.Group), fmt.Sprintf("%s %q %q %q %d members", kerr.Code(g.ErrorCode), g.State, g.ProtocolType, g.Protocol, len(g.Members)))
	}
}

func (a *groupAsker) deletes(what string, groups ...string) {
	q := kmsg.NewPtrDeleteGroupsRequest()
	q.Version, q.Groups = 2, groups
	var out []string
	for _, g := range a.ask(q).(*kmsg.DeleteGroupsResponse).Groups {
		out = append(out, g.Group+" "+kerr.Code(g.ErrorCode).String())
	}
	a.say("DeleteGroups "+what, told(out))
}

// offsetsOfMembers commits and fetches in a group with one member.
func (a *groupAsker) offsetsOfMembers() {
	m := &consumer{group: "cg-offsets", id: "m-1"}
	a.says("joins", 0, m, joins("cg-a"))
	for _, version := range []int16{2, 5, 8, 9, 10} {
		a.commits("of the member", version, m, "cg-a-0")
	}
	nobody := &consumer{group: m.group, id: "m-9", epoch: m.epoch}
	a.commits("of an unknown member", 9, nobody, "cg-a-0")
	a.commits("of an unknown member", 8, nobody, "cg-a-0")
	a.commits("of a member of no group", 9, &consumer{group: "cg-none", id: "m-1", epoch: 1}, "cg-a-0")
	a.commits("of a member of no group", 8, &consumer{group: "cg-none", id: "m-1", epoch: 1}, "cg-a-0")
	a.commits("of nobody", 9, &consumer{group: m.group, epoch: -1}, "cg-a-0")
	a.commits("of nobody", 5, &consumer{group: m.group, epoch: -1}, "cg-a-0")
	a.commits("without epoch", 9, &consumer{group: m.group, id: "m-1", epoch: -1}, "cg-a-0")
	a.commits("of a later epoch", 9, &consumer{group: m.group, id: "m-1", epoch: m.epoch + 1}, "cg-a-0")
	a.commits("of an earlier epoch", 9, &consumer{group: m.group, id: "m-1", epoch: m.epoch - 1}, "cg-a-0")
	a.commits("of a topic that is not its own", 9, m, "cg-b-0")
	a.commits("of what is not there", 9, m, "cg-a-9", "none-0")
	a.commits("of what is not there, by id", 10, m, "cg-a-9", "none-0")
	id, other, empty := "m-1", "m-9", ""
	a.fetches("of the member", 9, m.group, &id, m.epoch, "cg-a-0", "cg-b-0", "cg-b-1")
	a.fetches("of the member", 10, m.group, &id, m.epoch, "cg-a-0", "cg-b-0")
	a.fetches("of all topics", 9, m.group, &id, m.epoch)
	a.fetches("of nobody", 8, m.group, nil, -1, "cg-a-0")
	a.fetches("of nobody", 9, m.group, nil, -1, "cg-a-0")
	a.fetches("of a member with an empty id", 9, m.group, &empty, -1, "cg-a-0")
	a.fetches("of an unknown member", 9, m.group, &other, m.epoch, "cg-a-0")
	a.fetches("of a member without epoch", 9, m.group, &id, -1, "cg-a-0")
	a.fetches("of an earlier epoch", 9, m.group, &id, m.epoch-1, "cg-a-0")
	a.fetches("of a later epoch", 9, m.group, &id, m.epoch+1, "cg-a-0")
	a.fetches("of no group", 9, "cg-none", &id, 1, "cg-a-0")
	a.forgets("of a topic that is read", m.group, "cg-a-0", "cg-a-9")
	a.forgets("of a topic that is not read", m.group, "cg-b-0", "cg-b-1", "none-0")
	a.forgets("of no group", "cg-none", "cg-b-0")
	a.forgets("of an empty group id", "", "cg-b-0")
	a.fetches("then", 9, m.group, nil, -1)
	a.deletes("of a group with a member", m.group)
	a.says("leaves", 0, m, atEpoch(-1))
	a.commits("of nobody, in the empty group", 9, &consumer{group: m.group, epoch: -1}, "cg-a-1")
	a.commits("of nobody, in the empty group", 2, &consumer{group: m.group, epoch: -1}, "cg-a-2")
	a.commits("of whoever left", 9, m, "cg-a-1")
	a.forgets("in the empty group", m.group, "cg-a-0")
	a.fetches("then", 9, m.group, nil, -1)
	a.deletes("of the empty group", m.group, "cg-none", "")
	a.fetches("then", 9, m.group, nil, -1)
	a.describe(0, m.group)
}

// offsetsOfEpochs commits under an epoch that is over (KIP-1251).
func (a *groupAsker) offsetsOfEpochs() {
	m := &consumer{group: "cg-epochs", id: "m-1"}
	a.says("joins", 1, m, joins("cg-a"))
	first := *m
	a.says("subscribes to one more", 1, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a", "cg-b"} })
	a.settles("then", m)
	a.commits("of the epoch before, of what it had then", 9, &first, "cg-a-0")
	a.commits("of the epoch before, of what it had then, by id", 10, &first, "cg-a-0")
	a.commits("of the epoch before, of what it did not have then", 9, &first, "cg-b-0")
	a.commits("of the epoch before, of both", 9, &first, "cg-a-1", "cg-b-0")
	a.commits("of the epoch before, of what it never had", 9, &first, "cg-c-0")
	a.commits("of this epoch, of what it never had", 9, m, "cg-c-0")
	id := m.id
	a.fetches("of the epoch before", 9, m.group, &id, first.epoch, "cg-a-0")
	a.says("of the epoch before", 1, &first)
	a.says("of the epoch before, with what it owned", 1, &first, first.owns)
	a.says("leaves", 1, m, atEpoch(-1))
}

// offsetsOfTransactions commits offsets of a member within a transaction.
func (a *groupAsker) offsetsOfTransactions() {
	m := &consumer{group: "cg-txn", id: "m-1"}
	a.says("joins", 1, m, joins("cg-a"))
	first := *m
	a.says("subscribes to one more", 1, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a", "cg-b"} })
	a.settles("then", m)
	p := a.begin("cg-txn")
	commit := func(what string, version int16, c committer, topics ...string) {
		a.again(fmt.Sprintf("TxnOffsetCommit v%d %s", version, what), func() string { return a.commitOffsets(version, p, m.group, c, "", topics...) })
	}
	commit("of the member", 5, committer{m.epoch, m.id}, "cg-a-0")
	commit("of the member", 3, committer{m.epoch, m.id}, "cg-a-1")
	commit("of nobody", 5, committer{-1, ""}, "cg-a-0")
	commit("of an unknown member", 5, committer{m.epoch, "m-9"}, "cg-a-0")
	commit("of a member without epoch", 5, committer{-1, m.id}, "cg-a-0")
	commit("of a later epoch", 5, committer{m.epoch + 1, m.id}, "cg-a-0")
	commit("of the epoch before", 5, committer{first.epoch, m.id}, "cg-a-0")
	commit("of the epoch before, of what it did not have then", 5, committer{first.epoch, m.id}, "cg-b-0")
	commit("of no group", 5, committer{1, "m-1"}, "cg-a-0")
	a.forgets("of what is read", m.group, "cg-a-0")
	a.finish(p, true)
	a.again("OffsetFetch of what is stable", func() string { return a.committed(m.group, "cg-a-0", true) })
	a.says("leaves", 1, m, atEpoch(-1))
}
