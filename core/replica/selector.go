package replica

import "slices"

// Reader gives the replica that a consumer at offset reads from best, if this broker is not it (KIP-392, RackAwareReplicaSelector): one in
// the consumer's rack, this leader first, then whoever has most. Only members of the ISR that are alive and have the offset count, so
// that a consumer is not sent to where its records are not. inRack says whether a node is in the consumer's rack. -1: this broker.
func (p *Partition) Reader(offset int64, inRack func(node int32) bool) int32 {
	if p.role != leading || inRack(p.state.Me) {
		return -1
	}
	best, end := int32(-1), int64(-1)
	for i := range p.followers {
		f := &p.followers[i]
		if f.end <= end || offset < f.start || offset > f.end || !inRack(f.node) || !slices.Contains(p.state.ISR, f.node) {
			continue
		}
		if _, alive := p.state.BrokerEpochs(f.node); alive {
			best, end = f.node, f.end
		}
	}
	return best
}
