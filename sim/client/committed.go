package client

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// CommittedConfig says what a read_committed reader does.
type CommittedConfig struct {
	ID        int    `json:"id"`
	Node      int    `json:"node"`
	Topic     string `json:"topic"`
	MaxWaitMS int32  `json:"max_wait_ms"`
	PartBytes int32  `json:"part_bytes"`
	PauseMS   int64  `json:"pause_ms"`
	SeekMS    int64  `json:"seek_ms,omitempty"` // now and then it reads from the start again
	Compacted bool   `json:"compacted,omitempty"`
}

// Committed reads the partitions of a topic in read_committed, and notes what it takes. Once nobody writes it waits until no transaction is open, and reads all of it once
// more, from the start to the end.
type Committed struct {
	base
	cfg    CommittedConfig
	link   *link
	topic  topicInfo
	known  bool
	at     []int64 // next offset, by partition
	ends   []int64 // of the last reading, -1 unknown
	lost   []bool  // by partition: the log does not begin where the reader stands
	busy   []bool  // by node
	seekAt clock.Time
	final  bool
	since  clock.Time // all that the last reading must find was written then
	open   []bool     // of the last reading: a transaction was still open at its end
	waited clock.Time
	gen    int
	taken  int   // answers that brought values
	told   []int // by partition: how many of them there were when it was last said that the reader stands at its end; -1: it was not
}

// openBound is how long the last reading waits for transactions to end, once nobody writes: longer than their greatest time-out, and than it takes to notice.
const openBound = 45 * clock.Second

// NewCommitted makes a reader.
func NewCommitted(cfg CommittedConfig, sh *Shared) *Committed {
	return &Committed{base: base{id: cfg.ID, sh: sh}, cfg: cfg}
}

// Start implements Client.
func (c *Committed) Start(n Net) {
	c.start(n, "committed")
	c.onWork, c.onTick, c.onLead = c.work, c.work, c.work
	c.seekAt = n.Now().Add(clock.MS(c.cfg.SeekMS))
	c.busy = make([]bool, max(1, c.sh.Nodes))
	c.link = c.newLink(c.cfg.Node, c.opened, func() {})
}

func (c *Committed) opened() {
	c.askTopics(c.link, []string{c.cfg.Topic}, func(ts []topicInfo) {
		c.topic, c.known = ts[0], true
		for len(c.at) < c.topic.parts { // at first, and when partitions were added
			c.at, c.ends, c.lost, c.told = append(c.at, 0), append(c.ends, -1), append(c.lost, false), append(c.told, -1)
		}
		c.work()
	})
}

func (c *Committed) idle() bool {
	for _, b := range c.busy {
		if b {
			return false
		}
	}
	return true
}

func (c *Committed) work() {
	if !c.known || c.Done() {
		return
	}
	last := c.healed && !c.final && c.sh.Writers == 0 && c.sh.Copying == 0
	seek := !last && !c.final && c.cfg.SeekMS > 0 && c.n.Now() >= c.seekAt
	if (last || seek) && !c.idle() {
		return // no fetch is begun until all that are under way have ended
	}
	if last {
		c.final, c.waited = true, c.n.Now().Add(openBound)
		if c.since = c.sh.Copied; c.since == 0 {
			c.since = c.n.Now()
		}
		c.open = make([]bool, len(c.at))
		c.cfg.PartBytes, c.cfg.PauseMS = 1<<18, min(c.cfg.PauseMS, 30)
		c.rewind()
	}
	if seek {
		c.seekAt = c.n.Now().Add(c.jitter(clock.MS(c.cfg.SeekMS)))
		c.rewind()
	}
	for node := range c.busy {
		c.ask(node)
	}
}

// rewind begins again from the start.
func (c *Committed) rewind() {
	for p := range c.at {
		c.at[p], c.ends[p], c.lost[p], c.told[p] = 0, -1, false, -1
	}
	c.gen++
}

// led gives the partitions that a node leads and that are not read to their end.
func (c *Committed) ledBy(node int) (parts []int) {
	for p := range c.at {
		lead := 0
		if c.sh.Nodes > 1 {
			if lead = c.topic.lead[p]; lead < 0 {
				c.stale()
			}
		}
		if lead == node && !(c.final && c.ends[p] >= 0 && c.at[p] >= c.ends[p]) {
			parts = append(parts, p)
		}
	}
	return parts
}

func (c *Committed) ask(node int) {
	parts := c.ledBy(node)
	if len(parts) == 0 || c.busy[node] {
		return
	}
	l := c.to(node)
	if !l.open() {
		return
	}
	c.busy[node] = true
	for _, p := range parts {
		if c.lost[p] {
			c.begin(l, node, p)
			return
		}
	}
	if c.final {
		for _, p := range parts {
			if c.ends[p] < 0 {
				c.end(l, node, p)
				return
			}
		}
	}
	c.fetch(l, node, parts)
}

