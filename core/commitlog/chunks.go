package commitlog

// chunk is a range of whole batches that a LocateSlow has found, or (size 0) merely a place where a slice ended.
type chunk struct {
	from mark
	to   mark // from itself if only the place is known
}

const chunkSlots = 128

// chunks remembers chunks by their first offset, newest wins. It is made by the first reader that needs it.
type chunks struct{ slots []chunk }

func slotOf(offset int64) int { return int(uint64(offset) * 0x9e3779b97f4a7c15 >> 57) }

// put notes a chunk.
func (c *chunks) put(from, to mark) {
	if c.slots == nil {
		c.slots = make([]chunk, chunkSlots)
	}
	c.slots[slotOf(from.offset)] = chunk{from, to}
}

// noteEnd notes where a slice ended, since its reader comes back there; a chunk that begins there stays.
func (c *chunks) noteEnd(m mark) {
	if _, ok := c.begin(m.offset); !ok {
		c.put(m, m)
	}
}

// begin finds the batch that begins at exactly offset.
func (c *chunks) begin(offset int64) (mark, bool) {
	if c.slots == nil {
		return mark{}, false
	}
	k := &c.slots[slotOf(offset)]
	return k.from, k.from.offset == offset && k.from.ord != 0
}

// follow strings chunks together from m on.
func (c *chunks) follow(m mark, maxPos, limit int64) (mark, bool) {
	at := m
	for c.slots != nil {
		k := &c.slots[slotOf(at.offset)]
		if k.from != at || k.to.pos <= at.pos || k.to.ord != at.ord || k.to.offset > limit {
			break
		}
		if int64(k.to.pos) > maxPos {
			break
		}
		at = k.to
	}
	return at, at.pos > m.pos
}

func (l *Log) forgetChunks() { l.chunks.slots = nil }
