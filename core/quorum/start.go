package quorum

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// raft's time-outs. A leader sends heartbeats each 70 to 140 ms; a follower that hears none for 700 ms starts an election at its next look, which
// it takes each 700 to 1400 ms; a leader that does not reach a majority for 700 ms steps down. So a process that the machine does not let run
// for half a second stays what it is. One that was killed is not waited for: gone.go. Followers learn what is committed at once, from
// transport; raft tries again what has failed, and repeats itself, after 100 to 200 ms. A request to a peer is given up after a second, a snapshot
// after a second for each 256 KiB.
const (
	heartbeatTimeout = 700 * time.Millisecond
	electionTimeout  = heartbeatTimeout
	leaseTimeout     = heartbeatTimeout
	commitTimeout    = 100 * time.Millisecond
	rpcTimeout       = time.Second
)

// A snapshot is taken once snapshotEntries have come since the last; trailingEntries stay in the log for followers that lag.
const (
	snapshotEntries  = 2048
	trailingEntries  = 1024
	snapshotInterval = 5 * time.Second
)

// run is the node's life: open the stores, say what they hold, wait for Start, run raft, stop.
func (n *Node) run() {
	state, err := n.open()
	if err != nil {
		if !n.isDead() {
			n.fail(err.Error())
		}
		n.idle()
		return
	}
	n.out.mail(classState, "", step.Mail{Kind: link.MailState, Body: state})
	select {
	case s := <-n.start:
		if err := n.launch(s); err != nil && !n.isDead() {
			n.fail(err.Error())
		}
	case <-n.stop:
	case <-n.dead:
		return
	}
	n.idle()
}

// idle waits for the end.
func (n *Node) idle() {
	select {
	case <-n.stop:
		n.close()
	case <-n.dead:
	}
}

// open opens the stores, and says what they hold.
func (n *Node) open() (*link.State, error) {
	fresh, data, err := n.openStores()
	if err != nil {
		return nil, err
	}
	return n.state(fresh, data)
}

// openStores opens the stores: fresh if raft never set anything, and with the data of the newest snapshot.
func (n *Node) openStores() (fresh bool, data []byte, err error) {
	d := &n.disk
	for _, p := range [...]struct {
		kind disk.Kind
		path string
	}{{disk.Mkdir, n.dir}, {disk.SyncDir, n.opt.LogDir}, {disk.SyncDir, n.dir}} {
		if err := d.path(p.kind, p.path, ""); err != nil {
			return false, nil, errors.New(err.advice())
		}
	}
	c := d.do(n.dir, disk.Request{Kind: disk.List, Path: n.dir})
	if err := failure(n.dir, "list", &c); err != nil {
		return false, nil, errors.New(err.advice())
	}
	names := append([]string(nil), c.Names...)
	stable, fresh, err := openStable(n)
	if err != nil {
		return false, nil, err
	}
	snapshots, data, err := openSnapshots(n, names)
	if err != nil {
		return false, nil, err
	}
	logs, err := openLog(n, names)
	if err != nil {
		return false, nil, err
	}
	if err := d.path(disk.SyncDir, n.dir, ""); err != nil {
		return false, nil, errors.New(err.advice())
	}
	n.stable, n.snapshots, n.logs = stable, snapshots, logs
	return fresh, data, nil
}

// state checks the stores against each other, and says what they hold.
func (n *Node) state(fresh bool, data []byte) (*link.State, error) {
	s := &link.State{Image: metadata.Empty(), Term: int64(n.stable.get().term)}
	if m := n.snapshots.newest(); m != nil {
		img, err := metadata.DecodeImage(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; run the version that wrote it", n.snapshots.path(m.ID), err)
		}
		n.logs.snapshotAt(m.Index, m.Term)
		n.machine.configurationIs(m.ConfigurationIndex, m.Configuration)
		n.machine.image, s.Image, s.Index = img, img, int64(m.Index)
	}
	l := &n.logs.log
	if len(l.logs) > 0 {
		if l.first > uint64(s.Index)+1 {
			return nil, fmt.Errorf("%s: entries %d to %d are missing; restore the directory from a copy, or empty it and add this node to the cluster again", n.dir, s.Index+1, l.first-1)
		}
		s.Index = max(s.Index, int64(l.last()))
	}
	v := n.stable.get()
	// A term alone is what a founding leaves that a crash interrupted, or who has heard of a leader. It stays, and promises nothing else.
	s.HasState = s.Index > 0 || v.voteTerm > 0
	if fresh && s.Index > 0 {
		return nil, fmt.Errorf("%s/%s is missing; restore the directory from a copy, or empty it and add this node to the cluster again", n.dir, stableName)
	}
	return s, nil
}

