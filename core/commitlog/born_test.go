package commitlog

import (
	"bytes"
	"testing"
)

// A loss of power leaves records that were never synced, and of the topic id, which is synced before them, nothing. The topic may have been deleted and made
// again meanwhile: they are not its records.
func TestRecordsWithoutATopicIDAreNotTakenForThoseOfAnotherTopic(t *testing.T) {
	const name = "data/t-0/partition.metadata"
	whole := []byte(nil)
	lost := map[string]func(d *memDisk){
		"missing": func(d *memDisk) { delete(d.names, name) },
		"torn":    func(d *memDisk) { d.names[name].data = d.names[name].data[:20] },
		"zeros":   func(d *memDisk) { clear(d.names[name].data) },
		"rotten":  func(d *memDisk) { d.names[name].data[30] ^= 1 },
		"there":   func(*memDisk) {},
	}
	for what, lose := range lost {
		for _, synced := range []int64{0, 5} {
			cfg := smallConfig()
			cfg.FlushAck = false
			m := fixed(t, cfg)
			for range 9 {
				m.add(1, 900)
			}
			m.w.settle()
			if err := m.reopenAs(synced, lose); err != nil {
				t.Fatal(err)
			}
			kept := synced > 0 || what == "rotten" || what == "there"
			if end := m.l.End(); kept != (end == 9) || !kept && (end != 0 || m.l.LatestEpoch() != -1) {
				t.Fatalf("%s, synced to %d: ends at %d, latest epoch %d", what, synced, end, m.l.LatestEpoch())
			}
			m.add(1, 100)
			m.w.settle()
			if got := m.w.disk.names[name].data; len(whole) > 0 && !bytes.Equal(got, whole) {
				t.Fatalf("%s: the topic id is %q", what, got)
			} else {
				whole = bytes.Clone(got)
			}
		}
	}
}

// reopenAs kills the process and opens the log again, after the disk was changed.
func (m *twin) reopenAs(point int64, change func(d *memDisk)) error {
	d := m.w.disk.crash(false)
	change(d)
	m.w = newWorld(d)
	return m.open(Options{RecoveryPoint: point})
}
