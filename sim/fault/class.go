package fault

// Class is a kind of fault. It is written "F:N1".
type Class uint8

// The classes that the simulator can inject by itself. Those that only configure the broker or the clients (L1–L3, B1) are here so
// that the swarm can turn them on and the summary can count them.
const (
	None Class = iota
	N1         // one-way delays, hence reordering across connections
	N2         // connection reset in the middle of a request or of a response
	N3         // one request delivered very late, perhaps after its client has given up
	N4         // a request repeated on a second connection
	N5         // partitions
	N6         // clogs: bytes towards, from or between endpoints stand still
	N7         // bandwidth and queue caps, with back-pressure
	N8         // frames cut anywhere, half-close
	D1         // power loss: unsynced bytes and names are kept, dropped or torn
	D2         // a lying fsync, or one that fails once and then says ok
	D3         // EIO, ENOSPC, short writes
	D4         // bit rot
	D5         // a misdirected write
	D6         // a slow disk, or one that stalls
	D7         // a wiped disk
	D8         // an old image of the disk
	P1         // crash, kill -9
	P2         // pause of a node or of a single shard
	P3         // graceful stop and restart
	P4         // crash loop, rolling restart, storm of restarts, all killed at once
	C1         // wall-clock jumps, drift
	C2         // equal deadlines and simultaneous events permuted
	L1         // retention and DeleteRecords with tiny segments
	L2         // expiry at tiny values
	L3         // clients that misbehave
	M1         // an operator moves partitions, adds some, makes topics anew, has leaders elected
	M2         // an operator changes settings of topics
	M3         // the quorum's voters come and go, and its leader is killed, paused, cut off
	B1         // sites in the simulator's drivers, and settings, that make the unlikely likely
	Count
)

var ids = [Count]string{"F:none", "F:N1", "F:N2", "F:N3", "F:N4", "F:N5", "F:N6", "F:N7", "F:N8",
	"F:D1", "F:D2", "F:D3", "F:D4", "F:D5", "F:D6", "F:D7", "F:D8", "F:P1", "F:P2", "F:P3", "F:P4", "F:C1", "F:C2", "F:L1", "F:L2", "F:L3",
	"F:M1", "F:M2", "F:M3", "F:B1"}

// String gives the id, as in "F:N1".
func (c Class) String() string { return ids[c] }

// Parse gives the class of an id, or false.
func Parse(id string) (Class, bool) {
	for c, s := range ids {
		if s == id && c != int(None) {
			return Class(c), true
		}
	}
	return None, false
}

// MarshalText writes the id, so that plans read well.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads an id.
func (c *Class) UnmarshalText(b []byte) error {
	k, ok := Parse(string(b))
	if !ok {
		return unknownClass(b)
	}
	*c = k
	return nil
}

type unknownClass string

func (u unknownClass) Error() string { return "unknown fault class " + string(u) }

// Knob is how strongly one class acts all through the safety phase. What the numbers mean is the class's own:
//
//	N1 P: 0–1000 ‰ of pieces delayed, A: mean ms           N2 P: ‰ of requests        N3 P: ‰ of requests, A..B: s late
//	N4 P: ‰ of requests        N7 A: bytes a second, B: bytes in flight               N8 P: ‰ of pieces cut
//	B1 P: ‰, how often a site that the run has acts
//	D3 P: ‰ of requests with EIO or a short write            D6 A: factor              C1 A: rate in 1024ths (node drift)
type Knob struct {
	Class Class
	Node  int // -1: all
	P     int
	A, B  int64
}

// Swarm is the classes that are on in a run, sorted by class, at most a few knobs each.
type Swarm []Knob

// On says whether a class is on.
func (s Swarm) On(c Class) bool {
	_, ok := s.Knob(c, -1)
	return ok
}

// Knob gives the knob of a class for a node: its own, or that for all. Node -1 takes any.
func (s Swarm) Knob(c Class, node int) (Knob, bool) {
	for _, k := range s {
		if k.Class == c && (k.Node == node || k.Node < 0 || node < 0) {
			return k, true
		}
	}
	return Knob{}, false
}

// Fault is one fault of a schedule: what, when, where, how long. A, B and Seed are the class's own.
type Fault struct {
	At    int64 // virtual ms
	Class Class
	Verb  string // the class's way, where it has several: see package cluster, verbs.go
	Node  int    // the node, or -1
	Shard int    // -1: the whole node
	For   int64  // virtual ms; 0: at once over
	A, B  int64
	Scene int `json:",omitempty"` // > 0: Node, and a link's A, are parts in a scene with others of that number: package cluster, cast.go
}
