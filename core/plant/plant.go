// Package plant is where a mutant takes root: a historical bug, put back on purpose, so that the simulator can show that it finds it.
// A site reads `if plant.On(plant.P11) { … }`. Without the build tag `mutants` On is the constant false and the site is gone.
package plant

// ID names a mutant. The catalogue (sim/mutant) says what each one is.
type ID uint8

// The mutants that the core has sites for.
const (
	None ID = iota
	P1      // a sync counted for a write that ended after it began
	P2      // SyncDir forgotten after a segment is created
	P3      // the high watermark from the unsynced leader end
	P4      // an extent that outlives truncation or removal
	P5      // an image applied on one shard only
	P6      // a group answered before its record is below the high watermark
	P8      // a recovery that truncates below the high watermark
	P9      // a dropped acknowledgement
	P10     // CRC not checked on produce
	P11     // off by one in the offset index
	I1      // no duplicate detection; OUT_OF_ORDER to a retry (Redpanda #3039)
	I3      // a duplicate after segment eviction is an error (KAFKA-14034)
	I5      // only the last batch cached (Redpanda #3077)
	I6      // sequence compared without wrap
	S1      // clean-shutdown marker handling (KAFKA-10471)
	S3      // appends accepted after an I/O error (KAFKA-10778)
	S7      // recovery keeps a batch with a bad CRC
	B1      // lost wake-up on fetch (Bufstream)
	B2      // an offset that defaults to 0 (Bufstream)
	B3      // acknowledged before it is written (Bufstream)
	R10     // the last member of the ISR is elected again after an unclean end (KIP-966)
	R11     // an unclean end is not noticed (KAFKA-15586)
	R15     // a controller that was deposed answers AlterPartition as if it had happened (KAFKA-14154)
	R16     // a fetch of what is no replica counts (KAFKA-13837)
	M2      // the controller fences on a mere connection reset
	Count
)

// Names are the mutants' names as `MUTANT=` takes them, by ID.
var Names = [Count]string{"", "P1", "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10", "P11", "I1", "I3", "I5", "I6", "S1", "S3", "S7", "B1", "B2", "B3", "R10", "R11", "R15", "R16", "M2"}
