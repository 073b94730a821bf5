package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
)

// voting is three voters, of which tests step one after the other.
type voting struct {
	*three
	now   clock.Time
	at    int
	is    Voter
	alone bool
}

func newVoting() *voting { return &voting{three: newThree(), now: 1, at: -1} }

func (v *voting) Now() clock.Time      { return v.now }
func (v *voting) Voter() (int, *Voter) { return v.at, &v.is }
func (v *voting) Stalled(int) bool     { return false }
func (v *voting) Linked(int, int) bool { return !v.alone }

func (v *voting) step(node int, is Voter) error {
	is.Running = true
	v.at, v.is = node, is
	v.now += clock.Time(500 * clock.Millisecond)
	return v.s.Step(v)
}

// voterStories break one property of the quorum each.
var voterStories = map[string]func(*voting) error{
	"I:K1 a term goes back": func(v *voting) error {
		_ = v.step(0, Voter{VoteTerm: 3, Vote: "a"})
		return v.step(0, Voter{VoteTerm: 2, Vote: "a"})
	},
	"I:K1 two votes in a term": func(v *voting) error {
		_ = v.step(0, Voter{VoteTerm: 3, Vote: "a"})
		return v.step(0, Voter{VoteTerm: 3, Vote: "b"})
	},
	"I:K2 two leaders": func(v *voting) error {
		_ = v.step(0, Voter{Leader: true, Term: 3})
		return v.step(1, Voter{Leader: true, Term: 3})
	},
	"I:K3 committed on one": func(v *voting) error { return v.step(0, Voter{Last: 5, Commit: 5}) },
	"I:K4 a commit index goes back": func(v *voting) error {
		_ = v.step(1, Voter{Last: 5})
		_ = v.step(0, Voter{Last: 5, Commit: 5})
		return v.step(0, Voter{Last: 5, Commit: 4})
	},
	"I:K5 another entry": func(v *voting) error {
		_ = v.step(0, Voter{Last: 5, Commit: 0, Committed: []Entry{{5, 1}}})
		return v.step(1, Voter{Last: 5, Commit: 0, Committed: []Entry{{5, 2}}})
	},
	"I:K6 a log is cut": func(v *voting) error {
		_ = v.step(1, Voter{Last: 5})
		_ = v.step(0, Voter{Last: 5, Commit: 5})
		return v.step(0, Voter{Last: 4, Commit: 5})
	},
	"I:K8 a leader alone": func(v *voting) (err error) {
		v.alone = true
		for i := 0; i < 20 && err == nil; i++ {
			err = v.step(0, Voter{Leader: true, Term: 3})
		}
		return err
	},
}

func TestEveryOracleOfTheQuorumFindsItsStory(t *testing.T) {
	for name, story := range voterStories {
		err := story(newVoting())
		var f *Failure
		require.ErrorAs(t, err, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
	}
}

func TestAVoteThatIsStoredInTwoStepsIsOneVote(t *testing.T) {
	v := newVoting()
	for _, is := range []Voter{{VoteTerm: 2, Vote: "a"}, {VoteTerm: 3, Vote: "a"}, {VoteTerm: 3, Vote: "b"}} {
		require.NoError(t, v.step(0, is))
	}
	require.Error(t, v.step(0, Voter{VoteTerm: 3, Vote: "a"}))
}
