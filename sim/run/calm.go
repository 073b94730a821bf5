package run

import (
	"strconv"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/oracle"
)

// calm knows since when nothing was amiss with any node.
type calm struct {
	since clock.Time
	lives []int
}

var _ oracle.Calmness = (*view)(nil)

// stir looks for trouble. A broker that is told to stop asks the controller to be fenced, at once if it leads nothing (KIP-631). Links that carry little count as trouble all through the safety phase.
func (v *view) stir() {
	k, amiss := &v.calm, false
	if k.lives == nil {
		k.lives = make([]int, v.c.Nodes())
	}
	for n := range k.lives {
		life := v.c.Incarnation(n)
		amiss = amiss || life != k.lives[n] || !v.c.Running(n) || v.c.Stopping(n) || v.c.Troubled(n) || v.Stalled(n)
		k.lives[n] = life
	}
	if _, healed := v.c.Healed(); !healed {
		amiss = amiss || v.c.Plan().Swarm.On(fault.N7)
	}
	if amiss {
		k.since = v.c.Now()
	}
}

// Calm implements oracle.Calmness.
func (v *view) Calm() clock.Time { return v.calm.since }

// Serves implements oracle.Calmness.
func (v *view) Serves(node int) bool { return v.c.Ready(node) }

// defaultSession is broker.session.timeout.ms unless a plan sets it.
const defaultSession = 9 * clock.Second

// Session implements oracle.Calmness.
func (v *view) Session() clock.Duration {
	ms, err := strconv.ParseInt(v.c.Plan().Settings["broker.session.timeout.ms"], 10, 64)
	if err != nil {
		return defaultSession
	}
	return clock.MS(ms)
}
