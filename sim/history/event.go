package history

import (
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
)

// Type says how an operation stands.
type Type uint8

// The types of event.
const (
	Invoke Type = iota + 1
	OK          // it took effect
	Fail        // it did not, for certain
	Info        // unknown; also the type of notes, which have no invocation
)

var typeNames = [...]string{"", "invoke", "ok", "fail", "info"}

// String gives the name as JSON has it.
func (t Type) String() string { return typeNames[t] }

// Kind names a micro-operation.
type Kind uint8

// The kinds of micro-operation. The first group are operations, the second notes that stand alone as Info events.
const (
	Send           Kind = iota + 1 // Key, Records, Acks, PID, Epoch, Seq
	Poll                           // Key, From, Records, HW, Start, Batches, Timestamp (ms that it may be kept waiting for any record; 0 unknown), Generation = leader epoch of the last record
	Commit                         // Key (GroupKey), Offset, Meta, Generation, Member
	FetchOffsets                   // Key (GroupKey), Offset (-1: none), Meta, Seq = leader epoch that was committed with it, -1 none
	ListOffsets                    // Key, Offset, Timestamp (-1 latest, -2 earliest)
	DeleteRecords                  // Key, Offset: asked for, and the low watermark in the answer
	InitProducerID                 // PID, Epoch
	Join                           // Key = group, Generation, Member: JoinGroup and SyncGroup together
	CreateTopic                    // Key = topic, Offset = partitions, Meta = settings "k=v,k=v"
	DeleteTopic                    // Key = topic
	Alter                          // Key = topic, Meta = settings
	Probe                          // Meta = what, Want = error names allowed, joined by |; Got

	Own      // Key (GroupKey), Generation, Member: the member starts to consume
	Disown   // the same: it stopped
	CaughtUp // Key, Offset: a final reader stands at the end
	Caught   // the client's own finding: Meta = what is wrong, Got = what it saw (bad CRC, undecodable answer, …)
	Unheard  // Meta = API name, Offset = virtual time of sending in ns, Timestamp = of giving up: a request without an answer
	Excuse   // Key ("" all), Offset: what stood at or above it may be gone from now on. Written by the simulator's fault ledger
	//          Generation: the leader epoch with which it begins, 0 any
	Phase  // Meta = safety | liveness | final
	Fault  // Meta = the fault's id and parameters
	Config // Meta = "k=v,k=v": facts of the run that checks need, such as flush=ack
	Copy   // Key, Offset, Member = node: its copy may be gone from Offset on. The ledger's
	Wiped  // Member = node: its disk was wiped or rolled back. The ledger's
	Weak   // Key, Meta = begin | end: meanwhile a node that takes itself for the key's leader may be deposed, so reads may lag. Member = fetch:
	//          a new leader's high watermark lags, so a fetch may bring less than was shown. The simulator's
	Forgot // Key = transactional id: its coordinator lets it expire, which counts once that is committed. The simulator's
	Anew   // Key = group: nobody is left in it, and under another protocol its generations may begin again. The simulator's

	Txn     // Key, Meta = values, PID, Epoch, Member = transactional id: what a transaction writes to a partition. OK: it was committed; Fail: it was not
	Seen    // Key, From, Offset = next, Meta = values, HW = last stable offset, Start = high watermark: what a read_committed reader takes; Seq = node, Generation = event number and Timestamp = time (virtual ns) of the request, Batches = how long it might wait (ms). Member = final: of its last reading, Timestamp = when all was written (virtual ns), Want = end: that ends here, Got = open: at an open transaction
	TxnCall // Key = transactional id, PID, Epoch as asked; Offset, Generation = producer id and epoch in the answer; Meta = init | write | commit | abort; a note with Meta = order: a batch was refused as out of order, of partition Want, asked at event Timestamp, and was not. Member = old: of the first version
	// EpochEnd asks a leader where a leader epoch ended (OffsetForLeaderEpoch): Key, From = position of the reader, Generation = the epoch asked about,
	// that of the batch before it, Seq = the leader's own epoch, Member = node; Offset, Batches = end and epoch in the answer, -1 unknown.
	EpochEnd

	CreatePartitions // Key = topic, Offset = how many it is to have: an operation
	ReadTopic        // Key = topic, Offset = partitions (null: there is no such topic), Member = the broker that says so, Generation = the event number when it was asked, 0 unknown. Want = whole: the cluster was, and nothing has changed since
	ReadConfig       // Key = topic, Meta = "name=value" (name alone: the topic has none of its own), Got = absent: there is no such topic. The rest as above
)

var kindNames = [...]string{"", "send", "poll", "commit", "fetch-offsets", "list-offsets", "delete-records", "init-producer-id", "join",
	"create-topic", "delete-topic", "alter", "probe", "own", "disown", "caught-up", "caught", "unheard", "excuse", "phase", "fault", "config", "copy", "wiped", "weak", "forgot", "anew", "txn", "seen", "txn-call", "epoch-end", "create-partitions", "read-topic", "read-config"}

// String gives the name as JSON has it.
func (k Kind) String() string { return kindNames[k] }