// begin asks where the log of a partition begins: what stood before is deleted.
func (c *Committed) begin(l *link, node, p int) {
	c.offset(l, p, -2, 0, func(start int64) {
		c.busy[node] = false
		if c.lost[p] && start >= 0 { // else another leader has answered in the meantime
			c.at[p], c.lost[p] = start, false
		}
		c.again()
	})
}

// end asks where the last reading of a partition ends: where nothing is open any more.
func (c *Committed) end(l *link, node, p int) {
	c.offset(l, p, -1, 1, func(stable int64) {
		c.offset(l, p, -1, 0, func(all int64) {
			c.busy[node] = false
			if stable >= 0 && (stable == all || all >= 0 && c.n.Now() >= c.waited) {
				c.ends[p], c.open[p] = stable, stable != all
				c.reached(p, c.at[p], nil, nil)
			}
			c.again()
		})
	})
}

// offset asks ListOffsets for the latest (-1) or the earliest (-2) offset at an isolation level; -1: it failed.
func (c *Committed) offset(l *link, p int, at int64, isolation int8, done func(int64)) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = c.topic.name
	tp := kmsg.NewListOffsetsRequestTopicPartition()
	tp.Partition, tp.Timestamp, tp.CurrentLeaderEpoch = int32(p), at, c.epochOf(&position{topic: &c.topic, part: int32(p)})
	t.Partitions = append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	l.ask(req, 2, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			done(-1)
			return
		}
		found, code := offsetsIn(r.(*kmsg.ListOffsetsResponse), []*position{{topic: &c.topic, part: int32(p)}})
		if code != 0 {
			c.stale()
			done(-1)
			return
		}
		done(found[0])
	})
}

func (c *Committed) again() { c.after(c.jitter(clock.MS(max(c.cfg.PauseMS, 1))), timerWork) }

func (c *Committed) fetch(l *link, node int, parts []int) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch, req.IsolationLevel = -1, c.cfg.MaxWaitMS, 1, 1<<20, -1, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = c.topic.name, c.topic.id
	cap := idCap(&c.topic, 13)
	for _, p := range parts {
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.CurrentLeaderEpoch, part.FetchOffset, part.LastFetchedEpoch, part.LogStartOffset, part.PartitionMaxBytes = int32(p), c.epochOf(&position{topic: &c.topic, part: int32(p)}), c.at[p], -1, -1, c.cfg.PartBytes
		if c.sh.Nodes > 1 && part.CurrentLeaderEpoch < 0 {
			cap = min(cap, leadersOnly)
		}
		t.Partitions = append(t.Partitions, part)
	}
	req.Topics = append(req.Topics, t)
	gen, asked := c.gen, asked{node: node, at: c.sh.Rec.Len(), time: c.n.Now(), taken: c.taken, from: slices.Clone(c.at)}
	l.ask(req, 4, cap, clock.MS(int64(c.cfg.MaxWaitMS))+5*clock.Second, func(r kmsg.Response, err error) {
		c.busy[node] = false
		if err == nil && gen == c.gen {
			c.take(r.(*kmsg.FetchResponse), &asked)
		}
		c.again()
	})
}

// asked is what a fetch asked for.
type asked struct {
	node  int
	at    int64 // events of the history before it
	time  clock.Time
	taken int // of the reader, then
	from  []int64
}

// take takes in an answer to a fetch. A partition whose leader has changed may have been read further from the new one.
func (c *Committed) take(resp *kmsg.FetchResponse, q *asked) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			part := &resp.Topics[i].Partitions[j]
			if int(part.Partition) >= len(q.from) {
				c.caught(0, c.topic.name, "Fetch answers a partition that was not asked for", fmt.Sprint(part.Partition))
				continue
			}
			if c.at[part.Partition] == q.from[part.Partition] {
				c.partition(int(part.Partition), part, q)
			}
		}
	}
}

func (c *Committed) partition(p int, part *kmsg.FetchResponseTopicPartition, q *asked) {
	key := c.topic.keys[p]
	switch code := kerr.Code(part.ErrorCode); {
	case code == kerr.OffsetOutOfRange:
		c.lost[p] = true // the answer does not say where it begins, as Kafka's does not
		return
	case code != kerr.None && retriable(code):
		c.stale()
		return
	case code == kerr.CorruptMessage:
		c.caught(0, key, history.BadBatch, code.String())
		c.stale()
		return
	case code != kerr.None:
		c.caught(0, key, "Fetch answers an error of no use", code.String())
		return
	}
	if part.LastStableOffset > part.HighWatermark || part.LastStableOffset < 0 {
		c.caught(0, key, "the last stable offset is not below the high watermark", fmt.Sprintf("%d and %d", part.LastStableOffset, part.HighWatermark))
	}
	from := c.at[p]
	values, next, bad := readStable(part, from, c.cfg.Compacted)
	if bad != "" {
		c.caught(0, key, history.BadBatch, bad)
		return
	}
	c.at[p] = next
	if len(values) > 0 {
		c.taken++
	}
	c.reached(p, from, values, &answer{q, part.LastStableOffset, part.HighWatermark})
}

