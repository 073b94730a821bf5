package broker

import (
	"testing"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
)

func TestABrokerIsProbedWhereItsOwnDirectoryIsAMemberAndNowhereElse(t *testing.T) {
	now, before, other := [16]byte{1}, [16]byte{2}, [16]byte{3}
	members := []link.Member{
		{ID: link.RaftID(2, before), Address: "old:1", Voter: true},
		{ID: link.RaftID(1, other), Address: "one:1", Voter: true},
		{ID: link.RaftID(2, now), Address: "new:1"},
	}
	for _, c := range []struct {
		name    string
		dirs    [][16]byte
		members []link.Member
		want    string
	}{
		{"a wiped node has a former self", [][16]byte{now}, members, "new:1"},
		{"the only member of that id", [][16]byte{before}, members[:2], "old:1"},
		{"only a former self is a member", [][16]byte{now}, members[:2], ""},
		{"its directory is offline", nil, members[:2], "old:1"},
		{"its directory is offline, and there are two", nil, members, ""},
		{"no member", [][16]byte{now}, members[1:2], ""},
	} {
		if got := memberAddress(c.members, &metadata.Broker{ID: 2, LogDirs: c.dirs}); got != c.want {
			t.Errorf("%s: %q is probed, want %q", c.name, got, c.want)
		}
	}
}