// launch starts raft.
func (n *Node) launch(s *link.Start) error {
	n.streams.mu.Lock()
	n.streams.local = addressOf(s.ID, s.Address)
	n.streams.mu.Unlock()
	l := newLogger(n)
	trans := newTransport(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: n.streams, MaxPool: 3, Timeout: rpcTimeout, Logger: l}), n.stable)
	n.mu.Lock()
	n.trans = trans
	n.mu.Unlock()
	if len(s.Bootstrap) > 0 {
		if err := n.found(s); err != nil {
			return err
		}
	}
	c := configuration(s.ID)
	c.TrailingLogs = n.trail
	c.Logger = l
	r, err := raft.NewRaft(c, n.machine, n.logs, n.stable, n.snapshots, trans)
	if err != nil {
		return fmt.Errorf("%s: %w; restore the directory from a copy, or empty it and add this node to the cluster again", n.dir, err)
	}
	n.machine.configurationIs(0, r.GetConfiguration().Configuration())
	n.mu.Lock()
	n.raft = r
	n.mu.Unlock()
	if n.isDead() { // given up meanwhile
		return r.Shutdown().Error()
	}
	n.lead.termIs(n.stable.get().term)
	n.lead.begin(r)
	go n.props.run(r)
	go n.runChanges()
	go n.keepSmall(r)
	if s.Sole || len(s.Bootstrap) > 0 {
		return hurry(r)
	}
	return nil
}

func configuration(id string) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout, c.CommitTimeout = heartbeatTimeout+1, electionTimeout+1, leaseTimeout, commitTimeout
	c.SnapshotInterval, c.SnapshotThreshold = snapshotInterval, snapshotEntries
	c.NoSnapshotRestoreOnStart = true // State has told of it
	c.ShutdownOnRemove = false        // a node that is removed may be added again
	c.NoLegacyTelemetry = true
	return c
}

// hurry makes a follower that has heard of no leader start an election now: a shorter heartbeat time-out makes raft look at once.
// Nobody else can lead a sole voter, and nobody else does in a cluster that was just founded.
func hurry(r *raft.Raft) error {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout = heartbeatTimeout
	return r.ReloadConfig(c)
}

// found writes what makes a cluster: its first configuration, as the first entry, or in a snapshot with the state of a directory that had
// no quorum. It is what raft.BootstrapCluster does, but it can be repeated after a crash, and takes a state.
func (n *Node) found(s *link.Start) error {
	var c raft.Configuration
	for _, m := range s.Bootstrap {
		suffrage := raft.Nonvoter
		if m.Voter {
			suffrage = raft.Voter
		}
		c.Servers = append(c.Servers, raft.Server{Suffrage: suffrage, ID: raft.ServerID(m.ID), Address: raft.ServerAddress(addressOf(m.ID, m.Address))})
	}
	term := uint64(1)
	if s.Snapshot != nil {
		term = max(term, uint64(s.Snapshot.Term()))
	}
	if err := n.stable.SetUint64([]byte("CurrentTerm"), max(term, n.stable.get().term)); err != nil {
		return err
	}
	if s.Snapshot == nil {
		return n.logs.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)})
	}
	// Entries follow from the image's index on; a snapshot of index 1 could not be told from a first entry.
	index := max(uint64(s.Snapshot.Index()), 2)
	img := s.Snapshot.At(int64(index), int64(term))
	k, err := n.snapshots.Create(1, index, term, c, 1, nil)
	if err != nil {
		return err
	}
	if err := (frozen{img}).Persist(k); err != nil {
		return err
	}
	n.machine.configurationIs(1, c)
	n.machine.publish(img, metadata.Commit{Index: int64(index), Term: int64(term), Applied: true})
	return nil
}

// keepSmall takes a snapshot early when the entries hold more bytes than Node.MetadataSnapshotBytes, and keeps no more than half of that.
func (n *Node) keepSmall(r *raft.Raft) {
	limit := max(n.opt.Node.MetadataSnapshotBytes, 1<<20)
	for {
		t := time.NewTimer(snapshotInterval)
		select {
		case <-t.C:
		case <-n.dead:
			t.Stop()
			return
		}
		bytes, fit := n.logs.size(limit / 2)
		c := r.ReloadableConfig()
		if trail := min(fit, n.trail); c.TrailingLogs != trail && (bytes > limit || trail == n.trail) {
			c.TrailingLogs = trail
			_ = r.ReloadConfig(c) // it was valid, and TrailingLogs has no bounds
		}
		if bytes > limit {
			n.waits(1)
			_ = r.Snapshot().Error() // the logger has told
			n.waits(-1)
		}
	}
}

// close is the end after Stop: a leader gives leadership away, raft ends, files are closed.
func (n *Node) close() {
	n.yieldLead()
	ended := true
	if r := n.current(); r != nil {
		ended = n.settle(r.Shutdown())
	}
	n.endTransport()
	n.streams.killAll()
	if n.logs != nil && ended { // where the disk stalls, raft still has requests in flight, and the end of the process closes its files
		n.logs.close()
		n.stable.close()
	}
	n.out.stopped()
	close(n.dead)
}

// settle waits a second at most for raft to end, and says whether it has.
func (n *Node) settle(f raft.Future) (ended bool) {
	done := make(chan struct{})
	go func() {
		_ = f.Error()
		close(done)
	}()
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-n.dead:
	}
	return false
}

// reap ends raft after a Crash, once nobody waits for one of its futures: those that are with the fold when it ends are never answered.
func (n *Node) reap() {
	for try := 0; n.waits(0) > 0 && try < 200; try++ {
		time.Sleep(10 * time.Millisecond)
	}
	if r := n.current(); r != nil {
		_ = r.Shutdown().Error() // it has none
	}
	n.endTransport()
}