// NoOffset stands where an offset is not known (null in JSON).
const NoOffset = -1

// Value is a record's value: client in the high 24 bits, count in the low 40. Text of another shape is interned by Decoder, bit 63 set.
type Value uint64

// MakeValue gives the n-th value of a client.
func MakeValue(client int, n int64) Value { return Value(client)<<40 | Value(n&(1<<40-1)) }

// tableKeys is how many keys a table has.
const tableKeys = 8

// KeysOf is how many keys the values of a topic share: those of a table do, and then a later one of the same key may take its place. 0: each value
// has its own, and compaction may take none.
func KeysOf(topic string) uint64 {
	if strings.HasPrefix(topic, "table") {
		return tableKeys
	}
	return 0
}

// Supersedes says whether a value may have taken the place of another of its table.
func (v Value) Supersedes(other Value, keys uint64) bool {
	return keys > 0 && uint64(v)%keys == uint64(other)%keys && (v.Client() != other.Client() || v.N() > other.N())
}

// Client gives the client that made the value.
func (v Value) Client() int { return int(v >> 40) }

// N gives its count.
func (v Value) N() int64 { return int64(v & (1<<40 - 1)) }

// AppendText appends the text form, "v3.17".
func (v Value) AppendText(b []byte) []byte {
	if v>>63 != 0 {
		return strconv.AppendUint(append(b, '?'), uint64(v&^(1<<63)), 10)
	}
	b = strconv.AppendInt(append(b, 'v'), int64(v.Client()), 10)
	return strconv.AppendInt(append(b, '.'), v.N(), 10)
}

// String gives the text form.
func (v Value) String() string { return string(v.AppendText(nil)) }

// ParseValue reads the text form, which ends at a space or at the end of b.
func ParseValue(b []byte) (Value, bool) {
	if len(b) < 4 || b[0] != 'v' {
		return 0, false
	}
	var part [2]uint64
	k, digits := 0, 0
	for _, c := range b[1:] {
		switch {
		case c >= '0' && c <= '9':
			part[k] = part[k]*10 + uint64(c-'0')
			digits++
		case c == '.' && k == 0 && digits > 0:
			k, digits = 1, 0
		case c == ' ' && k == 1 && digits > 0:
			return MakeValue(int(part[0]), int64(part[1])), true
		default:
			return 0, false
		}
	}
	return MakeValue(int(part[0]), int64(part[1])), k == 1 && digits > 0
}

// Record is a value at an offset (NoOffset if it is not known).
type Record struct {
	Offset int64
	Value  Value
}

// Op is one micro-operation; which fields are set, Kind says.
type Op struct {
	Kind       Kind
	Acks       int16
	Epoch      int16 // producer epoch
	Generation int32
	Seq        int32 // first sequence of the batch; only with PID >= 0
	Batches    int32 // how many batches a poll brought, each with its CRC checked
	Attempts   int32 // how often a send left the client; more than one may mean more than one copy if it is not idempotent
	PID        int64 // producer id, or -1
	Offset     int64
	From       int64 // position that a poll asked for
	HW         int64 // high watermark in the answer; -1 unknown. Of an excuse: the highest that a leader had
	Start      int64 // log start offset in the answer; -1 unknown
	Timestamp  int64
	Key        string
	Member     string
	Meta       string
	Want, Got  string
	Records    []Record
}

// Event is one line of the history. Readers do not change it.
type Event struct {
	I       int64 // global sequence number, from 0
	Process int32
	Type    Type
	F       string // the operation's name; that of its first micro-operation where there is one
	Time    clock.Time
	Ops     []Op
	Keys    []string // of assign and subscribe
	Err     string   // with Fail and Info: the error's name
}

// Nemesis is the process of notes that no client wrote.
const Nemesis = -1

// Slots is how many processes a client has.
const Slots = 16

// ProcessOf gives a client's process. Slot 0 is its main line of work.
func ProcessOf(client, slot int) int32 { return int32(client*Slots + slot) }

// ClientOf gives the client that a process belongs to.
func ClientOf(process int32) int { return int(process) / Slots }

// Key gives the key of a partition, "topic/0".
func Key(topic string, partition int32) string {
	return topic + "/" + strconv.FormatInt(int64(partition), 10)
}

// GroupKey gives the key of a group's offset of a partition, "group|topic/0".
func GroupKey(group, key string) string { return group + "|" + key }

// NodeName is what notes call the node of an index, from 0: "n1".
func NodeName(index int) string { return "n" + strconv.Itoa(index+1) }

// SplitKey takes a partition's key apart.
func SplitKey(key string) (topic string, partition int32) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return key, 0
	}
	n, err := strconv.ParseInt(key[i+1:], 10, 32)
	if err != nil {
		return key, 0
	}
	return key[:i], int32(n)
}

// BadBatch is what a Caught of a batch says that is not what it claims to be. A broker sends bytes of a log unread.
const BadBatch = "Fetch serves a bad batch"

// Rotten is the Meta of a Copy whose records have rotted, but are still served.
const Rotten = "rotten"
