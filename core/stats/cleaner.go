package stats

// Cleaner is what log compaction has done since the start. Each shard has a cleaner of its own.
type Cleaner struct {
	Cleans       int64 // that ended well
	Failures     int64 // that did not, but for those that something else ended
	ReadBytes    int64 // in both passes, of all cleans
	RemovedBytes int64 // by which logs became smaller
	// Of each shard's last clean, added up: the bytes of the segments that it replaced, and of what took their place.
	LastBefore, LastAfter int64
	LastNS                int64 // how long the longest of them took, throttling included
	LastMapPPM            int64 // how much of its map of keys the fullest of them used, in millionths
	// Of the last time that each shard looked for the dirtiest log:
	MaxDirtyPPM  int64 // the dirty share of that log, in millionths
	MaxOverdueMS int64 // how long max.compaction.lag.ms had passed for the longest
	SinceRunNS   int64 // how long that is ago
	// Logs that cannot be cleaned for now, and what they have to clean.
	Uncleanable, UncleanableBytes int64
}

// merge adds the figures of another shard.
func (c *Cleaner) merge(o *Cleaner) {
	c.Cleans += o.Cleans
	c.Failures += o.Failures
	c.ReadBytes += o.ReadBytes
	c.RemovedBytes += o.RemovedBytes
	c.LastBefore += o.LastBefore
	c.LastAfter += o.LastAfter
	c.LastNS = max(c.LastNS, o.LastNS)
	c.LastMapPPM = max(c.LastMapPPM, o.LastMapPPM)
	c.MaxDirtyPPM = max(c.MaxDirtyPPM, o.MaxDirtyPPM)
	c.MaxOverdueMS = max(c.MaxOverdueMS, o.MaxOverdueMS)
	c.SinceRunNS = max(c.SinceRunNS, o.SinceRunNS)
	c.Uncleanable += o.Uncleanable
	c.UncleanableBytes += o.UncleanableBytes
}