// answer is what one says of a partition.
type answer struct {
	*asked
	stable, hw int64
}

// reached notes what was taken of a partition, where the reader stands at its end with nothing open in front of it, and whether its last reading has come to its end.
func (c *Committed) reached(p int, from int64, values []string, a *answer) {
	op := history.Op{Kind: history.Seen, Key: c.topic.keys[p], From: from, Offset: c.at[p], HW: -1, Start: -1, PID: noProducerID, Meta: strings.Join(values, " ")}
	news := len(values) > 0
	if a != nil {
		op.HW, op.Start, op.Seq, op.Generation = a.stable, a.hw, int32(a.node), int32(a.at)
		op.Timestamp, op.Batches = int64(a.time), c.cfg.MaxWaitMS
		if c.at[p] == a.stable && a.stable == a.hw { // what the reader had seen elsewhere when it asked must be here by now
			news = news || c.told[p] < a.taken
			c.told[p] = a.taken
		}
	}
	if c.final {
		op.Member, op.Timestamp = "final", int64(c.since)
		if c.ends[p] >= 0 && c.at[p] >= c.ends[p] {
			op.Want = "end"
			if c.open[p] {
				op.Got = "open"
			}
		}
	}
	if news || op.Want != "" {
		c.note(0, op)
	}
}

// readStable takes from an answer what a read_committed consumer hands on (KIP-98): no control batches, and nothing of aborted transactions.
func readStable(part *kmsg.FetchResponseTopicPartition, from int64, compacted bool) (values []string, next int64, bad string) {
	aborted := append([]kmsg.FetchResponseTopicPartitionAbortedTransaction(nil), part.AbortedTransactions...)
	sort.Slice(aborted, func(i, j int) bool { return aborted[i].FirstOffset < aborted[j].FirstOffset })
	hidden := map[int64]bool{}
	next = from
	be := binary.BigEndian
	for b := part.RecordBatches; len(b) >= batchHeader; {
		size := int64(int32(be.Uint32(b[batchLength:]))) + batchLogOverhead
		if size < batchHeader || size > int64(len(b)) {
			break
		}
		one := b[:size]
		b = b[size:]
		s := served{sparse: compacted}
		base, last, why := s.batch(one, from)
		if why != "" {
			return nil, next, fmt.Sprintf("offset %d: %s", base, why)
		}
		if base > next {
			return nil, next, fmt.Sprintf("gap: the batch at %d follows %d", base, next-1)
		}
		if last >= part.LastStableOffset {
			return nil, next, fmt.Sprintf("offset %d is served, stable to %d", last, part.LastStableOffset)
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= last {
			hidden[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		pid, attr := int64(be.Uint64(one[batchPID:])), be.Uint16(one[batchAttributes:])
		next = last + 1
		switch {
		case attr&attrControl != 0:
			if abort, ok := aborts(one); ok && abort {
				delete(hidden, pid)
			}
		case attr&attrTransactional != 0 && hidden[pid]:
		default:
			for _, r := range s.records {
				values = append(values, r.Value.String())
			}
		}
	}
	return values, next, ""
}

// aborts reads a marker: the type in the key of its one record, 0 abort, 1 commit.
func aborts(b []byte) (abort, ok bool) {
	if crc32.Checksum(b[batchAttributes:], castagnoli) != binary.BigEndian.Uint32(b[batchCRC:]) {
		return false, false
	}
	rec := b[batchHeader:]
	_, k := binary.Varint(rec) // size
	if k <= 0 || len(rec) < k+1 {
		return false, false
	}
	rec = rec[k+1:]
	for range 2 { // timestamp and offset delta
		if _, k = binary.Varint(rec); k <= 0 {
			return false, false
		}
		rec = rec[k:]
	}
	n, k := binary.Varint(rec)
	if k <= 0 || n < 4 || int64(len(rec)-k) < n {
		return false, false
	}
	return binary.BigEndian.Uint16(rec[k+2:]) == 0, true
}

// Done implements Settler.
func (c *Committed) Done() bool {
	if !c.final {
		return c.healed && c.sh.parts[c.cfg.Topic] == 0 && c.sh.Writers == 0 && c.sh.Copying == 0 // nobody has made the topic
	}
	for p := range c.at {
		if c.ends[p] < 0 || c.at[p] < c.ends[p] {
			return false
		}
	}
	return true
}

// Waiting implements Settler.
func (c *Committed) Waiting() string {
	if !c.final {
		return fmt.Sprintf("%s: %d clients still write and %d copy, busy %v", c.name, c.sh.Writers, c.sh.Copying, c.busy)
	}
	return fmt.Sprintf("%s: read to %v, the ends are %v (-1: a transaction is open)", c.name, c.at, c.ends)
}
