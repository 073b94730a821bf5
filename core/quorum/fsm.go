package quorum

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// proposalHead is what precedes the entry in raft's data: 8 bytes that name the process which proposed, and 8 of its token.
const proposalHead = 16

// fsm is raft.FSM: it folds what is committed, and mails each image.
type fsm struct {
	node *Node

	mu          sync.Mutex
	image       *metadata.Image
	members     raft.Configuration // the newest that is committed, as far as known
	memberIndex uint64             // where it stands in the log
}

func (f *fsm) current() *metadata.Image {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.image
}

// Apply implements raft.FSM. What stands at or below the image's index is in it: raft replays after an older snapshot was installed.
// Bytes that are no entry end the node: raft's checksums were right, so a newer version wrote them, and to skip them would part this
// node's image from the others'.
func (f *fsm) Apply(l *raft.Log) any {
	f.node.committedIs(l.Index)
	if int64(l.Index) <= f.current().Index() {
		return nil
	}
	entry, token, err := decodeProposal(l.Data, f.node.nonce)
	if err != nil {
		f.node.ruin(fmt.Sprintf("metadata log: entry %d: %v; run the version that wrote it", l.Index, err))
		return nil
	}
	if plant.On(plant.M1) {
		entry.Term = int64(l.Term)
	}
	img, applied := f.current().Apply(int64(l.Index), int64(l.Term), entry)
	f.publish(img, metadata.Commit{Index: int64(l.Index), Term: int64(l.Term), Token: f.node.props.committed(token), Applied: applied})
	return nil
}

func (f *fsm) publish(img *metadata.Image, c metadata.Commit) {
	f.mu.Lock()
	f.image = img
	f.mu.Unlock()
	f.node.out.mail(classImage, "", step.Mail{Kind: link.MailImage, Body: &link.Committed{Image: img, Commit: c}})
}

// encodeProposal gives what is put into raft's log.
func encodeProposal(nonce [8]byte, token disk.Token, entry []byte) []byte {
	b := make([]byte, 0, proposalHead+len(entry))
	b = append(b, nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(token))
	return append(b, entry...)
}

// decodeProposal reads it; token is 0 unless the nonce is ours.
func decodeProposal(b []byte, nonce [8]byte) (e metadata.Entry, token disk.Token, err error) {
	if len(b) < proposalHead {
		return e, 0, metadata.ErrCorrupt
	}
	if [8]byte(b[:8]) == nonce {
		token = disk.Token(binary.BigEndian.Uint64(b[8:]))
	}
	e, err = metadata.Decode(b[proposalHead:])
	return e, token, err
}

// StoreConfiguration implements raft.ConfigurationStore: a configuration is committed.
func (f *fsm) StoreConfiguration(index uint64, c raft.Configuration) {
	f.node.committedIs(index)
	f.configurationIs(index, c)
	f.node.lead.say()
}

func (f *fsm) configurationIs(index uint64, c raft.Configuration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index >= f.memberIndex {
		f.memberIndex, f.members = index, c.Clone()
	}
}

// list gives the members, in the configuration's order.
func (f *fsm) list() []link.Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]link.Member, 0, len(f.members.Servers))
	for _, s := range f.members.Servers {
		_, hostPort := address(s.Address).parts()
		out = append(out, link.Member{ID: string(s.ID), Address: hostPort, Voter: s.Suffrage == raft.Voter})
	}
	return out
}

// Snapshot implements raft.FSM. Images are immutable, so it costs nothing.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) { return frozen{f.current()}, nil }

type frozen struct{ image *metadata.Image }

// Persist implements raft.FSMSnapshot.
func (f frozen) Persist(k raft.SnapshotSink) error {
	b := metadata.EncodeImage(f.image)
	for len(b) > 0 {
		n := min(len(b), 1<<20)
		if _, err := k.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return k.Close()
}

// Release implements raft.FSMSnapshot.
func (frozen) Release() {}

// Restore implements raft.FSM. An image that is not newer is ignored: raft may install a snapshot that is older than what is known here.
func (f *fsm) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	img, err := metadata.DecodeImage(b)
	if err != nil {
		f.node.ruin(fmt.Sprintf("metadata snapshot: %v; run the version that wrote it", err))
		return err
	}
	if img.Index() > f.current().Index() {
		sometimes.Hit("quorum: a follower takes in a snapshot of metadata")
		f.publish(img, metadata.Commit{Index: img.Index(), Term: img.Term(), Applied: true})
	}
	f.node.lead.say()
	return nil
}
