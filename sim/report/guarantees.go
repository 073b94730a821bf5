package report

import "strings"

// group is a heading of the table of guarantees, with the properties under it.
type group struct {
	title string
	rows  []guarantee
}

// guarantee is a property and what it means to somebody who uses the broker.
type guarantee struct{ name, means string }

// groups are all properties that a run can break or check, in the order of the page.
var groups = []group{
	{"What was acknowledged stays", []guarantee{
		{"I:I3", "What was acknowledged with acks=all, or read by anybody, is still in the log."},
		{"I:I5", "One offset has one value for ever, whoever reads it."},
		{"I:I13", "Nobody reads above the high watermark, and what was once shown is never denied afterwards."},
		{"dense-offsets", "A read begins at the offset that was asked for and leaves no record out."},
		{"readers-reach-the-end", "Once the faults are over, every reader comes to the end of its partitions."},
		{"history:M1", "Each partition behaves as one log: appends and reads of all clients fit into one order in time (porcupine)."},
		{"history:lost-write", "No write that must have been committed goes unread while something behind it is read."},
		{"history:unseen", "At the end, every acknowledged write has been read."},
		{"history:inconsistent-offsets", "No offset of a partition has shown two values."},
		{"history:phantom-offset", "An acknowledgement names the offset at which the record really stands."},
		{"history:phantom-value", "Nothing is read that nobody sent."},
		{"history:aborted-read", "What a producer was told had failed is never read."},
		{"history:precommitted-read", "No operation reads what it itself is about to send."},
	}},
	{"Order and duplicates", []guarantee{
		{"I:T1", "A record of an idempotent producer stands in the log once, however often it was sent."},
		{"producer-id-unique", "No two producers are given the same producer id and epoch."},
		{"history:M2", "An idempotent producer's sequence numbers are accepted and refused as Apache Kafka does (porcupine)."},
		{"history:duplicate", "No value stands at two offsets where its send may leave one copy only."},
		{"history:producer-id-reuse", "No producer id is given out twice."},
		{"history:int-nonmonotonic-poll", "Within one poll, offsets only grow."},
		{"history:int-poll-skip", "Within one poll, no known record is left out."},
		{"history:nonmonotonic-poll", "From one poll to the next, a reader's offsets only grow."},
		{"history:poll-skip", "Between two polls, no known record is left out."},
		{"history:int-nonmonotonic-send", "Within one operation, a later send stands higher than an earlier one."},
		{"history:nonmonotonic-send", "A producer's later send stands higher than its earlier ones."},
		{"history:int-send-skip", "Counted, not judged: sends of one operation that do not stand side by side, since other producers write between them."},
		{"history:list-offsets-regression", "A client is never told a latest offset below one that it was told before."},
	}},
	{"Transactions", []guarantee{
		{"txn:committed", "What a transaction committed is read whole, once and in order; of an aborted one nothing is read."},
		{"txn:cut", "Transactions of one transactional id follow one another in every partition: who sees one has all earlier ones."},
		{"txn:sum", "What is moved between accounts in transactions is neither more nor less in the end."},
		{"txn:prompt", "A reader of committed data that waits is woken soon after a transaction ends."},
		{"I:T10", "Each record that a group copies in transactions stands in the output exactly once."},
		{"history:M4", "Each transactional id behaves as one coordinator: producer ids, epochs and outcomes fit into one order in time (porcupine)."},
		{"history:G1c", "No transactions have read of each other what none of them can have committed before."},
		{"history:G0", "Counted, not judged: transactions that stand in different orders in different partitions; nothing in Kafka isolates writes."},
		{"history:G1c-ww", "Counted, not judged: circles of reads and writes together, as legal as the one before."},
		{"txn:torn", "A transaction is read as a whole or not at all."},
		{"txn:aborted-read", "Nothing of an aborted transaction is read."},
		{"txn:dirty-read", "Nothing of a transaction is read before its producer has asked for the commit."},
		{"txn:duplicate", "Each value of a transaction is read once."},
		{"txn:order", "What a transaction sent to a partition is read in the order in which it was sent."},
		{"txn:phantom", "A reader of committed data reads only what was sent."},
		{"txn:hanging", "Once nobody writes any more, no transaction is left open."},
		{"txn:intermediate-read", "No read holds a part of a transaction, or what is gone afterwards."},
		{"txn:order-refused", "A batch that comes in order is not refused as out of order."},
	}},
	{"Groups", []guarantee{
		{"I:G2", "Within one generation of a group, a partition has one owner."},
		{"I:G7", "A group is never told an offset below one whose commit was acknowledged before it asked."},
		{"history:M3", "A group's committed offset behaves as one register guarded by the generation (porcupine)."},
		{"history:double-owner", "No two members own one partition in one generation."},
		{"history:commit-regression", "No committed offset goes back."},
		{"history:expired-alive", "An offset that a member committed does not expire while the group has members."},
	}},
	{"Answers", []guarantee{
		{"every-request-answered", "Once the faults are over, every request is answered in bounded virtual time."},
		{"exact-errors", "A client that misbehaves gets exactly the error that Apache Kafka gives."},
		{"prompt-fetch", "A fetch that waits is answered soon after there is something to read."},
		{"log-start", "The log start offset moves only as DeleteRecords and retention allow."},
		{"history:bad-answer", "No client is sent bytes that it cannot decode or whose checksum is wrong."},
		{"history:wrong-error", "No misbehaving client gets another error than the one it should."},
		{"history:unanswered", "No request that is sent to the healed cluster goes without an answer."},
		{"history:stuck", "No client that keeps asking a healed cluster goes without success for long."},
	}},
	{"Disks and recovery", []guarantee{
		{"I:S1", "All that is served passes its checksum, decodes, and stands where it says."},
		{"I:S2", "A recovery that is cut short, or done again at once, comes to the same logs."},
		{"I:S3", "A log comes back as a prefix of what was written, and no shorter than what a sync had covered."},
		{"repair", "Counted: records that rotted on a disk and were mended by the brokers themselves."},
	}},
	{"Replication", []guarantee{
		{"I:I1", "Every replica that may be elected, and runs, has all that was ever committed."},
		{"I:I2", "The leader that the quorum chose has all that was ever committed."},
		{"I:I4", "Below the lower of their high watermarks, two copies of a partition are equal byte for byte."},
		{"I:I6", "What stands below the high watermark of any leader is in the logs of all in-sync replicas."},
		{"I:I7", "A leader is a member of its ISR."},
		{"I:I8", "A leader's high watermark waits for all whom the quorum takes for in sync."},
		{"I:I9", "The cluster's state is valid: no fenced broker in an ISR, ISR and ELR apart and among the replicas."},
		{"I:I10", "What nodes know of the cluster are states of one log of metadata."},
		{"I:I11", "A replica that follows is fetched by one fetcher, from the leader that it follows."},
		{"I:I12", "Who comes into the ISR fetches in the leader's epoch and has all that is committed."},
		{"I:I14", "A replica's leader epoch only grows, and an epoch has one leader."},
		{"leader-epochs", "What a log believes of an offset's leader epoch is what the batch there says."},
		{"epoch-end", "No leader tells a reader that an epoch ended below what was read of it, so nobody takes what is there for lost and goes back."},
		{"unclean-return", "A broker that comes back after an unclean end may not be elected until it has caught up."},
	}},
	{"The quorum", []guarantee{
		{"I:K1", "A node's term never goes back, and within a term it votes once, also over a loss of power."},
		{"I:K2", "A term has one leader."},
		{"I:K3", "What counts as committed is in the logs of a majority."},
		{"I:K4", "A process's commit index never goes back."},
		{"I:K5", "A committed index has one entry for ever."},
		{"I:K6", "No log is cut below what its node knew to be committed."},
		{"I:K8", "A leader that reaches no majority gives up."},
		{"fenced-in-vain", "A broker that lives and is heard is not fenced."},
	}},
	{"The run itself", []guarantee{
		{"liveness", "Once the faults are over, the cluster becomes whole and every client comes to its end in bounded virtual time."},
		{"assert", "No assertion of the broker fails, and it does not panic."},
		{"contract", "The broker asks of the network and the disks only what their contracts allow."},
		{"fatal", "A broker goes on as long as its disks are sound."},
		{"oracle", "A checker looks at the cluster without an error of its own."},
	}},
}

// sums are the names that only add up others, or count what cannot be checked in number.
var sums = map[string]bool{"history": true}

// halves are endings of names that count a part of what the name before them counts.
var halves = []string{" strong reads", " weak reads", " ends"}

// Known says whether a name is on the page.
func Known(name string) bool {
	_, ok := find(name)
	return ok || sums[name]
}

// Guarantee is what a property means, in one sentence.
func Guarantee(name string) string {
	if g, ok := find(name); ok {
		return g.means
	}
	return "The property " + name + " holds."
}

// find looks a name up, and that of which it counts a part.
func find(name string) (guarantee, bool) {
	for _, h := range halves {
		name = strings.TrimSuffix(name, h)
	}
	for _, g := range groups {
		for _, r := range g.rows {
			if r.name == name {
				return r, true
			}
		}
	}
	return guarantee{}, false
}
