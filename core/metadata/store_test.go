package metadata

import (
	"testing"

	"github.com/seedlog/seedlog/io/disk"
)

// heard notes what a watcher is told.
type heard []Commit

func (h *heard) ImageChanged(_ *Image, c Commit) { *h = append(*h, c) }

func (h *heard) Refused(disk.Token, disk.Err) {}
func (h *heard) LeaderChanged()               {}
func (h *heard) Failed(disk.Err, string)      {}

func TestAnImageThatWasFoldedElsewhereIsPublishedAndNoneIsTakenBack(t *testing.T) {
	var h heard
	s := NewStore(Empty(), &h)
	s.Watchers = []Watcher{&h}
	old, _ := Empty().Apply(3, 1, Entry{Term: 1, Records: []Record{&ClusterRecord{"c"}}})
	newer, _ := old.Apply(9, 1, Entry{Term: 1})
	s.Publish(newer, Commit{Index: 9})
	s.Publish(old, Commit{Index: 3})
	if s.Image() != newer || len(h) != 1 {
		t.Fatalf("index %d after %v", s.Image().Index(), h)
	}
	s.Publish(old, Commit{Index: 3, Token: 5, Applied: true})
	if s.Image() != newer || len(h) != 2 || h[1].Token != 5 {
		t.Fatalf("a commit of our own was not told: %v", h)
	}
}

func TestEachRuleOfAValidStateIsChecked(t *testing.T) {
	good := func() *Partition {
		return &Partition{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1}, Dirs: make([][16]byte, 3), ELR: []int32{2}, LastKnownELR: []int32{3}}
	}
	img, _ := Empty().Apply(0, 1, Entry{Term: 1, Records: []Record{&RegisterBrokerRecord{NodeID: 1, BrokerEpoch: -1}, &RegisterBrokerRecord{NodeID: 2, BrokerEpoch: -1, Fenced: true},
		&RegisterBrokerRecord{NodeID: 3, BrokerEpoch: -1, InShutdown: true}}})
	if text := img.wrong(good()); text != "" {
		t.Fatal(text)
	}
	for what, bad := range map[string]func(p *Partition){
		"unregistered": func(p *Partition) {
			p.Replicas, p.ISR = []int32{1, 2, 3, 4}, []int32{1, 4}
			p.Dirs = make([][16]byte, 4)
		},
		"fenced":         func(p *Partition) { p.ISR, p.ELR = []int32{1, 2}, nil },
		"shutting down":  func(p *Partition) { p.ISR, p.LastKnownELR = []int32{1, 3}, nil },
		"leader outside": func(p *Partition) { p.ISR = nil },
		"last leader":    func(p *Partition) { p.LastLeader = 1 },
		"twice":          func(p *Partition) { p.ELR = []int32{2, 2} },
		"no replica":     func(p *Partition) { p.Replicas, p.Dirs = []int32{1, 2}, make([][16]byte, 2) },
		"ISR and ELR":    func(p *Partition) { p.ELR = []int32{1} },
		"ELR and list":   func(p *Partition) { p.LastKnownELR = []int32{2} },
		"both ways":      func(p *Partition) { p.Adding, p.Removing = []int32{2}, []int32{2} },
		"directories":    func(p *Partition) { p.Dirs = p.Dirs[:2] },
	} {
		p := good()
		bad(p)
		if img.wrong(p) == "" {
			t.Errorf("%s: not noticed", what)
		}
	}
}
