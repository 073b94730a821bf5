package metadata

// The bodies of the records. A form with a tag of its own has the fields of the shorter form first.

// lists writes lists of node ids.
func (w *writer) lists(v ...[]int32) {
	for _, l := range v {
		list(w, l, w.i32)
	}
}

func (r *reader) lists(v ...*[]int32) {
	for _, l := range v {
		*l = readList(r, 4, r.i32)
	}
}

func (r *NoOpRecord) encode(*writer) {}
func (r *NoOpRecord) decode(*reader) {}

func (r *ClusterRecord) encode(w *writer) { w.text(r.ClusterID) }
func (r *ClusterRecord) decode(d *reader) { r.ClusterID = d.text() }

func (r *FeatureLevelRecord) encode(w *writer) {
	w.text(r.Name)
	w.i16(r.Level)
}

func (r *FeatureLevelRecord) decode(d *reader) { r.Name, r.Level = d.text(), d.i16() }

func (r *RegisterBrokerRecord) encode(w *writer) {
	w.i32(r.NodeID)
	w.id(r.Incarnation)
	w.i64(r.BrokerEpoch)
	list(w, r.Listeners, func(l Listener) {
		w.text(l.Name)
		w.i16(l.Protocol)
		w.text(l.Host)
		w.i32(l.Port)
	})
	w.optional(r.Rack)
	list(w, r.LogDirs, w.id)
	if r.tag() == tagRegisterBroker2 {
		w.flag(r.Fenced)
		w.flag(r.InShutdown)
		w.i64(r.ActiveEpoch)
	}
	if bodyVersion(r) > 0 {
		list(w, r.Features, func(f FeatureRange) {
			w.text(f.Name)
			w.i16(f.Min)
			w.i16(f.Max)
		})
	}
}

func (r *RegisterBrokerRecord) decode(d *reader) {
	r.NodeID, r.Incarnation, r.BrokerEpoch = d.i32(), d.id(), d.i64()
	r.Listeners = readList(d, 8, func() Listener {
		return Listener{Name: d.text(), Protocol: d.i16(), Host: d.text(), Port: d.i32()}
	})
	r.Rack = d.optional()
	r.LogDirs = readList(d, 16, d.id)
	if d.tag == tagRegisterBroker2 {
		r.Fenced, r.InShutdown, r.ActiveEpoch = d.flag(), d.flag(), d.i64()
		if r.tag() != tagRegisterBroker2 {
			r.ActiveEpoch = 0 // it counts in this form only
		}
	}
	if d.version > 0 {
		r.Features = readList(d, 5, func() FeatureRange { return FeatureRange{Name: d.text(), Min: d.i16(), Max: d.i16()} })
	}
}

func (r *TopicRecord) encode(w *writer) {
	w.text(r.Name)
	w.id(r.ID)
}

func (r *TopicRecord) decode(d *reader) { r.Name, r.ID = d.text(), d.id() }

func (r *PartitionRecord) encode(w *writer) {
	w.id(r.TopicID)
	w.i32(r.Partition)
	list(w, r.Replicas, w.i32)
	list(w, r.ISR, w.i32)
	w.i32(r.Leader)
	w.i32(r.LeaderEpoch)
	w.i32(r.PartitionEpoch)
	list(w, r.Dirs, w.id)
	if r.tag() == tagPartition2 {
		w.lists(r.ELR, r.LastKnownELR, r.Adding, r.Removing)
		w.flag(r.Recovering)
		w.i32(r.LastLeader)
	}
}

func (r *PartitionRecord) decode(d *reader) {
	r.TopicID, r.Partition = d.id(), d.i32()
	r.Replicas, r.ISR = readList(d, 4, d.i32), readList(d, 4, d.i32)
	r.Leader, r.LeaderEpoch, r.PartitionEpoch = d.i32(), d.i32(), d.i32()
	r.Dirs = readList(d, 16, d.id)
	r.LastLeader = plainLastLeader(r.Leader)
	if d.tag == tagPartition2 {
		d.lists(&r.ELR, &r.LastKnownELR, &r.Adding, &r.Removing)
		r.Recovering = d.flag()
		r.LastLeader = d.i32()
	}
}

func (r *PartitionChangeRecord) encode(w *writer) {
	w.id(r.TopicID)
	w.i32(r.Partition)
	w.i32(r.Leader)
	list(w, r.ISR, w.i32)
	list(w, r.Replicas, w.i32)
	list(w, r.Dirs, w.id)
	if r.tag() == tagPartitionChange2 {
		w.lists(r.ELR, r.LastKnownELR, r.Adding, r.Removing)
		w.u8(uint8(r.RecoveryState))
	}
}

func (r *PartitionChangeRecord) decode(d *reader) {
	r.TopicID, r.Partition, r.Leader = d.id(), d.i32(), d.i32()
	r.ISR, r.Replicas = readList(d, 4, d.i32), readList(d, 4, d.i32)
	r.Dirs = readList(d, 16, d.id)
	if d.tag == tagPartitionChange2 {
		d.lists(&r.ELR, &r.LastKnownELR, &r.Adding, &r.Removing)
		r.RecoveryState = int8(d.small(uint8(Recovered)))
	}
}

func (r *RemoveTopicRecord) encode(w *writer) { w.id(r.ID) }
func (r *RemoveTopicRecord) decode(d *reader) { r.ID = d.id() }

func (r *ConfigRecord) encode(w *writer) {
	w.u8(uint8(r.ResourceType))
	w.text(r.Name)
	w.text(r.Key)
	w.optional(r.Value)
}

func (r *ConfigRecord) decode(d *reader) {
	r.ResourceType, r.Name, r.Key = int8(d.u8()), d.text(), d.text()
	r.Value = d.optional()
}

func (r *ProducerIDsRecord) encode(w *writer) {
	w.i32(r.BrokerID)
	w.i64(r.BrokerEpoch)
	w.i64(r.NextProducerID)
}

func (r *ProducerIDsRecord) decode(d *reader) {
	r.BrokerID, r.BrokerEpoch, r.NextProducerID = d.i32(), d.i64(), d.i64()
}

func (r *BrokerChangeRecord) encode(w *writer) {
	w.i32(r.NodeID)
	w.i64(r.Epoch)
	w.tri(r.Fenced)
	w.tri(r.InShutdown)
	list(w, r.LogDirs, w.id)
}

func (r *BrokerChangeRecord) decode(d *reader) {
	r.NodeID, r.Epoch = d.i32(), d.i64()
	r.Fenced, r.InShutdown = d.tri(), d.tri()
	r.LogDirs = readList(d, 16, d.id)
}

func (r *UnregisterBrokerRecord) encode(w *writer) {
	w.i32(r.NodeID)
	w.i64(r.Epoch)
}

func (r *UnregisterBrokerRecord) decode(d *reader) { r.NodeID, r.Epoch = d.i32(), d.i64() }
