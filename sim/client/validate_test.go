package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/prng"
)

// reader is a fetcher of three brokers that stands behind a batch of an epoch, which it read from its leader.
func reader(epoch, leader int32) (*fetcher, *position) {
	t := &topicInfo{name: "t", parts: 1, lead: []int{1}, epoch: []int32{leader}}
	p := &position{topic: t}
	f := &fetcher{b: &base{rnd: prng.Keyed(1, "validate"), sh: &Shared{Nodes: 3}}, cfg: FetchConfig{Validate: true}, pos: []*position{p}}
	p.readAt(9, epoch, p.leader())
	return f, p
}

func TestAPositionIsProvenOnceWithEachLeader(t *testing.T) {
	f, p := reader(4, 4)
	require.False(t, f.unproven(p))
	p.topic.lead[0], p.topic.epoch[0] = 2, 5
	require.True(t, f.unproven(p))
	require.Equal(t, int32(4), f.epochBefore(p))
	require.False(t, p.follow(kmsg.OffsetForLeaderEpochResponseTopicPartition{LeaderEpoch: 4, EndOffset: 9}))
	require.False(t, f.unproven(p))

	p.topic.epoch[0] = 6
	f.cfg.Validate = false
	require.False(t, f.unproven(p), "a client of before KIP-320")
	require.Equal(t, int32(-1), f.epochBefore(p))
	f.cfg.Validate = true
	require.True(t, f.unproven(p))
	p.topic.id[0] = 1
	require.False(t, f.unproven(p), "a topic that was made anew has other epochs")
	p.topic.id[0] = 0
	p.move(3)
	require.False(t, f.unproven(p), "nobody knows what stands before a position that was not read")
}

func TestWhoIsToldThatLessIsThereGoesBack(t *testing.T) {
	_, p := reader(4, 6)
	require.True(t, p.follow(kmsg.OffsetForLeaderEpochResponseTopicPartition{LeaderEpoch: 3, EndOffset: 7}))
	require.Equal(t, int64(7), p.next)
	require.Equal(t, int32(3), p.epoch)
	require.True(t, p.follow(kmsg.OffsetForLeaderEpochResponseTopicPartition{LeaderEpoch: -1, EndOffset: -1}))
	require.True(t, p.lost && !p.read)
}

func TestAStoredPositionOfALaterEpochThanIsKnownIsTakenWithoutIt(t *testing.T) {
	f, p := reader(4, 4)
	p.readAt(9, 5, nobody)
	require.False(t, f.unproven(p))
	p.readAt(9, 4, nobody)
	require.True(t, f.unproven(p))
}
