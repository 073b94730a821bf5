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
	P7      // a fetch watch not woken by the last stable offset
	P8      // a recovery that truncates below the high watermark
	P9      // a dropped acknowledgement
	P10     // CRC not checked on produce
	P11     // off by one in the offset index
	R1      // a follower truncates to its own high watermark (KIP-101)
	R2      // an unknown epoch ends at the high watermark (KIP-279)
	R3      // the fetcher's leader epoch is not checked (KIP-320)
	R4      // a new leader does not note where its epoch begins (KAFKA-7415)
	R5      // the ISR takes in who has not reached the epoch's begin (KAFKA-7128)
	R6      // the ISR takes in an earlier life of a broker (KIP-903)
	R7      // a read_committed fetch looks at the end again, and it is the high watermark (KAFKA-9807)
	R8      // a slice that ends beyond the limit (KAFKA-9835)
	R9      // a full truncation forgets the high watermark (KAFKA-9491)
	R10     // the last member of the ISR is elected again after an unclean end (KIP-966)
	R11     // an unclean end is not noticed (KAFKA-15586)
	R12     // acks=all satisfied by an ISR that is too small (Jepsen 2013)
	R13     // the high watermark over the committed ISR while a change is pending
	R14     // an answer accepted after the leader epoch changed (KAFKA-7786)
	R15     // a controller that was deposed answers AlterPartition as if it had happened (KAFKA-14154)
	R16     // a fetch of what is no replica counts (KAFKA-13837)
	R17     // a new leader serves read_committed before it knows what is stable (Redpanda #5090)
	R18     // data read before it is committed (Redpanda #14794)
	R19     // offsets listed before the high watermark is known (KIP-207)
	R20     // an epoch ends for consumers at the high watermark of a leader that is behind
	I1      // no duplicate detection; OUT_OF_ORDER to a retry (Redpanda #3039)
	I2      // the cached batches kept over an abort in the same epoch (Redpanda #5026)
	I3      // a duplicate after segment eviction is an error (KAFKA-14034)
	I4      // where only a marker is left of a producer, its next batch is out of order (KAFKA-7298)
	I5      // only the last batch cached (Redpanda #3077)
	I6      // sequence compared without wrap
	I7      // an epoch is bumped beyond the last one
	K1      // leadership claimed after raft says it is lost (KAFKA-15489)
	K2      // entries, or the cut of conflicting ones, answered before they are synced
	K3      // a vote answered before it is synced
	M1      // an entry folded in another term than it was decided in
	M2      // the controller fences on a mere connection reset
	S1      // clean-shutdown marker handling (KAFKA-10471)
	S2      // the leader-epoch checkpoint is renamed before it is synced (KAFKA-16541)
	S3      // appends accepted after an I/O error (KAFKA-10778)
	S4      // a marker goes with a record that has its key (KAFKA-14055)
	S5      // a clean whose map is full knows no aborted transactions behind its end (KAFKA-13727)
	S6      // a clean takes in the first record of an open transaction (Redpanda #12176)
	S7      // recovery keeps a batch with a bad CRC
	T1      // the epoch is not bumped when a transaction ends (KAFKA-17754)
	T2      // a transactional batch appended without verification (KIP-890)
	T3      // a producer expires though its transaction is open (KAFKA-9144)
	T4      // a transaction stays being completed where the record of that was refused once (KAFKA-5351)
	T5      // a lost wake-up of the sender of markers (KAFKA-9777)
	T6      // partitions that are added, and looked at, answered before the record is below the high watermark (Redpanda #6018)
	T7      // a retried EndTxn refused (Redpanda #3501)
	T8      // a late marker ends whatever transaction is open (Redpanda #3232)
	T9      // a transactional id forgotten by the age of its last transaction (Redpanda #17880)
	T10     // offsets of a transaction taken from any generation (KIP-447)
	T11     // an offset expires that an open transaction would commit anew (Redpanda #31483)
	T12     // a verification forgets which batch comes first (KAFKA-14920)
	G1      // a loaded offset without an expiry time expires at once (KAFKA-8069)
	G2      // loading a coordinator waits for records that compaction has taken (KAFKA-9065)
	G4      // OffsetFetch answers REQUEST_TIMED_OUT (KAFKA-17267)
	G5      // offsets expire by the age of their commit though the group lives (KIP-211)
	B1      // lost wake-up on fetch (Bufstream)
	B2      // an offset that defaults to 0 (Bufstream)
	B3      // acknowledged before it is written (Bufstream)
	Count
)

// Names are the mutants' names as `MUTANT=` takes them, by ID.
var Names = [Count]string{
	P1:  "P1",
	P2:  "P2",
	P3:  "P3",
	P4:  "P4",
	P5:  "P5",
	P6:  "P6",
	P7:  "P7",
	P8:  "P8",
	P9:  "P9",
	P10: "P10",
	P11: "P11",
	R1:  "R1",
	R2:  "R2",
	R3:  "R3",
	R4:  "R4",
	R5:  "R5",
	R6:  "R6",
	R7:  "R7",
	R8:  "R8",
	R9:  "R9",
	R10: "R10",
	R11: "R11",
	R12: "R12",
	R13: "R13",
	R14: "R14",
	R15: "R15",
	R16: "R16",
	R17: "R17",
	R18: "R18",
	R19: "R19",
	R20: "R20",
	I1:  "I1",
	I2:  "I2",
	I3:  "I3",
	I4:  "I4",
	I5:  "I5",
	I6:  "I6",
	I7:  "I7",
	K1:  "K1",
	K2:  "K2",
	K3:  "K3",
	M1:  "M1",
	M2:  "M2",
	S1:  "S1",
	S2:  "S2",
	S3:  "S3",
	S4:  "S4",
	S5:  "S5",
	S6:  "S6",
	S7:  "S7",
	T2:  "T2",
	T1:  "T1",
	T3:  "T3",
	T4:  "T4",
	T5:  "T5",
	T6:  "T6",
	T7:  "T7",
	T8:  "T8",
	T9:  "T9",
	T10: "T10",
	T11: "T11",
	T12: "T12",
	G1:  "G1",
	G2:  "G2",
	G4:  "G4",
	G5:  "G5",
	B1:  "B1",
	B2:  "B2",
	B3:  "B3",
}
