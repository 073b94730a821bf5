package metadata

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/disk"
)

// Store folds what the quorum commits, and tells the watchers. It is a Committer; everything but the fold goes to Next.
type Store struct {
	img      *Image
	Watchers []Watcher // called in order at each new image
	Next     Fate
}

// Fate hears what of the quorum's news does not change the image.
type Fate interface {
	Refused(token disk.Token, err disk.Err)
	LeaderChanged()
	Failed(err disk.Err, what string)
}

// NewStore starts with an image, usually what solo.Open gave.
func NewStore(img *Image, next Fate) *Store { return &Store{img: img, Next: next} }

// Image is the newest image.
func (s *Store) Image() *Image { return s.img }

// Committed folds an entry and tells the watchers. Bytes that are no entry stop the node: the log's checksum was right, so a newer
// version wrote them, and to skip them would part this node's state from the others'.
func (s *Store) Committed(index, term int64, entry []byte, token disk.Token) {
	e, err := Decode(entry)
	if err != nil {
		s.Next.Failed(disk.ErrUnsupported, "metadata log: "+err.Error())
		return
	}
	img, applied := s.img.Apply(index, term, e)
	s.publish(img, Commit{Index: index, Term: term, Token: token, Applied: applied})
}

// Restored takes the state of a snapshot.
func (s *Store) Restored(img *Image) {
	assert.That(img.Index() > s.img.Index(), "metadata: restored to the past")
	s.publish(img, Commit{Index: img.Index(), Term: img.Term(), Applied: true})
}

// Publish takes an image that was folded elsewhere: by the quorum's actor, which gives images and not entries. c says which commit it
// is the image after. Images may be skipped and none is taken back; a commit of this process's own proposal is told in any case.
func (s *Store) Publish(img *Image, c Commit) {
	if img.Index() <= s.img.Index() {
		if c.Token == 0 {
			return
		}
		img = s.img
	}
	s.publish(img, c)
}

func (s *Store) publish(img *Image, c Commit) {
	if assert.Invariants {
		assert.That(img.Wrong() == "", img.Wrong())
	}
	s.img = img
	for _, w := range s.Watchers {
		w.ImageChanged(img, c)
	}
}

// Refused passes on.
func (s *Store) Refused(token disk.Token, err disk.Err) { s.Next.Refused(token, err) }

// LeaderChanged passes on.
func (s *Store) LeaderChanged() { s.Next.LeaderChanged() }

// Failed passes on.
func (s *Store) Failed(err disk.Err, what string) { s.Next.Failed(err, what) }
