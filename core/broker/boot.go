package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/datadir"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
)

// start begins the life of a shard. Shard 0 reads the directory and registers the broker; the others wait for its first image.
//
//	shard 0: lock ─▶ checkpoints ─▶ metadata log ─▶ registration committed ─▶ image to all ─▶ each opens its logs ─▶ all applied ─▶ serve
func (s *Shard) start() {
	if s.env.Shard != 0 {
		return
	}
	c := &control{s: s, applied: make([]int64, s.shards)}
	for i := range c.applied {
		c.applied[i] = -1
	}
	s.control = c
	task.Go(s.env, func(t *task.Task) {
		boot, refusal := s.readDirectories(t)
		switch {
		case t.Stopped():
		case refusal != "":
			s.fatal(1, refusal)
		case s.member != nil:
			s.bootMember(t, boot)
		default:
			s.bootNode(t, boot)
		}
	})
}

// bootNode begins the life of a broker alone, on shard 0.
func (s *Shard) bootNode(t *task.Task, boot *bootData) {
	if refusal := s.refuseCluster(t); refusal != "" || t.Stopped() {
		s.fatal(1, refusal)
		return
	}
	c := s.control
	m, err := solo.Open(t, s.env, s.node)
	if t.Stopped() {
		return
	}
	if err != nil {
		s.fatal(1, err.Error())
		return
	}
	boot.dirs[0].id, boot.dirs[0].fresh = m.DirectoryID, m.Fresh
	if _, ok := s.openOthers(t, boot, m.ClusterID, false); !ok {
		return
	}
	if s.dropMarkers(t, boot); t.Stopped() {
		return
	}
	if s.sortDirectories(t, boot, m.Image); t.Stopped() {
		return
	}
	c.log, c.boot = m.Log, boot
	c.store = metadata.NewStore(m.Image, c)
	c.machine = controller.NewMachine(s.node, m.Image, m.Log, s.env.Rand, controller.NewFeatures())
	c.store.Watchers = []metadata.Watcher{c, c.machine}
	m.Log.SetCommitter(c.store)
	s.state.Control = c
	req := s.registration()
	req.ClusterID = m.ClusterID
	s.env.Rand.Fill(req.IncarnationID[:])
	c.machine.Submit(req, &registered{s: s})
}

// refuseCluster says why a broker alone may not have this directory: its metadata are a quorum's.
func (s *Shard) refuseCluster(t *task.Task) string {
	_, found, err := datadir.ReadFile(t, s.env, s.node.LogDir+"/"+link.Directory, "quorum-state")
	if err != nil {
		return err.Error()
	}
	files, err := solo.Files(t, s.node.LogDir)
	if err != nil {
		return err.Error()
	}
	if found && len(files) == 0 {
		return s.node.LogDir + " belongs to a node of a cluster; set controller.quorum.bootstrap.servers, or choose another directory with --data"
	}
	return ""
}

// registration is what this broker says of itself.
func (s *Shard) registration() *kmsg.BrokerRegistrationRequest {
	q := kmsg.NewPtrBrokerRegistrationRequest()
	q.BrokerID = s.node.NodeID
	for _, l := range s.node.Advertised {
		x := kmsg.NewBrokerRegistrationRequestListener()
		x.Name, x.Host, x.Port, x.SecurityProtocol = l.Name, l.Host, uint16(l.Port), 0
		q.Listeners = append(q.Listeners, x)
	}
	if s.node.Rack != "" {
		rack := s.node.Rack
		q.Rack = &rack
	}
	q.LogDirs = s.directoryIDs(false)
	if len(q.LogDirs) < len(s.state.Dirs) {
		controller.SetDirectoryAway(q)
	}
	controller.TellFeatures(q)
	return q
}

// directoryIDs gives the ids of the directories that are offline, or of those that are not (KIP-858).
func (s *Shard) directoryIDs(offline bool) (out [][16]byte) {
	for i := range s.state.Dirs {
		if d := &s.state.Dirs[i]; d.Offline == offline && d.ID != [16]byte{} {
			out = append(out, d.ID)
		}
	}
	return out
}

// registered waits for the registration.
type registered struct{ s *Shard }

// Decided is controller.Waiter.
func (w *registered) Decided(resp kmsg.Response, img *metadata.Image) {
	s := w.s
	r := resp.(*kmsg.BrokerRegistrationResponse)
	if r.ErrorCode != 0 {
		s.fatal(1, "the broker cannot register ("+kerr.Code(r.ErrorCode).String()+"); check cluster.id and listeners")
		return
	}
	s.control.waiting = append(s.control.waiting, answer{img.Index(), resp, w})
	s.control.appliedBy(0, -1) // the image may have reached everybody already
}

// Reply is coordinator.Waiter: every shard has recovered its logs.
func (w *registered) Reply(kmsg.Response) {
	w.s.broadcast(step.Mail{Kind: mailServe})
	w.s.serve()
}

// serve lets connections in.
func (s *Shard) serve() {
	if s.phase != booting {
		return
	}
	if s.env.Shard == 0 && plant.On(plant.S1) && s.boot != nil && s.boot.clean {
		task.Go(s.env, func(t *task.Task) {
			t.Sleep(10 * clock.Second)
			s.dropMarker(t, s.node.LogDir)
		})
	}
	s.phase, s.boot = serving, nil
	s.env.Out.Accept, s.env.Out.Ready = true, true
	s.pulse()
	if s.env.Shard == 0 {
		task.Go(s.env, s.askSpace) // the reserve holds from the first record on
	}
	s.env.After(&s.timers[timerCheckpoint], checkpointEach)
	if s.opening.unsaved {
		s.opening.unsaved = false
		s.saveAwaited()
	}
	if s.static.Clustered {
		s.checkLag()
	}
	s.sweepIdle()
	s.env.After(&s.timers[timerRetention], clock.MS(s.node.RetentionCheckMS))
	s.restCleaning()
}
