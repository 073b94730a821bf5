package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	dirtyGB         = 2.5 // at scale 1
	dirtyPartitions = 4
	dirtySegments   = 8 // sealed ones of a partition
	dirtyRecords    = 500
	dirtyValue      = 100
	dirtyKey        = 8
	dirtyTimes      = 4                      // how often each key is written, on average
	cleanLead       = 500 * time.Millisecond // from the order to clean until records count
	cleanWait       = 60 * time.Second
	cleanerBackoff  = "log.cleaner.backoff.ms"
)

// compaction fills a compacted topic that is not cleaned yet, and sends single records of 1 KiB on a schedule, half of them to the same topic and half to
// another: first while nothing else happens, then while the cleaner is at work, which begins when the topic's min.cleanable.dirty.ratio becomes 0. What
// counts of the second part is what was due until the topic was clean.
func compaction(ctx context.Context, s *system, scale float64) (*sample, error) {
	d := newDirt(int64(dirtyGB * scale * 1e9))
	if s.name == "kafka" {
		if err := s.set(ctx, kmsg.ConfigResourceTypeBroker, "", cleanerBackoff, "100"); err != nil {
			return nil, err
		}
	}
	same, err := s.newTopic(ctx, dirtyPartitions, "cleanup.policy=compact", "min.cleanable.dirty.ratio=1", "file.delete.delay.ms=1000",
		fmt.Sprintf("segment.bytes=%d", d.segment))
	if err != nil {
		return nil, err
	}
	other, err := s.newTopic(ctx, dirtyPartitions)
	if err != nil {
		return nil, err
	}
	d.topic = same
	if err := d.fill(ctx, s); err != nil {
		return nil, fmt.Errorf("filling: %w", err)
	}
	batch, _ := encodeKeyed(1, dirtyKey, 1<<10)
	lanes := make([]*rawLane, latencyLanes)
	for i := range lanes {
		topic := same
		if i%2 == 1 {
			topic = other
		}
		if lanes[i], err = newRawLane(ctx, s, topic, int32(i/2), batch); err != nil {
			return nil, err
		}
		defer lanes[i].close()
	}
	if err := settleDisk(s.data); err != nil {
		return nil, err
	}
	x, err := d.compare(ctx, s, lanes, scaled(latencySpan, scale))
	if err != nil {
		return nil, err
	}
	return x, errors.Join(s.dropTopic(ctx, same), s.dropTopic(ctx, other))
}

// settleDisk has the file system write what is dirty in memory: otherwise that of the filling would be written while records are timed.
func settleDisk(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// dirt is what a compacted topic is filled with. Each partition gets the same batches: whole segments of them, and one batch more, so that nothing else is
// in the active segment.
type dirt struct {
	topic   string
	batch   []byte
	at      []int // of its keys
	batches int   // of the sealed segments of a partition
	keys    int
	segment int64 // bytes
}

func newDirt(size int64) *dirt {
	d := &dirt{}
	d.batch, d.at = encodeKeyed(dirtyRecords, dirtyKey, dirtyValue)
	each := max(size/dirtyPartitions/dirtySegments, 1<<20) / int64(len(d.batch))
	d.segment = (each + 1) * int64(len(d.batch)) // segment.bytes is at least 1 MiB
	d.batches = dirtySegments * int(each+1)
	d.keys = d.batches * dirtyRecords / dirtyTimes
	return d
}

// key is that of the record at an offset.
func (d *dirt) key(offset int) int {
	x := uint64(offset+1) * 0x9e3779b97f4a7c15 // as splitmix64 does
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % uint64(d.keys))
}

// write makes b, a copy of the batch, the n-th one.
func (d *dirt) write(b []byte, n int) {
	for i, at := range d.at {
		binary.BigEndian.PutUint64(b[at:], uint64(d.key(n*dirtyRecords+i)))
	}
	seal(b)
}

// bytes are those of the sealed segments of all partitions.
func (d *dirt) bytes() int64 { return dirtyPartitions * int64(d.batches) * int64(len(d.batch)) }

// gone is how many of them a clean takes away.
func (d *dirt) gone() int64 {
	last := make([]int32, d.keys)
	for o := range d.batches * dirtyRecords {
		last[d.key(o)] = int32(o)
	}
	stays := map[int32]bool{} // batches
	records := int64(0)
	for k, o := range last {
		if d.key(int(o)) == k { // else the key was never drawn
			records++
			stays[o/dirtyRecords] = true
		}
	}
	size := int64(len(d.batch)-headerSize)*records/dirtyRecords + headerSize*int64(len(stays))
	return d.bytes() - dirtyPartitions*size
}

