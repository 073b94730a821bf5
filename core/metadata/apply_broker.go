package metadata

import "slices"

// register folds a registration. A new one, whose epoch is the entry's index, bumps the epochs of all that the broker led.
func (b *builder) register(r *RegisterBrokerRecord) {
	n := &Broker{ID: r.NodeID, Incarnation: r.Incarnation, Epoch: r.BrokerEpoch, Listeners: r.Listeners, Rack: r.Rack, LogDirs: r.LogDirs,
		Fenced: r.Fenced, InShutdown: r.InShutdown, ActiveEpoch: r.ActiveEpoch, Features: r.Features}
	if r.BrokerEpoch < 0 {
		n.Epoch, n.ActiveEpoch = b.img.index, -1
		if old := b.img.Broker(r.NodeID); old != nil {
			n.ActiveEpoch = old.ActiveEpoch
		}
		b.fence(r.NodeID)
	}
	if !n.Fenced {
		n.ActiveEpoch = n.Epoch
	}
	b.putBroker(n)
}

// fence bumps the epochs of all that a broker leads.
func (b *builder) fence(id int32) {
	for _, t := range b.live() {
		for p := range t.Partitions {
			if t.Partitions[p].Leader != id {
				continue
			}
			t = b.writable(t)
			t.Partitions[p].LeaderEpoch++
			t.Partitions[p].PartitionEpoch++
		}
	}
}

func (b *builder) changeBroker(r *BrokerChangeRecord) {
	old := b.img.Broker(r.NodeID)
	if old == nil || old.Epoch != r.Epoch {
		return
	}
	n := *old
	if r.Fenced != nil {
		n.Fenced = *r.Fenced
	}
	if !n.Fenced {
		n.ActiveEpoch = n.Epoch
	}
	if r.InShutdown != nil {
		n.InShutdown = *r.InShutdown
	}
	if r.LogDirs != nil {
		n.LogDirs = r.LogDirs
	}
	b.putBroker(&n)
}

func (b *builder) unregister(r *UnregisterBrokerRecord) {
	if old := b.img.Broker(r.NodeID); old == nil || old.Epoch != r.Epoch {
		return
	}
	b.ownBrokers()
	i, _ := findBroker(b.img.brokers, r.NodeID)
	b.img.digest -= b.img.brokers[i].digest
	b.img.brokers = slices.Delete(b.img.brokers, i, i+1)
}

// putBroker puts a broker in its place, over what stands there.
func (b *builder) putBroker(n *Broker) {
	b.ownBrokers()
	img := b.img
	n.digest = hashBroker(n)
	i, ok := findBroker(img.brokers, n.ID)
	if ok {
		img.digest -= img.brokers[i].digest
		img.brokers[i] = n
	} else {
		img.brokers = slices.Insert(img.brokers, i, n)
	}
	img.digest += n.digest
}

func (b *builder) ownBrokers() {
	if !b.brokers {
		b.img.brokers, b.brokers = slices.Clone(b.img.brokers), true
	}
}
