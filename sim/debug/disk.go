package debug

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/simdisk"
)

// Bounds of what disk prints.
const (
	maxDump    = 512 // bytes of a file that is no text
	maxPrinted = 64 << 10
	maxChanges = 6
)

func (l *Local) disk(t *text, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("disk takes a node from 1 to %d, and a file or the end of its path", l.c.Nodes())
	}
	n, err := l.which(args[0])
	if err != nil {
		return err
	}
	d, part := l.c.Disk(n), strings.Join(args[1:], "")
	var files []simdisk.FileState
	for _, f := range d.Show() {
		if f.Path == part {
			files = []simdisk.FileState{f}
			break
		}
		if strings.Contains(f.Path, part) {
			files = append(files, f)
		}
	}
	switch {
	case len(files) == 0 && part != "":
		return fmt.Errorf("no file with %q in its path; disk %d lists all", part, n+1)
	case len(files) == 1 && part != "":
		file(t, d, &files[0])
		return nil
	}
	ills(t, &d.Faults, l.c.Now())
	for i := range files {
		f := &files[i]
		t.row("  "+f.Path, fmt.Sprintf("%d bytes", f.Size), fmt.Sprintf("synced to %d", f.Synced), opened(f.Handles), unsynced(f))
	}
	t.line("%d files", len(files))
	undo(t, d, part)
	return nil
}

// undo prints the names that are not durable, and what is in flight.
func undo(t *text, d *simdisk.Disk, part string) {
	head := "names that a loss of power may undo:"
	for _, s := range d.Names() {
		if strings.Contains(s, part) {
			t.head(&head)
			t.line("  %s", s)
		}
	}
	head = "requests in flight:"
	for _, a := range d.Requests() {
		if strings.Contains(a.Path, part) {
			t.head(&head)
			t.row(fmt.Sprintf("  slot %d", a.Slot), fmt.Sprintf("shard %d", a.Shard), a.Kind, a.Path, fmt.Sprintf("at %d, %d bytes", a.Off, a.Size))
		}
	}
}

func opened(handles int) string {
	if handles == 0 {
		return ""
	}
	return "open"
}

// ills prints what is wrong with a disk.
func ills(t *text, f *simdisk.Faults, now clock.Time) {
	for _, x := range [...]struct {
		is   bool
		what string
	}{{f.StallUntil > now, "it answers nothing until " + seconds(f.StallUntil)}, {f.Slow > 1, fmt.Sprintf("it takes %d times as long", f.Slow)}, {f.Lying, "its syncs do nothing"},
		{f.FailSyncs > 0, fmt.Sprintf("the next %d syncs fail", f.FailSyncs)}, {f.ReadEIO > 0, fmt.Sprintf("%d per mille of reads fail", f.ReadEIO)},
		{f.WriteEIO > 0, fmt.Sprintf("%d per mille of writes fail", f.WriteEIO)}, {f.Capacity > 0, fmt.Sprintf("it holds %d bytes", f.Capacity)},
		{f.Misdirect > 0, fmt.Sprintf("the next %d writes go elsewhere", f.Misdirect)}, {f.Broken != "" && !f.Dead, "no write below " + f.Broken + " ends well"},
		{f.Dead, "nothing below " + f.Broken + " ends well"}, {f.Fills != "", "it is full within the next write to a " + f.Fills}} {
		if x.is {
			t.line("fault: %s", x.what)
		}
	}
}

// unsynced is what of a file a loss of power may undo.
func unsynced(f *simdisk.FileState) string {
	var s []string
	for i := range f.Changes {
		c := &f.Changes[i]
		if c.Durable {
			continue
		}
		what := fmt.Sprintf("write of %d at %d", c.N, c.Off)
		if c.Cut {
			what = fmt.Sprintf("cut to %d", c.Off)
		}
		if c.Lost {
			what += " (its sync failed)"
		}
		if len(s) == maxChanges {
			s = append(s, "…")
			break
		}
		s = append(s, what)
	}
	if len(s) == 0 {
		return ""
	}
	return "not synced: " + strings.Join(s, ", ")
}

// file prints one file.
func file(t *text, d *simdisk.Disk, f *simdisk.FileState) {
	t.line("%s: %d bytes, synced to %d  %s", f.Path, f.Size, f.Synced, unsynced(f))
	b, _ := d.ReadFile(f.Path)
	switch {
	case strings.Contains(f.Path, "__cluster_metadata"):
		dump(t, b)
	case strings.HasSuffix(f.Path, ".log"), strings.Contains(f.Path, ".log."):
		segment(t, f, b)
	case strings.HasSuffix(f.Path, ".snapshot"):
		var all producers.Table
		if !all.Load(b, 0) {
			t.line("no snapshot of producers, or a damaged one")
			dump(t, b)
			return
		}
		known(t, &all)
	default:
		dump(t, b)
	}
}

