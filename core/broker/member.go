package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/flight"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// member is shard 0's part of a node of a cluster: it stands between the quorum's actor, the controller and this broker's shards.
//
//	lock ─▶ checkpoints ─▶ MailOpen ─▶ MailState ─▶ founding ─▶ a controller is known ─▶ registered ─▶ an image has the registration:
//	the shards follow it and open their logs ─▶ heartbeats ─▶ unfenced in the image that all shards follow ─▶ serve
//
// A node that is a controller only goes from founding to serve as soon as a controller is known.
type member struct {
	s             *Shard
	remote        remote
	dir           *datadir.Dir   // of the metadata
	others        []*datadir.Dir // of the directories beside it
	id            string         // raft's name of this node
	state         *link.State    // nil: not known yet
	boot          *bootData      // goes with the first image that the shards follow
	brings        *metadata.Image
	candidate     string // the cluster's id if this node founds it
	streams       streams
	founding      founding
	foundingPeers *peer.Pool
	lease         lease
	watch         watch
	leaderWatch   leaderWatch
	alters        alters
	changes       flight.Table[func(why string)]
	sorted        bool  // directories that nobody knows were looked after
	following     bool  // the shards follow images
	unfencedAt    int64 // the first image in which this broker is unfenced; 0: it is not
	naming        bool  // meta.properties is being written
	stopping      stopping
	leftBehind    leftBehind
}

// newMember makes the part of a node of a cluster.
func newMember(s *Shard) *member {
	m := &member{s: s}
	m.remote.s = s
	m.streams = streams{m: m, dials: map[disk.Token]pendingStream{}, open: map[network.Conn]streamPeer{}, reached: map[string]int{}}
	m.foundingPeers = peer.NewPool(s.env, peer.Config{ClientID: "founding"})
	m.lease.epoch = -1
	m.watch.begin(m)
	m.leaderWatch.begin(m)
	m.alters.m = m
	m.alters.begin(s.env, maxAlters, m.alters.request)
	return m
}

// bootMember begins the life of a node of a cluster, on shard 0.
func (s *Shard) bootMember(t *task.Task, boot *bootData) {
	m := s.member
	d, err := datadir.OpenMember(t, s.env, s.node.LogDir, s.node.NodeID, s.node.ClusterID)
	if t.Stopped() {
		return
	}
	if err != nil {
		s.fatal(1, err.Error())
		return
	}
	boot.dirs[0].id, boot.dirs[0].fresh = d.ID, d.Fresh
	others, ok := s.openOthers(t, boot, d.ClusterID, true)
	if !ok {
		return
	}
	if boot.synced = s.readSynced(t, boot); t.Stopped() {
		return
	}
	m.brings, err = solo.Image(t, s.env, s.node)
	if t.Stopped() {
		return
	}
	if err != nil {
		s.fatal(1, err.Error())
		return
	}
	s.wasAlone(boot, m.brings)
	m.dir, m.others, m.boot, m.id = d, others, boot, link.RaftID(s.node.NodeID, d.ID)
	s.toLane(step.Mail{Kind: link.MailOpen})
}

// wasAlone takes the broker epoch of a directory that was a lone broker's from its metadata: its marker may not name one.
func (s *Shard) wasAlone(boot *bootData, img *metadata.Image) {
	if img == nil || img.Broker(s.node.NodeID) == nil {
		return
	}
	epoch := img.Broker(s.node.NodeID).Epoch
	if boot.clean && boot.epoch < 0 {
		boot.epoch = epoch
	}
	if boot.synced < 0 && s.node.Flush == config.FlushAck {
		boot.synced = epoch
	}
}

// found takes the actor's state: the node knows who it is, and comes to its quorum.
func (m *member) found(st *link.State) {
	s, c := m.s, m.s.control
	img := st.Image
	if img == nil {
		img = metadata.Empty()
	}
	m.state, m.remote.lead.Term = st, st.Term
	if st.HasState && m.brings != nil {
		m.brings = nil
		task.Go(s.env, func(t *task.Task) {
			if err := solo.Remove(t, s.node.LogDir); err != nil && !t.Stopped() {
				s.env.Warnf("%v; remove it by hand", err)
			}
		})
	}
	if m.candidate = s.static.ClusterID; m.candidate == "" {
		m.candidate = datadir.NewClusterID(s.env.Rand)
	}
	c.store = metadata.NewStore(img, c)
	c.machine = controller.NewMachine(s.node, img, &m.remote, s.env.Rand, controller.NewFeatures())
	rebalance := s.node.LeaderImbalanceCheckMS
	if !s.node.AutoLeaderRebalance {
		rebalance = 0
	}
	c.machine.Cluster(s.env, controller.Options{SessionMS: int64(s.node.BrokerSessionTimeoutMS), GraceMS: controller.Grace(int64(s.node.BrokerHeartbeatIntervalMS)),
		RebalanceMS: rebalance, UncleanMS: s.node.UncleanElectionMS})
	c.store.Watchers = []metadata.Watcher{c.machine, c}
	s.state.Control = c
	s.state.SetImage(img)
	m.named(img)
	m.founding.begin(m)
	if s.static.Broker {
		m.lease.begin(m, m.boot.epoch, m.boot.synced)
	}
}

// clusterID is the cluster's id, as far as this node knows it.
func (m *member) clusterID() string {
	if c := m.s.control; c.store != nil {
		if id := c.store.Image().ClusterID(); id != "" {
			return id
		}
	}
	if m.dir == nil {
		return ""
	}
	return m.dir.ClusterID
}

