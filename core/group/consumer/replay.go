package consumer

import "github.com/seedlog/seedlog/core/coordinator"

// Replay applies one record of the group; gone says that it deletes the group. Records of a disk may come in an order that no broker
// writes: whatever they say is taken as it is.
func (g *Group) Replay(k Key, value []byte) (gone bool, err error) {
	if value == nil {
		return g.replayTombstone(k), nil
	}
	switch k.Kind {
	case KeyMetadata:
		epoch, hash, err := readEpoch(value)
		if err == nil {
			g.Epoch, g.MetadataHash = epoch, hash
		}
		return false, err
	case KeyPartitionMetadata:
		g.OldMetadata = true
	case KeyTargetMetadata:
		epoch, at, err := readEpoch(value)
		if err == nil {
			g.TargetEpoch, g.TargetMS = epoch, at
		}
		return false, err
	case KeyTarget:
		a, err := readTarget(value)
		if err == nil {
			g.targets[k.Name] = a
		}
		return false, err
	case KeyRegex:
		r, err := readRegex(value)
		if err == nil {
			g.regexes[k.Name] = r
		}
		return false, err
	case KeyMember, KeyCurrent:
		return false, g.replayMember(k, value)
	}
	return false, nil
}

func (g *Group) replayMember(k Key, value []byte) error {
	m := newMember(k.Name)
	if old := g.Member(k.Name); old != nil {
		m = *old
	}
	read := readMember
	if k.Kind == KeyCurrent {
		read = readCurrent
	}
	if err := read(value, &m); err != nil {
		return err
	}
	g.put(m)
	return nil
}

func (g *Group) replayTombstone(k Key) (gone bool) {
	switch k.Kind {
	case KeyMetadata:
		g.Stop()
		return true
	case KeyPartitionMetadata:
		g.OldMetadata = false
	case KeyTargetMetadata:
		g.TargetEpoch, g.TargetMS = -1, 0
	case KeyTarget:
		delete(g.targets, k.Name)
	case KeyRegex:
		delete(g.regexes, k.Name)
	case KeyMember:
		g.remove(k.Name)
	case KeyCurrent:
		if old := g.Member(k.Name); old != nil {
			m := *old
			m.Epoch, m.PreviousEpoch, m.Assigned, m.Revoking = LeaveEpoch, LeaveEpoch, nil, nil
			g.put(m)
		}
	}
	return false
}

// Records gives what makes the group from nothing, in Kafka's order.
func (g *Group) Records() []coordinator.Record {
	var out []coordinator.Record
	for _, m := range g.order {
		out = append(out, memberRecord(g.ID, &m.Member))
	}
	for _, r := range sortedKeys(g.regexes) {
		out = append(out, regexRecord(g.ID, r, g.regexes[r]))
	}
	out = append(out, metadataRecord(g.ID, g.Epoch, g.MetadataHash))
	for _, id := range sortedKeys(g.targets) {
		out = append(out, targetRecord(g.ID, id, g.targets[id]))
	}
	out = append(out, targetMetadataRecord(g.ID, g.TargetEpoch, g.TargetMS))
	for _, m := range g.order {
		out = append(out, currentRecord(g.ID, &m.Member))
	}
	return out
}

// Mend ends a load: records that no broker writes may have left the group behind its target, or the target behind a member.
func (g *Group) Mend() {
	for _, m := range g.order {
		g.TargetEpoch = max(g.TargetEpoch, m.Epoch)
	}
	g.Epoch = max(g.Epoch, g.TargetEpoch)
}