// dump prints a text as it is, and other bytes in hex.
func dump(t *text, b []byte) {
	for _, c := range b {
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			continue
		}
		full := bytes.TrimRight(b, "\x00")
		t.line("%s", strings.TrimRight(hex.Dump(full[:min(len(full), maxDump)]), "\n"))
		if len(full) > maxDump {
			t.line("… %d bytes more", len(full)-maxDump)
		}
		if len(full) < len(b) {
			t.line("and %d bytes of zeros", len(b)-len(full))
		}
		return
	}
	t.line("%s", strings.TrimRight(string(b[:min(len(b), maxPrinted)]), "\n"))
}

// segment prints the batches of a log's segment.
func segment(t *text, f *simdisk.FileState, b []byte) {
	t.row("  at", "offsets", "epoch", "records", "producer", "size", "CRC", "")
	for at := 0; at < len(b); {
		rest := b[at:]
		v := records.View(rest)
		if len(rest) < records.HeaderSize || v.Size() < records.HeaderSize || v.Size() > len(rest) {
			t.line("  %d: %d bytes that are no whole batch: %s", at, len(rest), hex.EncodeToString(rest[:min(len(rest), 32)]))
			return
		}
		v = v[:v.Size()]
		t.row(batch(f, at, v)...)
		at += v.Size()
	}
}

func batch(f *simdisk.FileState, at int, v records.View) []string {
	producer, crc := "", "ok"
	if v.ProducerID() >= 0 {
		producer = fmt.Sprintf("%d epoch %d seq %d", v.ProducerID(), v.ProducerEpoch(), v.BaseSequence())
	}
	sound := v.Magic() == 2 && v.CRC() == v.ComputeCRC()
	if !sound {
		crc = "BAD"
	}
	var s []string
	if v.IsTransactional() {
		s = append(s, "transactional")
	}
	if sound {
		s = append(s, kind(v)...)
	}
	if v.Codec() != 0 {
		s = append(s, fmt.Sprintf("codec %d", v.Codec()))
	}
	if end := int64(at + v.Size()); end > f.Synced {
		s = append(s, "not synced")
	}
	if sound && v.Count() > 0 && !v.IsControl() {
		s = append(s, content(f.Path, v))
	}
	return []string{fmt.Sprintf("  %d", at), fmt.Sprintf("%d to %d", v.BaseOffset(), v.LastOffset()), fmt.Sprint(v.LeaderEpoch()), fmt.Sprint(v.Count()), producer, fmt.Sprint(v.Size()), crc, strings.Join(s, ", ")}
}

// kind says what a sound batch is beside one of records.
func kind(v records.View) []string {
	switch m, ok := v.Marker(); {
	case ok && m.Commit:
		return []string{fmt.Sprintf("COMMIT by coordinator epoch %d", m.CoordinatorEpoch)}
	case ok:
		return []string{fmt.Sprintf("ABORT by coordinator epoch %d", m.CoordinatorEpoch)}
	case v.IsFiller():
		return []string{"filler: compaction took what was here"}
	}
	return nil
}

// content prints the first and the last record of a batch, or those of a coordinator decoded.
func content(path string, v records.View) string {
	var all []string
	for r := records.NewReader(v, new(records.Scratch)); ; {
		rec, ok, err := r.Next()
		if err != nil {
			return "its records cannot be read: " + err.Error()
		}
		if !ok {
			break
		}
		switch {
		case strings.Contains(path, "__consumer_offsets-"), strings.Contains(path, "__transaction_state-"):
			all = append(all, coordinated(path, rec.Key, rec.Value))
		default:
			all = append(all, recordText(rec.Value))
		}
	}
	if len(all) > 2 && !strings.Contains(path, "/__") {
		return all[0] + " to " + all[len(all)-1]
	}
	return strings.Join(all, " ")
}

// recordText is the value that a client of the simulator made, up to what pads it.
func recordText(b []byte) string {
	s, _, _ := strings.Cut(string(b), " ")
	return value(s)
}

// coordinated prints a coordinator's record by Kafka's formats.
func coordinated(path string, key, val []byte) string {
	if len(key) < 2 {
		return value(key)
	}
	var k, v interface{ ReadFrom([]byte) error }
	switch kind := binary.BigEndian.Uint16(key); {
	case strings.Contains(path, "__transaction_state-"):
		x, y := kmsg.NewTxnMetadataKey(), kmsg.NewTxnMetadataValue()
		k, v = &x, &y
	case kind <= 1:
		x, y := kmsg.NewOffsetCommitKey(), kmsg.NewOffsetCommitValue()
		k, v = &x, &y
	case kind == 2:
		x, y := kmsg.NewGroupMetadataKey(), kmsg.NewGroupMetadataValue()
		k, v = &x, &y
	default:
		return fmt.Sprintf("kind %d %s = %s", kind, value(key[2:]), value(val))
	}
	if k.ReadFrom(key) != nil {
		return value(key) + " = " + value(val)
	}
	if val == nil {
		return value(k) + " = tombstone"
	}
	if v.ReadFrom(val) != nil {
		return value(k) + " = " + value(val)
	}
	return value(k) + " = " + value(v)
}
