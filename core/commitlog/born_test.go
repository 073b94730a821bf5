package commitlog

import (
	"bytes"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
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

// A log that does not begin at 0 has lost its topic id with the power, before any record was synced. What is synced from then on stays at the next loss.
func TestTheTopicIDIsDurableBeforeTheFirstSyncedRecordWhereverTheLogBegins(t *testing.T) {
	for _, start := range []int64{0, 15} {
		for seed := range uint64(20) {
			m := fixed(t, smallConfig())
			m.w.disk.rnd = prng.New(seed)
			again := func(power bool) {
				t.Helper()
				m.w = newWorld(m.w.disk.crash(power))
				if err := m.open(Options{StartOffset: start}); err != nil {
					t.Fatal(err)
				}
			}
			again(false)
			for _, names := range []map[string]*inode{m.w.disk.names, m.w.disk.durable} {
				delete(names, "data/t-0/partition.metadata")
			}
			again(false)
			for range 3 {
				m.add(1, 100)
			}
			m.w.settle()
			if end := start + 3; m.l.SyncedEnd() != end {
				t.Fatalf("synced to %d, want %d", m.l.SyncedEnd(), end)
			}
			again(true)
			if end := start + 3; m.l.End() != end {
				t.Fatalf("from %d, seed %d: synced to %d, and to %d after a loss of power", start, seed, end, m.l.End())
			}
		}
	}
}
