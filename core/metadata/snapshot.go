package metadata

// Records gives records that fold into an equal image, in entries of at most about perEntry bytes each: a snapshot. The digests of
// the image and of what they fold into are equal.
func (m *Image) Records(perEntry int, emit func([]Record)) {
	var batch []Record
	size := 0
	add := func(bytes int, r Record) {
		if size+bytes > perEntry && len(batch) > 0 {
			emit(batch)
			batch, size = nil, 0
		}
		batch, size = append(batch, r), size+bytes
	}
	if m.clusterID != "" {
		add(80, &ClusterRecord{m.clusterID})
	}
	for _, f := range m.features {
		add(80, &FeatureLevelRecord{f.Name, f.Level})
	}
	for _, b := range m.brokers {
		add(1024, &RegisterBrokerRecord{NodeID: b.ID, Incarnation: b.Incarnation, BrokerEpoch: b.Epoch, Listeners: b.Listeners, Rack: b.Rack, LogDirs: b.LogDirs,
			Fenced: b.Fenced, InShutdown: b.InShutdown, ActiveEpoch: b.ActiveEpoch, Features: b.Features})
	}
	for _, t := range m.topics {
		add(300, &TopicRecord{t.Name, t.ID})
		for i := range t.Configs {
			c := &t.Configs[i]
			add(300+len(c.Value), &ConfigRecord{ResourceTopic, t.Name, c.Key, &c.Value})
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			add(64+40*len(p.Replicas), &PartitionRecord{TopicID: t.ID, Partition: int32(i), Replicas: p.Replicas, ISR: p.ISR, Leader: p.Leader,
				LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, Dirs: p.Dirs, ELR: p.ELR, LastKnownELR: p.LastKnownELR,
				Adding: p.Adding, Removing: p.Removing, Recovering: p.Recovering, LastLeader: p.LastLeader})
		}
	}
	for _, r := range m.configs {
		for i := range r.Configs {
			c := &r.Configs[i]
			add(300+len(c.Value), &ConfigRecord{r.Type, r.Name, c.Key, &c.Value})
		}
	}
	if m.nextPID > 0 {
		add(32, &ProducerIDsRecord{BrokerID: -1, BrokerEpoch: -1, NextProducerID: m.nextPID})
	}
	if len(batch) > 0 {
		emit(batch)
	}
}

// Load folds one entry of a snapshot, whose term is that of the snapshot. Index and term stay; At sets them at the end.
func (m *Image) Load(records []Record) *Image {
	n := *m
	b := builder{img: &n}
	for _, r := range records {
		b.apply(r)
	}
	b.finish()
	return &n
}

// At gives the image as of an index: the end of a snapshot's loading.
func (m *Image) At(index, term int64) *Image {
	n := *m
	n.index, n.term = index, term
	return &n
}
