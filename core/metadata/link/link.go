package link

import (
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// Kinds of mail from shard 0 to the actor. They lie above the kinds that shards send each other.
const (
	MailStart    = 160 + iota // Body *Start: begin; sent once, after State
	MailPropose               // Token, A the term of the decision, Body []byte the encoded metadata.Entry
	MailOpened                // Body *Opened: a stream is open, dialled by us or by a peer
	MailNoStream              // Token of the Dial: it failed
	MailBytes                 // A the connection; Body []byte: one frame came
	MailSent                  // A the connection, B bytes: they have left
	MailClosed                // A the connection
	MailChange                // Token, Body *Change
	MailTransfer              // give leadership away, then answer MailTransferred; a clean stop asks it
	MailFreeze                // Token: take a snapshot now (tests); answered by MailChanged
	MailOpen                  // the data directory is locked: open the stores, and answer MailState; sent once, first
	MailGone                  // Body string, raft's name of the leader: its streams ended, and its machine refuses connections
)

// Kinds of mail from the actor to shard 0.
const (
	MailState        = 190 + iota // Body *State: the stores are open; sent once, first
	MailImage                     // Body *Committed: a newer image
	MailRefused                   // Token, Code disk.Err: the proposal is not known to be in the log
	MailLeadership                // Body *Leadership: what it says has changed
	MailDial                      // Token, Body *Dial
	MailSend                      // A the connection; Body []byte: one frame to send; answered by MailSent
	MailClose                     // A the connection
	MailChanged                   // Token, Body string: "" done, else why not
	MailTransferred               //
	MailQuorumFailed              // Body string: the metadata directory failed; the process must end
	MailHold                      // A the connection: take no further frame of it until MailResume; raft is slower than the peer
	MailResume                    // A the connection
)

// MailWake is from outside: raft's goroutines have something for the actor to say.
const MailWake = 220

// Directory is where the actor keeps its files, in the log directory (metadata.log.dir).
const Directory = "__cluster_metadata-0"

// State is what the actor found on its disk. Image is of the newest snapshot and what is known to be committed after it, or Empty.
type State struct {
	HasState bool  // it has voted, or has entries or a snapshot
	Term     int64 // the newest
	Index    int64 // of the last entry
	Image    *metadata.Image
}

// Start tells the actor who it is and how it begins. Without Bootstrap a node without state waits to be added.
type Start struct {
	ID        string // of this node: RaftID
	Address   string // host:port of its CONTROLLER listener, as others reach it
	Bootstrap []Member
	Snapshot  *metadata.Image // the state of a directory that had no quorum: with Bootstrap only; nil none
	Sole      bool            // the only voter: short time-outs
}

// Member of the quorum.
type Member struct {
	ID      string
	Address string
	Voter   bool
}

// Endpoint gives a voter's node id and where its controller listener is; false for another member, and for an address that is none.
func (m *Member) Endpoint() (node int32, host string, port uint16, ok bool) {
	node, _, ok = NodeOf(m.ID)
	i := strings.LastIndexByte(m.Address, ':')
	if !ok || !m.Voter || i < 0 {
		return -1, "", 0, false
	}
	n, _ := strconv.ParseUint(m.Address[i+1:], 10, 16)
	return node, strings.Trim(m.Address[:i], "[]"), uint16(n), true
}

// Opened says that a stream is open.
type Opened struct {
	Conn    network.Conn
	Token   disk.Token // of the Dial; 0: a peer dialled
	From    string     // the peer's raft id, of an accepted stream
	Address string     // the peer's address, of an accepted stream
}

// Dial asks for a stream to a peer: shard 0 dials, sends the Hello as first frame, and answers MailOpened or MailNoStream.
type Dial struct {
	Address string
	Hello   Hello
}

// Committed brings the image after an entry or a snapshot. Token is the proposal's if this process made it, else 0.
type Committed struct {
	Image  *metadata.Image
	Commit metadata.Commit
}

// Leadership is what the actor knows of the quorum.
type Leadership struct {
	Leader  bool   // this node leads and its image holds all that was committed before its term (raft's Barrier)
	Term    int64  // the newest known
	ID      string // of the leader, "" none known
	Address string // of the leader's CONTROLLER listener
	Members []Member
	Begun   bool  // its log has had an entry, committed or not, since it started
	Commit  int64 // commit index when this was sent
}

// Kinds of Change.
const (
	AddVoter uint8 = iota + 1
	AddNonvoter
	Remove
	Demote
)

// Change asks the leader's raft for a change of the members; it moves one at a time.
type Change struct {
	Kind   uint8
	Member Member
}