func (d *dirt) fill(ctx context.Context, s *system) error {
	return each([]int32{0, 1, 2, 3}, func(partition int32) error {
		batch := append([]byte(nil), d.batch...)
		d.write(batch, 0)
		l, err := newLane(ctx, s, d.topic, partition, batch) // which sends it
		if err != nil {
			return err
		}
		defer l.c.Close()
		batch = l.frame[len(l.frame)-len(batch):]
		const inFlight = 5
		for n := 1; n <= d.batches+inFlight; n++ {
			if n <= d.batches {
				d.write(batch, n)
				if _, err := l.c.Write(l.frame); err != nil {
					return err
				}
			}
			if n > inFlight {
				if err := l.answer(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// size is how many bytes the topic's logs have.
func (d *dirt) size(c *conn) (total int64, err error) {
	r := kmsg.NewPtrDescribeLogDirsRequest()
	r.Version = 2
	t := kmsg.NewDescribeLogDirsRequestTopic()
	t.Topic, t.Partitions = d.topic, []int32{0, 1, 2, 3}
	r.Topics = append(r.Topics, t)
	got, err := c.call(r)
	if err != nil {
		return 0, err
	}
	for _, dir := range got.(*kmsg.DescribeLogDirsResponse).Dirs {
		for _, t := range dir.Topics {
			for _, p := range t.Partitions {
				total += p.Size
			}
		}
	}
	return total, nil
}

// cleaned is what became of an order to clean.
type cleaned struct {
	began, ended time.Time
	cpu          float64 // seconds of the broker meanwhile, with all that it did beside
	err          error
}

// compare times the records of both parts.
func (d *dirt) compare(ctx context.Context, s *system, lanes []*rawLane, span time.Duration) (*sample, error) {
	p := newSchedule(latencyWarm, span)
	if err := openLoop(ctx, &p, lanes, func() error { return nil }); err != nil {
		return nil, fmt.Errorf("before the clean: %w", err)
	}
	quiet := &sample{}
	for _, l := range lanes {
		quiet.times = append(quiet.times, l.times...)
	}
	ctx, cancel := context.WithTimeout(ctx, cleanLead+span+cleanWait)
	defer cancel()
	gone := d.gone() // takes a moment, in which records must not be timed
	result := make(chan cleaned, 1)
	go func() { result <- d.clean(ctx, s, gone, cleanLead+span) }()
	m := &meter{s: s}
	p = newSchedule(cleanLead, span)
	if err := openLoop(ctx, &p, lanes, m.start); err != nil {
		return nil, fmt.Errorf("during the clean: %w", err)
	}
	x, beside := &sample{}, &sample{}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	got := <-result
	if got.err != nil {
		return nil, got.err
	}
	for i, l := range lanes {
		for k, t := range l.times {
			if p.due(p.counted(i) + k*latencyLanes).After(got.ended) {
				break
			}
			if x.times = append(x.times, t); i%2 == 0 {
				beside.times = append(beside.times, t)
			}
		}
	}
	if len(x.times) == 0 {
		fmt.Fprintf(os.Stderr, "bench: the clean took only %v: no record was due within it; raise SCALE\n", got.ended.Sub(got.began))
	}
	x.requests, x.cpu = float64(len(x.times)), 0 // the CPU is that of the clean, and told by bytes
	mb := float64(d.bytes()) / 1e6
	x.more = map[string]float64{
		"clean_mb_per_cpu_s": mb / max(got.cpu, tick), "clean_mb_per_s": mb / got.ended.Sub(got.began).Seconds(),
		"quiet_p50_ms": quiet.sorted(.5), "quiet_p99_ms": quiet.sorted(.99), "quiet_p999_ms": quiet.sorted(.999), "same_topic_p99_ms": beside.sorted(.99),
		"p99_to_quiet": x.sorted(.99) / max(quiet.sorted(.99), 1e-3),
	}
	return x, nil
}

// clean orders the topic to be cleaned and waits until its logs have the size that this leaves, and what is being sent to it.
func (d *dirt) clean(ctx context.Context, s *system, gone int64, sending time.Duration) (r cleaned) {
	fail := func(err error) cleaned { r.err = fmt.Errorf("cleaning: %w", err); return r }
	c, err := dial(ctx, s, 4<<10)
	if err != nil {
		return fail(err)
	}
	defer c.Close()
	before, err := d.size(c)
	if err != nil {
		return fail(err)
	}
	cpu, err := s.sum(cpuSeconds)
	if err != nil {
		return fail(err)
	}
	r.began = time.Now()
	if err := s.set(ctx, kmsg.ConfigResourceTypeTopic, d.topic, "min.cleanable.dirty.ratio", "0"); err != nil {
		return fail(err)
	}
	for {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fail(err)
		}
		size, err := d.size(c)
		if err != nil {
			return fail(err)
		}
		sent := min(time.Since(r.began), sending).Seconds() * latencyRate / 2 * (1<<10 + 100)
		want := before - gone + gone/50 + int64(sent)
		if size <= want {
			break
		}
		if time.Since(r.began) > sending+cleanWait-time.Second {
			return fail(fmt.Errorf("not done %v after the order: %d bytes are left, %d expected; lower SCALE", time.Since(r.began), size, want))
		}
	}
	r.ended = time.Now()
	after, err := s.sum(cpuSeconds)
	if err != nil {
		return fail(err)
	}
	r.cpu = after - cpu
	return r
}
