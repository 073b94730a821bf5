package jepsen

import (
	"context"
	"fmt"
	"time"

	"github.com/seedlog/seedlog/sim/history"
)

// Run is what a run came to, before it is judged.
type Run struct {
	cfg     *Config
	rec     *Recorder
	work    workload
	c       *Cluster
	nemesis *Nemesis
	roles   []string
	healed  int64
	wrong   []string // what broke beside the history: the cluster did not become whole, a node ended by itself
	cut     bool     // the run was ended before its time
}

// calm is how long a healed cluster is still used.
const calm = 3 * time.Second

// Start runs a workload under a nemesis to its end, or until ctx is done. Its processes are gone when it returns.
func Start(ctx context.Context, cfg *Config) (*Run, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Run{cfg: cfg, rec: NewRecorder(), work: workloads[cfg.Workload]()}
	c, err := newCluster(cfg, r.rec)
	if err != nil {
		return nil, err
	}
	r.c = c
	defer c.Close()
	if c.net == nil {
		cfg.Say("all nodes are on loopback, so there are no faults of the network: %s", c.alone)
	}
	if err := c.begin(ctx); err != nil {
		return nil, fmt.Errorf("the cluster does not start: %w", err)
	}
	w, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	r.live(ctx, w)
	r.roles, r.cut = w.role, ctx.Err() != nil
	return r, nil
}

// open makes the topics and starts the clients.
func (r *Run) open(ctx context.Context) (*world, error) {
	r.rec.Note(history.Nemesis, history.Op{Kind: history.Config, Offset: history.NoOffset, PID: -1,
		Meta: fmt.Sprintf("flush=%s,offsets-partitions=%d,txn-partitions=%d,system=%s,seed=%d", r.cfg.Flush, internalPartitions, internalPartitions, r.cfg.System, r.cfg.Seed)})
	cl, err := r.c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for _, t := range sortedKeys(r.work.topics()) {
		if err := r.c.createTopic(ctx, cl, t, r.work.topics()[t]); err != nil {
			return nil, err
		}
	}
	if err := r.c.settled(ctx, r.cfg.patience()); err != nil {
		return nil, err
	}
	w := &world{c: r.c, rec: r.rec, seed: r.cfg.Seed, stop: make(chan struct{})}
	w.give, w.quit = context.WithCancel(ctx)
	r.phase("safety")
	return w, r.work.begin(w)
}

func (r *Run) phase(name string) {
	r.rec.Note(history.Nemesis, history.Op{Kind: history.Phase, Offset: history.NoOffset, Meta: name, PID: -1})
}

// live is the run from its first operation to its last.
func (r *Run) live(ctx context.Context, w *world) {
	r.nemesis = newNemesis(r.c, keysOf(r.work.topics()))
	err := r.nemesis.run(ctx, time.Now().Add(r.cfg.Time))
	if err == nil {
		r.phase("liveness")
		r.healed = int64(r.rec.Now())
		_ = pause(ctx, calm) // it ends sooner when the run is ended
	}
	late := time.AfterFunc(giveUp, w.quit)
	w.stopAll()
	late.Stop()
	w.quit()
	if err == nil && ctx.Err() == nil {
		last, cancel := context.WithTimeout(ctx, r.cfg.patience())
		err = r.work.finish(last, w)
		cancel()
	}
	r.nemesis.fallen()
	r.wrong = append(r.wrong, r.nemesis.Wrong...)
	if err != nil && ctx.Err() == nil {
		r.wrong = append(r.wrong, err.Error())
	}
}
