package metadata

import "github.com/seedlog/seedlog/io/disk"

// Quorum is the log that entries are agreed in: solo for a broker alone, raft for a cluster. Calls come from within the owning shard's step.
type Quorum interface {
	// Propose asks to append an encoded Entry, which stays put until the answer. The answer comes to the Committer later, never from
	// within the call: Committed with the token, or Refused with it. term is the term that the entry was decided in.
	Propose(token disk.Token, term int64, entry []byte)
	// Leader says whether this node leads and has folded everything that was committed before its term.
	Leader() bool
	// Term is the newest term that this node knows.
	Term() int64
}

// Committer hears what became of the log. Every node hears every Committed, in order; index rises by one.
type Committer interface {
	// Committed brings an entry that is agreed and on disk. token is the proposal's if it was made here, else 0. entry is valid during the call.
	Committed(index, term int64, entry []byte, token disk.Token)
	// Refused says that the proposal is not in the log, and never will be: ErrNoSpace, or OK if this node does not lead.
	Refused(token disk.Token, err disk.Err)
	// Restored brings the state as of a snapshot, instead of the entries up to its Index.
	Restored(img *Image)
	// LeaderChanged says that what Leader or Term answer has changed.
	LeaderChanged()
	// Failed says that the log's directory failed: nothing more will be committed here and the process must end (design.md, Replication).
	Failed(err disk.Err, what string)
}

// Commit describes the entry behind an image.
type Commit struct {
	Index   int64
	Term    int64
	Token   disk.Token // of the proposal, if it was made here
	Applied bool       // false: decided in another term than the log's, so it changed nothing
}

// Watcher hears of each new image. A shard's Mail with the image is sent from here.
type Watcher interface{ ImageChanged(img *Image, c Commit) }
