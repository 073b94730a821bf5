package replica

// Role is what the simulator's oracles may know of a partition beside its log (I:I8, I:I11, I:I12).
type Role struct {
	Maximal    []int32 // leading: whose ends the high watermark waits for
	Pending    bool    // leading: a change of the ISR is under way
	EpochStart int64   // leading: where the leader's epoch begins
	Follows    int32   // following: the leader that is fetched from, else -1
}

// Role shows it.
func (p *Partition) Role() Role {
	r := Role{Follows: -1}
	if l, _, ok := p.Following(); ok {
		r.Follows = l
	}
	if p.role != leading {
		return r
	}
	r.Pending, r.EpochStart, r.Maximal = p.Proposing(), p.epochStart, p.state.ISR
	if len(p.isr.pending) == 0 {
		return r
	}
	r.Maximal = nil
	for _, n := range p.state.Replicas {
		if p.inMaximalISR(n) {
			r.Maximal = append(r.Maximal, n)
		}
	}
	return r
}

// Proposed gives the ISR that is proposed and not decided, nil if none is.
func (p *Partition) Proposed() []int32 { return p.isr.pending }

// Proposing says that a change of the ISR is under way.
func (p *Partition) Proposing() bool { return p.isr.pending != nil || p.isr.asked }