// address is where other nodes reach this one: as the founding list names it, if it does.
func (m *member) address() string {
	for i, x := range m.founding.answers {
		if x != nil && m.dir != nil && x.directory == m.dir.ID {
			return m.s.static.QuorumServers[i]
		}
	}
	return m.s.static.ControllerAddr()
}

// named notes the cluster's id in meta.properties once the quorum has committed it, and refuses a directory of another cluster.
func (m *member) named(img *metadata.Image) {
	id := img.ClusterID()
	if id == "" || id == m.dir.ClusterID || m.naming {
		return
	}
	s := m.s
	if m.dir.ClusterID != "" {
		s.fatal(1, s.static.LogDir+" belongs to cluster "+m.dir.ClusterID+", and its quorum to cluster "+id+"; choose another directory with --data, or correct controller.quorum.bootstrap.servers")
		return
	}
	m.naming = true
	task.Go(s.env, func(t *task.Task) {
		for _, d := range append(slices.Clone(m.others), m.dir) { // the first one last: it says that all have the name
			err := d.Name(t, s.env, id)
			switch {
			case t.Stopped():
				return
			case err != nil && d != m.dir: // the next start names it
				s.directoryFailed(s.directoryAt(d.Path), err.Error())
			case err != nil:
				s.fatal(1, err.Error())
				return
			}
		}
		m.naming = false
	})
}

// imageChanged takes each newer image of the quorum.
func (m *member) imageChanged(img *metadata.Image) {
	m.named(img)
	if !m.s.static.Broker {
		m.s.state.SetImage(img)
		m.s.node = controller.Effective(m.s.static, img)
		m.s.state.Node = m.s.node
		m.maybeServe()
		return
	}
	m.follow()
}

// follow lets the shards follow the newest image, once it has this broker's registration under its present incarnation: before, what
// it says of this broker's partitions is of another process (design.md, Replication).
func (m *member) follow() {
	s := m.s
	img := s.control.store.Image()
	if !m.following {
		s.state.SetImage(img)
		if m.lease.epoch < 0 || m.registration(img) == nil || m.sorted {
			return
		}
		m.sorted = true
		task.Go(s.env, func(t *task.Task) {
			if s.dropMarkers(t, m.boot); t.Stopped() {
				return
			}
			if s.sortDirectories(t, m.boot, img); t.Stopped() {
				return
			}
			m.following = true
			m.follow()
		})
		return
	}
	b := m.boot
	m.boot = nil
	s.control.distribute(img, b)
	m.maybeServe()
}

// maybeServe lets clients in once the controller does, and every shard follows the image that says so.
func (m *member) maybeServe() {
	s := m.s
	if s.phase != booting {
		return
	}
	img := s.control.store.Image()
	if s.static.Broker {
		b := m.registration(img)
		if b == nil || b.Fenced || b.Epoch != m.lease.epoch {
			m.unfencedAt = 0
			return
		}
		if m.unfencedAt == 0 {
			m.unfencedAt = img.Index()
		}
		if s.control.slowest() < m.unfencedAt {
			return
		}
	} else if img.ClusterID() == "" || !m.controllerKnown() {
		return
	}
	s.broadcast(step.Mail{Kind: mailServe})
	s.serve()
}

// controllerKnown says whether there is somebody to ask.
func (m *member) controllerKnown() bool {
	return m.leads() || m.remote.lead.ID != "" && m.remote.lead.ID != m.id && m.remote.lead.Address != ""
}

// leaderChanged goes on with what waited for a controller.
func (m *member) leaderChanged() {
	if id, _ := m.s.control.Quorum(); id != m.s.state.ControllerID {
		m.s.state.ControllerID = id
		m.s.broadcast(step.Mail{Kind: mailController, A: int64(id)})
	}
	m.watch.leaderChanged()
	m.leftBehind.changed(m)
	if m.lease.m != nil && m.s.static.Broker {
		m.lease.leaderChanged()
	}
	m.retryForwards()
	m.maybeServe()
}

// toController has the active controller decide a request of this broker's own. done gets the answer, nil if there is none.
func (m *member) toController(req kmsg.Request, version int16, done func(resp kmsg.Response)) {
	req.SetVersion(version)
	if m.leads() {
		m.s.control.machine.Submit(req, decidedFunc(done))
		return
	}
	m.call(req, version, done)
}

// decidedFunc is controller.Waiter.
type decidedFunc func(kmsg.Response)

// Decided is controller.Waiter.
func (f decidedFunc) Decided(resp kmsg.Response, _ *metadata.Image) { f(resp) }

// Words of MailStatus, those of the health probes.
const (
	statusReady        = "ready"
	statusRecovering   = "recovering"
	statusFenced       = "fenced"
	statusNoController = "no-controller"
)

// status says how far the node is, and whether it may serve.
func (s *Shard) status() string {
	m := s.member
	switch {
	case m != nil && m.state != nil && (!m.controllerKnown() || s.static.Broker && m.lease.epoch < 0):
		return statusNoController
	case s.phase == booting && (m == nil || m.state == nil || s.control.slowest() < m.lease.epoch):
		return statusRecovering
	case m != nil && s.static.Broker && m.isFenced():
		return statusFenced
	case s.phase == booting:
		return statusRecovering
	}
	return statusReady
}

func (m *member) isFenced() bool {
	b := m.registration(m.s.control.store.Image())
	return b == nil || b.Fenced || m.lease.fenced
}

// warnForeign says that a node of another cluster came.
func (m *member) warnForeign(id, cluster string) {
	m.s.env.Warnf("node %s of cluster %s reached this one, which is of cluster %s: the connection is closed; correct controller.quorum.bootstrap.servers there", id, cluster, m.clusterID())
}
